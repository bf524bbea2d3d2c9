/**
 * The key of a run: a digest of everything that its result depends on, as far as the caller said.
 *
 * ```
 * key = SHA-256 over, in this order, each with its length (u32, little-endian) in front:
 *   "vitte exec 1", os, arch, salt, folder, count and words of the command,
 *   count and digests of the programs, count and (name, "=" value or "-") of the variables by name,
 *   count and (path, kind, digest) of the inputs by path, count and paths of the outputs in order,
 *   "printed" or "not printed"
 * ```
 */
import { createHash, createHmac } from "node:crypto";
import type { Hash } from "node:crypto";
import type { Digest } from "../../core/digest.ts";
import { digestFromBytes, digestOf } from "../../core/digest.ts";
import { MAX_EXEC_FACTS } from "../../core/build_limits.ts";
import { MAX_TAG_BYTES } from "../../core/limits.ts";

/** A file, or a link, that the run reads. */
export interface RunInput {
  /** Relative to the root where it is below it, else absolute. */
  readonly path: string;
  readonly kind: "file" | "program" | "link";
  /** Of the contents; of a link its target and the contents it leads to. */
  readonly digest: Digest;
}

/** What a run's result depends on. */
export interface RunFacts {
  readonly os: string;
  readonly arch: string;
  /** Empty when none was given. */
  readonly salt: string;
  /** The working folder relative to the root; empty for the root itself. */
  readonly folder: string;
  readonly words: readonly string[];
  /** Digests of the program, its interpreter, … */
  readonly programs: readonly Digest[];
  /** The chosen variables; `undefined` for one that is not set, which is not the same as empty. */
  readonly variables: ReadonlyMap<string, string | undefined>;
  readonly inputs: readonly RunInput[];
  /** As the paths of inputs. */
  readonly outputs: readonly string[];
  /** Whether what it prints is part of the result. */
  readonly printed: boolean;
}

const FORMAT = "vitte exec 1";
const utf8 = new TextEncoder();

/** The key of an entry of the protocol `exec`: 64 hex digits. */
export function execKey(facts: RunFacts): string {
  const hash = createHash("sha256");
  put(hash, FORMAT, facts.os, facts.arch, facts.salt, facts.folder);
  putAll(hash, facts.words.map((word) => [word]));
  putAll(hash, facts.programs.map((digest) => [digest]));
  putAll(hash, byName(facts.variables).map(([name, value]) => [name, valueText(value)]));
  putAll(hash, byPath(facts.inputs).map(({ path, kind, digest }) => [path, kind, digest]));
  putAll(hash, facts.outputs.map((path) => [path]));
  put(hash, facts.printed ? "printed" : "not printed");
  return hash.digest("hex");
}

/**
 * The same facts by name, so that a later miss can be explained by what differs. All values are
 * digests; those of variables and of the salt are keyed with `secret`, so that nobody outside can
 * look a value up. Many inputs are told by folder.
 */
export function explainingFacts(facts: RunFacts, secret: Uint8Array): Record<string, string> {
  const keyed = (text: string) =>
    digestFromBytes(createHmac("sha256", secret).update(text).digest());
  const found: Record<string, string> = {
    command: digestOfAll(facts.words),
    executable: digestOfAll(facts.programs),
    folder: digestOfAll([facts.folder]),
    outputs: digestOfAll([facts.printed ? "printed" : "not printed", ...facts.outputs]),
    platform: digestOfAll([facts.os, facts.arch]),
  };
  if (facts.salt !== "") found.salt = keyed(`salt\0${facts.salt}`);
  const variables = byName(facts.variables).map(([name, value]) =>
    [factName("env", name), keyed(`env\0${name}\0${valueText(value)}`)] as const
  );
  const inputs = groups(byPath(facts.inputs)).map(([group, members]) =>
    [
      factName("input", group),
      digestOfAll(members.flatMap(({ path, kind, digest }) => [path, kind, digest])),
    ] as const
  );
  return { ...found, ...Object.fromEntries([...variables.slice(0, MAX_EXEC_FACTS), ...inputs]) };
}

/** The secret for {@linkcode explainingFacts}: the same for all who share a server and a salt. */
export function factsSecret(
  parts: { readonly serverKey: Uint8Array | undefined; readonly salt: string },
): Uint8Array {
  const hash = createHash("sha256");
  put(hash, "vitte exec facts 1", parts.serverKey?.toHex() ?? "", parts.salt);
  return new Uint8Array(hash.digest());
}

/** Inputs by themselves where they are few, else by folder, as deep as there are not too many. */
function groups(inputs: readonly RunInput[]): [string, RunInput[]][] {
  if (inputs.length <= MAX_EXEC_FACTS) return inputs.map((input) => [input.path, [input]]);
  const deepest = Math.max(...inputs.map(({ path }) => path.split("/").length - 1));
  for (let depth = deepest; depth > 0; depth--) {
    const folders = Map.groupBy(inputs, ({ path }) => folderOf(path, depth));
    if (folders.size <= MAX_EXEC_FACTS) return [...folders];
  }
  return [["", [...inputs]]];
}

function folderOf(path: string, depth: number): string {
  const parts = path.split("/").slice(0, -1);
  return `${parts.slice(0, depth).join("/")}/`;
}

/** Names have a limit; a longer one is told by its digest. */
function factName(kind: string, name: string): string {
  const full = `${kind}:${name}`;
  return utf8.encode(full).length <= MAX_TAG_BYTES ? full : `${kind}:${digestOfAll([name])}`;
}

function byName(variables: RunFacts["variables"]): [string, string | undefined][] {
  return [...variables].sort(([a], [b]) => a < b ? -1 : 1);
}

function byPath(inputs: readonly RunInput[]): RunInput[] {
  return inputs.toSorted((a, b) => a.path < b.path ? -1 : a.path > b.path ? 1 : 0);
}

function valueText(value: string | undefined): string {
  return value === undefined ? "-" : `=${value}`;
}

function digestOfAll(texts: readonly string[]): Digest {
  const hash = createHash("sha256");
  putAll(hash, texts.map((text) => [text]));
  return digestFromBytes(hash.digest());
}

function putAll(hash: Hash, rows: readonly (readonly string[])[]): void {
  put(hash, String(rows.length));
  for (const row of rows) put(hash, ...row);
}

function put(hash: Hash, ...texts: readonly string[]): void {
  for (const text of texts) {
    const bytes = utf8.encode(text);
    const length = new Uint8Array(4);
    new DataView(length.buffer).setUint32(0, bytes.length, true);
    hash.update(length).update(bytes);
  }
}

/** The digest of a link: its target, and the contents that it leads to if it leads to a file. */
export function linkDigest(target: string, contents: Digest | undefined): Digest {
  return digestOf(utf8.encode(JSON.stringify([target, contents ?? null])));
}
