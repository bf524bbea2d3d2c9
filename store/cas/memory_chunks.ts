/** Records, visibility and writer in memory: the strict reference of what stands on packs. */
import type {
  ChunkSource,
  CommitBatch,
  CommitResult,
  HeldRecords,
  WantedBody,
  WriterPort,
} from "../../core/chunk_store.ts";
import { throwIfAborted } from "../../core/abort.ts";
import type { SignalOptions } from "../../core/bytes.ts";
import { concat } from "../../core/bytes.ts";
import { bodyOr } from "../wanted_body.ts";
import type { Bytes, Digest } from "../../core/digest.ts";
import { toHex } from "../../core/digest.ts";
import type { BlobRef } from "../../core/entry.ts";
import { CacheError } from "../../core/errors.ts";
import type { Visibility } from "../../core/metadata_index.ts";
import type { DataKind, DataRecord } from "../../core/record.ts";

interface Held {
  readonly body: Bytes;
  /** Whether a commit made it real. */
  committed: boolean;
  /** Open uploads that need it. */
  readonly pins: Set<string>;
}

/**
 * All of a store but its entries, in memory. As strict as the strictest writer: memory of bodies
 * is really taken away, an upload that ended can not go on. A commit that names an entry is refused.
 */
export class MemoryChunkStore implements ChunkSource, WriterPort, Visibility {
  readonly #records = new Map<string, Held>();
  readonly #visible = new Map<string, Map<Digest, number>>();
  readonly #open = new Set<string>();
  readonly #ended = new Set<string>();
  #losses = 0;
  /** Bytes that `append` has taken and whose call has not resolved; and the most there ever were. */
  outstanding = 0;
  mostOutstanding = 0;

  has(kind: DataKind, ids: readonly Bytes[]): boolean[] {
    return ids.map((id) => this.#records.get(nameOf(kind, id))?.committed ?? false);
  }
  read(kind: DataKind, id: Bytes, options: SignalOptions = {}): Bytes | undefined {
    throwIfAborted(options.signal);
    const held = this.#records.get(nameOf(kind, id));
    return held?.committed ? held.body.slice() : undefined;
  }
  hold(kind: DataKind, wanted: readonly WantedBody[]): HeldRecords {
    const bodyOf = (one: WantedBody) => bodyOr(one, this.read(kind, one.id), kind);
    wanted.forEach(bodyOf);
    return {
      // What is lost meanwhile is lost here, as damage is everywhere.
      join(from, to, { signal } = {}) {
        throwIfAborted(signal);
        return concat(wanted.slice(from, to).map(bodyOf));
      },
      [Symbol.dispose]() {},
    };
  }
  losses(): number {
    return this.#losses;
  }

  async append(upload: string, records: readonly DataRecord[]): Promise<void> {
    this.#requireOpen(upload);
    this.#open.add(upload);
    const taken = records.map(take);
    const bytes = taken.reduce((sum, record) => sum + record.body.length, 0);
    this.outstanding += bytes;
    this.mostOutstanding = Math.max(this.mostOutstanding, this.outstanding);
    await Promise.resolve();
    this.outstanding -= bytes;
    this.#requireOpen(upload);
    for (const record of taken) this.#hold(record).pins.add(upload);
  }
  async commit(batch: CommitBatch): Promise<CommitResult> {
    const { upload } = batch;
    if (batch.entry || batch.remove) {
      if (upload !== undefined) await this.abort(upload);
      throw new CacheError("unsupported", "Cannot commit entries: there is no index here");
    }
    if (upload !== undefined) this.#requireOpen(upload);
    for (const record of batch.records ?? []) this.#hold(take(record)).committed = true;
    for (const held of this.#records.values()) {
      if (upload !== undefined && held.pins.delete(upload)) held.committed = true;
    }
    if (upload !== undefined) this.#end(upload);
    for (const { namespace, blob } of batch.link ?? []) {
      this.#seen(namespace).set(blob.digest, blob.size);
    }
    for (const { namespace, digest } of batch.unlink ?? []) this.#seen(namespace).delete(digest);
    return { put: undefined, removed: 0 };
  }
  abort(upload: string): Promise<void> {
    for (const [name, held] of this.#records) {
      if (held.pins.delete(upload) && !held.committed && held.pins.size === 0) {
        this.#records.delete(name);
      }
    }
    this.#end(upload);
    return Promise.resolve();
  }
  touch(_kind: DataKind, _ids: readonly Bytes[]): void {}

  numberOf(): undefined {}
  find(namespace: string, digests: readonly Digest[]): (number | undefined)[] {
    return digests.map((digest) => this.#seen(namespace).get(digest));
  }
  list(namespace: string, after: Digest | undefined, limit: number): BlobRef[] {
    return [...this.#seen(namespace)].map(([digest, size]) => ({ digest, size }))
      .filter(({ digest }) => after === undefined || digest > after)
      .sort((a, b) => a.digest < b.digest ? -1 : 1)
      .slice(0, limit);
  }

  /** Loses a record, as eviction and damage do. */
  lose(kind: DataKind, id: Bytes): void {
    if (this.#records.delete(nameOf(kind, id))) this.#losses++;
  }
  /** Kind and id (hex) of every record, committed or not. */
  names(): string[] {
    return [...this.#records.keys()].sort();
  }
  /** Uploads that nobody ended, and records that no commit made real. */
  leftovers(): string[] {
    const loose = [...this.#records].filter(([, held]) => !held.committed || held.pins.size > 0);
    return [...[...this.#open].map((upload) => `upload ${upload}`), ...loose.map(([name]) => name)];
  }
  /** Bytes of all records. */
  get size(): number {
    return [...this.#records.values()].reduce((sum, held) => sum + held.body.length, 0);
  }
  [Symbol.asyncDispose](): Promise<void> {
    this.#records.clear();
    this.#visible.clear();
    return Promise.resolve();
  }

  #requireOpen(upload: string): void {
    if (!this.#ended.has(upload)) return;
    throw new CacheError("internal", `Cannot write to upload "${upload}": it has ended`);
  }
  #end(upload: string): void {
    this.#open.delete(upload);
    this.#ended.add(upload);
  }
  #hold({ kind, id, body }: DataRecord): Held {
    const name = nameOf(kind, id);
    let held = this.#records.get(name);
    if (!held) this.#records.set(name, held = { body, committed: false, pins: new Set() });
    return held;
  }
  #seen(namespace: string): Map<Digest, number> {
    let seen = this.#visible.get(namespace);
    if (!seen) this.#visible.set(namespace, seen = new Map());
    return seen;
  }
}

/** The record with its memory moved, as to another thread: whoever still uses it sees nothing. */
function take(record: DataRecord): DataRecord {
  const { body } = record;
  if (body.byteLength !== body.buffer.byteLength) return { ...record, body: body.slice() };
  return { ...record, body: new Uint8Array(body.buffer.transfer()) };
}

function nameOf(kind: DataKind, id: Bytes): string {
  return `${kind} ${toHex(id)}`;
}
