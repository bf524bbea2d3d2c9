/** ActionResults: read, checked, and what they refer to. */
import { fromBinary, fromJson, toBinary, toJson } from "@bufbuild/protobuf";
import type { JsonValue } from "@bufbuild/protobuf";
import type { Bytes, Digest } from "../../core/digest.ts";
import { EMPTY_DIGEST } from "../../core/digest.ts";
import type { BlobRef } from "../../core/entry.ts";
import { CacheError } from "../../core/errors.ts";
import { MAX_ENTRY_BLOBS } from "../../core/limits.ts";
import type {
  ActionResult,
  Digest as WireDigest,
  Directory,
} from "./generated/remote_execution_pb.ts";
import {
  ActionResultSchema,
  DirectorySchema,
  TreeSchema,
} from "./generated/remote_execution_pb.ts";

/** A result as the CAS has to hold it up. */
export interface References {
  /** Blobs that must be here, each once; the empty one is left out, it always is. */
  readonly blobs: BlobSet;
  /** Blobs that name further ones. */
  readonly trees: readonly TreeReference[];
}

/** A directory in one of its two forms: a whole tree, or only its root. */
export interface TreeReference {
  readonly form: "tree" | "directory";
  readonly digest: Digest;
}

/**
 * Reads a binary ActionResult. Fields that we do not know are kept by who keeps the bytes.
 * @throws {CacheError} `invalid_argument` if it is none
 */
export function readActionResult(bytes: Uint8Array): ActionResult {
  if (bytes.length === 0) throw invalid("it is empty");
  try {
    return fromBinary(ActionResultSchema, bytes);
  } catch (cause) {
    throw invalid("it is no ActionResult message", cause);
  }
}

/** Reads the JSON form, as moon sends it. @throws {CacheError} `invalid_argument` */
export function readActionResultJson(text: string): ActionResult {
  try {
    const json = JSON.parse(text, timestampReviver) as JsonValue;
    return fromJson(ActionResultSchema, json, { ignoreUnknownFields: true });
  } catch (cause) {
    throw invalid("it is no ActionResult in JSON", cause);
  }
}

/** The binary form. */
export function writeActionResult(result: ActionResult): Bytes {
  return new Uint8Array(toBinary(ActionResultSchema, result));
}

/** The JSON form of a binary ActionResult. */
export function actionResultJson(bytes: Uint8Array): string {
  return JSON.stringify(toJson(ActionResultSchema, readActionResult(bytes)));
}

/**
 * Checks a result and collects what it refers to.
 * @throws {CacheError} `invalid_argument` for an absolute or empty path, an empty symlink target,
 * a missing or malformed digest
 */
export function referencesOf(result: ActionResult): References {
  const blobs = new BlobSet();
  const trees: TreeReference[] = [];
  for (const file of result.outputFiles) {
    checkPath(file.path);
    blobs.add(needed(file.digest, `file "${short(file.path)}"`));
  }
  for (const directory of result.outputDirectories) {
    // An output directory may be the working directory itself, whose path is empty.
    if (directory.path !== "") checkPath(directory.path);
    const name = `directory "${short(directory.path)}"`;
    const root = optional(directory.rootDirectoryDigest, name);
    const tree = optional(directory.treeDigest, name);
    const ref = tree ?? root;
    if (!ref) throw invalid(`${name} has no digest`);
    for (const one of [tree, root]) if (one) blobs.add(one);
    trees.push({ form: tree ? "tree" : "directory", digest: ref.digest });
  }
  const symlinks = [
    result.outputSymlinks,
    result.outputFileSymlinks,
    result.outputDirectorySymlinks,
  ].flat();
  for (const { path, target } of symlinks) {
    checkPath(path);
    if (target === "") throw invalid(`symlink "${short(path)}" has no target`);
  }
  for (const output of [result.stdoutDigest, result.stderrDigest]) {
    const ref = optional(output, "an output stream");
    if (ref) blobs.add(ref);
  }
  return { blobs, trees };
}

