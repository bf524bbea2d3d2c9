/** Where keys and values stand in a TOML text, for messages and origins. */
import type { Place } from "./problem.ts";

/** Places by path. */
export interface TomlPlaces {
  /** Of a key, or of a table's header. */
  key(path: readonly string[]): Place | undefined;
  /** Of a key's value. */
  value(path: readonly string[]): Place | undefined;
}

/** What is used of the syntax tree. */
interface Node {
  readonly type: string;
  readonly loc: { readonly start: { readonly line: number; readonly column: number } };
  readonly body?: readonly Node[];
  readonly resolvedKey?: readonly (string | number)[];
  readonly key?: { readonly keys: readonly { readonly name?: string; readonly value?: string }[] };
  readonly value?: Node;
}

/**
 * Places in a text that was parsed already. The parser is loaded here and not before: only a
 * message needs it. Where it does not understand the text, nothing has a place.
 */
export async function tomlPlaces(text: string): Promise<TomlPlaces> {
  const keys = new Map<string, Place>();
  const values = new Map<string, Place>();
  const { parseTOML, ParseError } = await import("toml-eslint-parser");
  const name = (path: readonly (string | number)[]) => JSON.stringify(path.map(String));
  const visit = (node: Node, before: readonly (string | number)[]) => {
    if (node.type === "TOMLTable") {
      keys.set(name(node.resolvedKey!), placeOf(node));
      // The header of the first `[[a]]` is also where the list `a` begins.
      const list = name(node.resolvedKey!.filter((part) => typeof part === "string"));
      if (!keys.has(list)) keys.set(list, placeOf(node));
      for (const child of node.body!) visit(child, node.resolvedKey!);
      return;
    }
    if (node.type !== "TOMLKeyValue") return;
    const path = [...before, ...node.key!.keys.map((key) => key.name ?? key.value ?? "")];
    // `a.b = 1` also makes `a`.
    for (let length = before.length + 1; length <= path.length; length++) {
      const part = name(path.slice(0, length));
      if (!keys.has(part)) keys.set(part, placeOf(node));
    }
    values.set(name(path), placeOf(node.value!));
    for (const child of node.value!.body ?? []) visit(child, path);
  };
  try {
    for (const node of (parseTOML(text) as unknown as Node).body![0]!.body!) visit(node, []);
  } catch (thrown) {
    // Another parser than the one that read the values: what only it dislikes is no problem.
    if (!(thrown instanceof ParseError)) throw thrown;
  }
  return {
    key: (path) => keys.get(name(path)),
    value: (path) => values.get(name(path)) ?? keys.get(name(path)),
  };
}

function placeOf({ loc: { start } }: Node): Place {
  return { line: start.line, column: start.column + 1 };
}
