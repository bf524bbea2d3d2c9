/**
 * A run in the cache: an entry of the protocol `exec`, never replaced.
 *
 * With outputs its content is `tree` and its blobs are the manifest, standard output, standard
 * error, and the files of the tree; without outputs its content is `opaque` and its blobs are
 * standard output and standard error. So a command that prints nothing is one question.
 */
import type { ByteSource, SignalOptions } from "../../core/bytes.ts";
import { bodyBytes, bytesSource, streamOf } from "../../core/bytes.ts";
import type { Cache } from "../../core/cache.ts";
import type { Bytes } from "../../core/digest.ts";
import { EMPTY_DIGEST } from "../../core/digest.ts";
import type { BlobRef, Entry, EntryDraft } from "../../core/entry.ts";
import { CacheError, isKind } from "../../core/errors.ts";
import { MAX_EXEC_PRINTED_BYTES } from "../../core/build_limits.ts";
import { SMALL_BODY_BYTES } from "../../core/limits.ts";

/** Protocol of the entries of `exec`. */
export const EXEC_PROTOCOL = "exec";

/** What a program printed. */
export interface PrintedBytes {
  readonly stdout: Bytes;
  readonly stderr: Bytes;
}

/** Facts of a run that is stored. */
export interface RunRecord {
  readonly namespace: string;
  readonly key: string;
  readonly inputs: Readonly<Record<string, string>>;
  /** Milliseconds that it took. */
  readonly cost: number;
  readonly created: number;
}

const EMPTY: BlobRef = { digest: EMPTY_DIGEST, size: 0 };

/** The entry of a run, if somebody stored it. */
export function findRun(
  cache: Cache,
  { namespace, key }: Pick<RunRecord, "namespace" | "key">,
  options: SignalOptions,
): Promise<Entry | undefined> {
  return cache.find({ namespace, scopes: ["main"], protocol: EXEC_PROTOCOL, key }, options);
}

/** Bytes that showing and restoring this run carries. */
export function bytesOfRun({ blobs }: Entry): number {
  return blobs.reduce((sum, blob) => sum + blob.size, 0);
}

/**
 * What the run printed; `undefined` when it was lost meanwhile.
 * @throws {CacheError} `corrupt` for an entry that is none of a run
 */
export async function printedOf(
  cache: Cache,
  entry: Entry,
  options: SignalOptions,
): Promise<PrintedBytes | undefined> {
  const at = entry.content === "tree" ? 1 : 0;
  const [out, err] = [entry.blobs[at], entry.blobs[at + 1]];
  if (!out || !err || out.size + err.size > MAX_EXEC_PRINTED_BYTES) {
    throw new CacheError("corrupt", `Cannot use the entry "${entry.key}": it is none of a run`, {
      operation: "exec.load",
    });
  }
  const load = async (blob: BlobRef) => {
    if (blob.size === 0) return new Uint8Array(0);
    const body = await cache.blobs(entry.namespace).get(blob.digest, options);
    return body && await bodyBytes(body, blob.size);
  };
  const [stdout, stderr] = await Promise.all([load(out), load(err)]);
  return stdout && stderr && { stdout, stderr };
}

/**
 * Stores a run without outputs; `false` when somebody else has stored one meanwhile, which stays.
 */
export async function storeRun(
  cache: Cache,
  record: RunRecord,
  printed: PrintedBytes,
  options: SignalOptions,
): Promise<boolean> {
  const blobs = await storePrinted(cache, record.namespace, printed, options);
  try {
    await cache.link({ ...draftOf(record), content: "opaque", blobs }, options);
    return true;
  } catch (thrown) {
    if (isKind(thrown, "conflict")) return false;
    throw thrown;
  }
}

/** Puts both streams into the namespace, an empty one without a request. */
export async function storePrinted(
  cache: Cache,
  namespace: string,
  { stdout, stderr }: PrintedBytes,
  options: SignalOptions,
): Promise<BlobRef[]> {
  const store = async (bytes: Bytes) =>
    bytes.length === 0
      ? EMPTY
      : await cache.blobs(namespace).put(undefined, sourceOf(bytes), options);
  return await Promise.all([store(stdout), store(stderr)]);
}

/** What is large goes as a stream, as everywhere. */
function sourceOf(bytes: Bytes): ByteSource {
  if (bytes.length <= SMALL_BODY_BYTES) return bytesSource(bytes);
  return { size: bytes.length, replayable: true, open: () => streamOf(bytes) };
}

/** The draft of a run's entry, still without blobs. */
export function draftOf(record: RunRecord): EntryDraft {
  return {
    ...record,
    scope: "main",
    protocol: EXEC_PROTOCOL,
    content: "tree",
    blobs: [],
    tags: [],
    writer: "local",
    headers: {},
    mutability: "immutable",
  };
}