/**
 * What a Tree or Directory blob names: files go into `blobs`, further directories come back.
 * @throws {CacheError} `invalid_argument` if it does not parse or has malformed digests
 */
export function expandTree(
  bytes: Uint8Array,
  form: TreeReference["form"],
  blobs: BlobSet,
): TreeReference[] {
  const further: TreeReference[] = [];
  for (const directory of directoriesOf(bytes, form)) {
    for (const file of directory.files) {
      blobs.add(needed(file.digest, `file "${short(file.name)}" of a tree`));
    }
    if (form === "tree") continue;
    for (const child of directory.directories) {
      const ref = needed(child.digest, `directory "${short(child.name)}" of a tree`);
      if (blobs.add(ref)) further.push({ form: "directory", digest: ref.digest });
    }
  }
  return further;
}

function directoriesOf(bytes: Uint8Array, form: TreeReference["form"]): Directory[] {
  try {
    if (form === "directory") return [fromBinary(DirectorySchema, bytes)];
    const tree = fromBinary(TreeSchema, bytes);
    return tree.root ? [tree.root, ...tree.children] : tree.children;
  } catch (cause) {
    throw invalid(`a blob it names is no ${form}`, cause);
  }
}

/** Blobs by digest, each once. */
export class BlobSet {
  readonly #sizes = new Map<Digest, number>();

  /** Adds a blob; tells whether it was new. The empty blob never is. */
  add({ digest, size }: BlobRef): boolean {
    const known = this.#sizes.get(digest);
    if (known !== undefined && known !== size) throw invalid(`two sizes for ${digest}`);
    if (known !== undefined || digest === EMPTY_DIGEST) return false;
    if (this.#sizes.size >= MAX_ENTRY_BLOBS) throw invalid(`more than ${MAX_ENTRY_BLOBS} blobs`);
    this.#sizes.set(digest, size);
    return true;
  }
  /** In the order in which they came. */
  list(): BlobRef[] {
    return Array.from(this.#sizes, ([digest, size]) => ({ digest, size }));
  }
}

const HEX = /^[0-9a-f]{64}$/;

function needed(wire: WireDigest | undefined, what: string): BlobRef {
  const ref = optional(wire, what);
  if (!ref) throw invalid(`${what} has no digest`);
  return ref;
}

function optional(wire: WireDigest | undefined, what: string): BlobRef | undefined {
  // Some clients send an empty message where they mean none.
  if (!wire || (wire.hash === "" && wire.sizeBytes === 0n)) return undefined;
  const size = Number(wire.sizeBytes);
  if (!HEX.test(wire.hash) || !Number.isSafeInteger(size) || size < 0) {
    throw invalid(`${what} has a malformed digest`);
  }
  const digest = `sha256-${wire.hash}` as Digest;
  if ((digest === EMPTY_DIGEST) !== (size === 0)) throw invalid(`${what} has a wrong size`);
  return { digest, size };
}

function checkPath(path: string): void {
  if (path === "" || path.startsWith("/")) {
    throw invalid(`output path "${short(path)}", want a relative one`);
  }
}

function short(text: string): string {
  return text.slice(0, 100);
}

/** Some writers of JSON spell a Timestamp as the message it is, not as a string. */
function timestampReviver(_key: string, value: unknown): unknown {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return value;
  const { seconds, nanos = 0, ...rest } = value as Record<string, unknown>;
  if (seconds === undefined || Object.keys(rest).length > 0) return value;
  const ms = Number(seconds) * 1000 + Math.floor(Number(nanos) / 1e6);
  return Math.abs(ms) <= 253_402_300_799_999 ? new Date(ms).toISOString() : value;
}

function invalid(state: string, cause?: unknown): CacheError {
  return new CacheError("invalid_argument", `Cannot store the action result: ${state}`, {
    operation: "bazel.action_result",
    cause,
  });
}
