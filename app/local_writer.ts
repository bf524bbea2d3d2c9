/** The writer itself as a `WriterPort`: packs and index in one durable step. */
import type { CommitBatch, CommitResult, WriterPort } from "../core/chunk_store.ts";
import type { Counters } from "../core/counters.ts";
import type { Bytes } from "../core/digest.ts";
import type { Entry, EntryDraft, EntryKey, RemoveKey } from "../core/entry.ts";
import { CacheError } from "../core/errors.ts";
import { nameOf } from "./found_entries.ts";
import type { PutOutcome } from "../core/metadata_index.ts";
import type { DataKind, DataRecord } from "../core/record.ts";

/** What is needed of the packs. */
export interface RecordWriter {
  append(upload: string, records: readonly DataRecord[]): Promise<void>;
  commitRecords(upload: string | undefined, records: readonly DataRecord[]): Promise<void>;
  abort(upload: string): Promise<void>;
  touch(kind: DataKind, ids: readonly Bytes[], at: number): void;
}

/** The index's share of a step. */
export interface IndexStep {
  readonly entries: readonly EntryDraft[];
  readonly remove: readonly RemoveKey[];
  readonly by: string | undefined;
  readonly link: NonNullable<CommitBatch["link"]>;
  readonly unlink: NonNullable<CommitBatch["unlink"]>;
}

/** What is needed of the index. */
export interface EntryWriter {
  get(key: EntryKey): Promise<Entry | undefined>;
  commit(
    step: IndexStep,
  ): Promise<{ readonly puts: readonly PutOutcome[]; readonly removed: number }>;
}

/** Options of {@linkcode createLocalWriter}. */
export interface LocalWriterOptions {
  readonly now: () => number;
  readonly counters?: Counters;
  /**
   * Lets a commit in before it is stored, or refuses it; the result is disposed when the index has
   * it; `undefined` where nothing is limited. Default: all are let in.
   */
  readonly admit?: ((batch: CommitBatch) => Promise<Disposable> | undefined) | undefined;
  /** Hears of entries that came and went, before it is acknowledged. */
  readonly changed?: ((step: IndexStep) => Promise<void> | undefined) | undefined;
}

/** Joins packs and index. Disposing it closes neither: their owner does. */
export function createLocalWriter(
  packs: RecordWriter,
  index: EntryWriter,
  options: LocalWriterOptions,
): WriterPort {
  return {
    append: (upload, records) => packs.append(upload, records),
    abort: (upload) => packs.abort(upload),
    touch: (kind, ids) => packs.touch(kind, ids, options.now()),
    async commit(batch: CommitBatch): Promise<CommitResult> {
      const { entry, upload, records } = batch;
      using stack = new DisposableStack();
      try {
        await refuseTaken(index, entry);
        const room = options.admit?.(batch);
        if (room) stack.use(await room);
      } catch (thrown) {
        if (upload !== undefined) await packs.abort(upload);
        throw thrown;
      }
      // Data first: an entry must never become durable before the bytes it names, or a full disk
      // would replace a good entry by one that is a miss.
      if (upload !== undefined || (records && records.length > 0)) {
        await packs.commitRecords(upload, records ?? []);
      }
      const step: IndexStep = {
        entries: entry ? [entry] : [],
        remove: batch.remove ?? [],
        by: batch.by,
        link: batch.link ?? [],
        unlink: batch.unlink ?? [],
      };
      if (isEmpty(step)) return { put: undefined, removed: 0 };
      const { puts, removed } = await index.commit(step);
      // Before the answer: what a thread has found earlier must be looked for again by then.
      if (options.counters) countChanges(options.counters, step);
      const change = options.changed?.(step);
      if (change) await change;
      return { put: puts[0], removed };
    },
    [Symbol.asyncDispose]: () => Promise.resolve(),
  };
}

/** Tells all threads what must be looked for again. */
export function countChanges(
  counters: Counters,
  { entries, remove, unlink }: Pick<IndexStep, "remove" | "unlink"> & Partial<IndexStep>,
): void {
  for (const entry of entries ?? []) counters.noteChange(nameOf(entry));
  for (const key of remove) counters.noteChange(nameOf(key));
  if (unlink.length > 0) counters.add("unlinks");
}

async function refuseTaken(index: EntryWriter, entry: EntryDraft | undefined): Promise<void> {
  if (entry?.mutability !== "immutable" || !await index.get(entry)) return;
  throw new CacheError("conflict", `Cannot put "${entry.key}": it is there already`, {
    operation: "writer.commit",
  });
}

function isEmpty(step: IndexStep): boolean {
  return step.entries.length + step.remove.length + step.link.length + step.unlink.length === 0;
}
