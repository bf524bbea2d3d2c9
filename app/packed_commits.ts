/**
 * The small commits of one turn as one message: their bodies lie in one buffer, and what the writer
 * answers is what the sender does not know. A message costs more than the work on 1 KiB.
 */
import type { CommitBatch, CommitResult } from "../core/chunk_store.ts";
import type { Bytes } from "../core/digest.ts";
import type { Entry, EntryDraft } from "../core/entry.ts";
import type { PlainError } from "../core/errors.ts";
import { CacheError } from "../core/errors.ts";
import { PACKED_COMMIT_BYTES } from "../core/limits.ts";
import type { DataKind, DataRecord } from "../core/record.ts";

/** A commit without its bodies, each of which is named by its length. */
export interface PackedCommit {
  readonly call: number;
  readonly batch: Omit<CommitBatch, "records">;
  readonly records: readonly { readonly kind: DataKind; readonly bytes: number }[];
}

/** Commits, and in `bytes` the id and the body of each record, one after the other. */
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

/** One message of these commits. Bodies are copied: they stay their owner's. */
export function packCommits(calls: readonly CommitCall[]): PackedCommits {
  const size = calls.reduce((sum, { batch }) => sum + (packedBytes(batch) ?? 0), 0);
  const bytes = new Uint8Array(size);
  let at = 0;
  const commits = calls.map(({ call, batch: { records = [], ...batch } }) => ({
    call,
    batch,
    records: records.map(({ kind, id, body }) => {
      bytes.set(id, at);
      bytes.set(body, at + ID_BYTES);
      at += ID_BYTES + body.length;
      return { kind, bytes: body.length };
    }),
  }));
  return { commits, bytes };
}

/** The commits of a message; bodies are views of its one buffer, ids are not: they live longer. */
export function unpackCommits({ commits, bytes }: PackedCommits): CommitCall[] {
  let at = 0;
  const cut = (length: number) => bytes.subarray(at, at += length);
  return commits.map(({ call, batch, records }) => {
    const plain: DataRecord[] = records.map(({ kind, bytes: length }) => ({
      kind,
      id: cut(ID_BYTES).slice(),
      body: cut(length),
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
