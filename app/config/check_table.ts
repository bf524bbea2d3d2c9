/** Holds a table of a configuration against its schema: all problems at once. */
import * as v from "valibot";
import type { TomlTable } from "smol-toml";
import { TomlDate } from "smol-toml";
import { shown } from "../output.ts";
import { closest } from "./closest.ts";
import type { ConfigProblem } from "./problem.ts";
import type { TomlFile } from "./toml_file.ts";
import { tomlPlaces } from "./toml_places.ts";

/** A schema for each key that a table may have; its messages say what is wanted: `a URL`. */
export type KeySchemas = Readonly<Record<string, v.GenericSchema>>;

/** Which table, and what it may hold. */
export interface TableRules<K extends KeySchemas> {
  /** Path of the table; `[]` is the file itself. */
  readonly path: readonly string[];
  readonly keys: K;
  /** Keys whose values are never repeated. */
  readonly secret?: readonly string[];
  /** More to say about an unknown key. */
  hint?(key: string): string | undefined;
}

/** The values that are right. */
export type TableValues<K extends KeySchemas> = { [N in keyof K]?: v.InferOutput<K[N]> };

/** What is wrong with a table, and the values of it that are not. */
export interface CheckedTable<K extends KeySchemas> {
  readonly values: TableValues<K>;
  readonly problems: readonly ConfigProblem[];
}

/** Looks at every key of `table`. */
export async function checkTable<K extends KeySchemas>(
  source: TomlFile,
  table: TomlTable,
  rules: TableRules<K>,
): Promise<CheckedTable<K>> {
  const values: Record<string, unknown> = {};
  const found: (Omit<ConfigProblem, "file" | "place"> & { path: string[]; at: "key" | "value" })[] =
    [];
  for (const key of Object.keys(table)) {
    const value = table[key]!;
    const path = [...rules.path, key];
    const name = shown(path.join(".").slice(0, LONGEST));
    const schema = Object.hasOwn(rules.keys, key) ? rules.keys[key] : undefined;
    if (!schema) {
      found.push({ path, at: "key", key: name, ...unknownKey(key, rules) });
      continue;
    }
    const result = v.safeParse(schema, value);
    if (result.success) values[key] = result.output;
    else {
      const issue = result.issues[0];
      const secret = rules.secret?.includes(key) ?? false;
      found.push({ path, at: "value", key: name, ...wrongValue(issue, value, secret) });
    }
  }
  const places = found.length > 0 ? await tomlPlaces(source.text) : undefined;
  const problems = found.map(({ path, at, ...rest }): ConfigProblem => ({
    file: source.file,
    place: places?.[at](path),
    ...rest,
  }));
  return { values: values as TableValues<K>, problems: inOrder(problems) };
}

/** As somebody goes through the file. */
export function inOrder(problems: readonly ConfigProblem[]): ConfigProblem[] {
  const rank = ({ place }: ConfigProblem) => place ? place.line * 1e6 + place.column : 0;
  return [...problems].sort((a, b) => rank(a) - rank(b));
}

function unknownKey<K extends KeySchemas>(key: string, rules: TableRules<K>) {
  const known = Object.keys(rules.keys);
  const near = closest(key, known);
  const hint = rules.hint?.(key) ?? (near === undefined ? undefined : `did you mean ${near}?`);
  return {
    expected: `one of ${known.join(", ")}`,
    found: "an unknown key",
    ...(hint === undefined ? {} : { hint }),
  };
}

function wrongValue(issue: v.BaseIssue<unknown>, value: unknown, secret: boolean) {
  // A check of ours says itself what it found, and what to do.
  const said = issue.type.startsWith("raw_") ? issue.received : undefined;
  return { expected: issue.message, found: said ?? described(value, secret) };
}

const LONGEST = 80;

/** A value in words; what is secret only by its kind. */
export function described(value: unknown, secret = false): string {
  if (value instanceof TomlDate) return "a date";
  if (Array.isArray(value)) return "a list";
  if (typeof value === "object") return "a table";
  if (secret) return `a ${typeof value === "string" ? "text" : typeof value}`;
  if (typeof value === "string") return `"${shown(value.slice(0, LONGEST))}"`;
  return `the ${typeof value} ${value}`;
}
