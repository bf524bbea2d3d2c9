/**
 * The small commits of one turn as one message: their small bodies lie in one buffer, larger ones
 * go along as they are, and what the writer answers is what the sender does not know. A message costs
 * more than the work on 1 KiB.
 */
import type { CommitBatch, CommitResult } from "../core/chunk_store.ts";
import type { Bytes } from "../core/digest.ts";
import type { Entry, EntryDraft } from "../core/entry.ts";
import type { PlainError } from "../core/errors.ts";
import { CacheError } from "../core/errors.ts";
import { PACKED_BODY_BYTES, PACKED_COMMIT_BYTES } from "../core/limits.ts";
import type { DataKind, DataRecord } from "../core/record.ts";

/** A record: its small body is named by its length, a larger one has memory of its own. */
type PackedRecord =
  & { readonly kind: DataKind }
  & ({ readonly bytes: number; readonly body?: undefined } | { readonly body: Bytes });

/** A commit without its small bodies. */
export interface PackedCommit {
  readonly call: number;
  readonly batch: Omit<CommitBatch, "records">;
  readonly records: readonly PackedRecord[];
}

/** Commits, and in `bytes` the id and the small body of each record, one after the other. */
export interface PackedCommits {
  readonly commits: readonly PackedCommit[];
  readonly bytes: Bytes;
}

/** A commit that waits to be sent. */
export interface CommitCall {
  readonly call: number;
  readonly batch: CommitBatch;
}

/** What became of one commit of a {@linkcode PackedCommits}. */
export type CommitAnswer =
  | { readonly call: number; readonly stored: Stored; readonly result: Rest }
  | { readonly call: number; readonly stored?: undefined; readonly result: CommitResult }
  | { readonly call: number; readonly error: PlainError };

/** What the index has added to a draft. */
type Stored = Pick<Entry, "stamp" | "sequence" | "used">;
interface Rest {
  readonly removed: number;
  readonly replaced: Entry | undefined;
}

const ID_BYTES = 32;

/** Bytes that a commit takes in a message; `undefined` for one that goes by itself. */
export function packedBytes({ upload, records = [] }: CommitBatch): number | undefined {
  if (upload !== undefined) return undefined;
  let bytes = 0;
  for (const { id, body } of records) {
    if (id.length !== ID_BYTES) return undefined;
    bytes += ID_BYTES + body.length;
  }
  return bytes <= PACKED_COMMIT_BYTES ? bytes : undefined;
}

/**
 * One message of these commits. Small bodies are copied and stay their owner's; the others are to be
 * transferred, see {@linkcode buffersOf}.
 */
export function packCommits(calls: readonly CommitCall[]): PackedCommits {
  const size = calls.reduce((sum, { batch }) => sum + copiedBytes(batch), 0);
  const bytes = new Uint8Array(size);
  let at = 0;
  const commits = calls.map(({ call, batch: { records = [], ...batch } }) => ({
    call,
    batch,
    records: records.map(({ kind, id, body }) => {
      bytes.set(id, at);
      at += ID_BYTES;
      if (!isCopied(body)) return { kind, body: wholeBuffer(body) };
      bytes.set(body, at);
      at += body.length;
      return { kind, bytes: body.length };
    }),
  }));
  return { commits, bytes };
}

/** What has to be transferred with a message. */
export function buffersOf({ commits, bytes }: PackedCommits): ArrayBuffer[] {
  const buffers = new Set([bytes.buffer]);
  for (const { records } of commits) {
    for (const { body } of records) if (body) buffers.add(body.buffer);
  }
  return [...buffers];
}

/** A body that is a view of a larger buffer is copied: a transfer would take the buffer away. */
export function wholeBuffer(body: Bytes): Bytes {
  return body.byteLength === body.buffer.byteLength ? body : body.slice();
}

function isCopied(body: Bytes): boolean {
  return body.length <= PACKED_BODY_BYTES;
}

function copiedBytes({ records = [] }: CommitBatch): number {
  let bytes = 0;
  for (const { body } of records) bytes += ID_BYTES + (isCopied(body) ? body.length : 0);
  return bytes;
}

/** The commits of a message; small bodies are views of its one buffer, ids are not: they live longer. */
export function unpackCommits({ commits, bytes }: PackedCommits): CommitCall[] {
  let at = 0;
  const cut = (length: number) => bytes.subarray(at, at += length);
  return commits.map(({ call, batch, records }) => {
    const plain: DataRecord[] = records.map((record) => ({
      kind: record.kind,
      id: cut(ID_BYTES).slice(),
      body: record.body ?? cut(record.bytes),
    }));
    return { call, batch: { ...batch, records: plain } };
  });
}

/** The answer to a commit, without what its sender knows. */
export function shortAnswer({ call, batch }: CommitCall, result: CommitResult): CommitAnswer {
  const { put, removed } = result;
  if (!put || !batch.entry) return { call, result };
  const { stamp, sequence, used } = put.entry;
  return { call, stored: { stamp, sequence, used }, result: { removed, replaced: put.replaced } };
}

/** The result that {@linkcode shortAnswer} was given, by whoever has the draft. */
export function resultOf(
  answer: Exclude<CommitAnswer, { readonly error: PlainError }>,
  draft: EntryDraft | undefined,
): CommitResult {
  if (answer.stored === undefined) return answer.result;
  if (!draft) {
    throw new CacheError("internal", "Cannot read the writer's answer: no draft was sent");
  }
  const { mutability: _, ...facts } = draft;
  const { removed, replaced } = answer.result;
  return { put: { entry: { ...facts, ...answer.stored }, replaced }, removed };
}
