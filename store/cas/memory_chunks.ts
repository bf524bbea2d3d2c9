/** Records, visibility and writer in memory: the strict reference of what stands on packs. */
import type { ChunkSource, CommitBatch, CommitResult, WriterPort } from "../../core/chunk_store.ts";
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

/** All of a store but its entries, in memory. A commit that names an entry is refused. */
export class MemoryChunkStore implements ChunkSource, WriterPort, Visibility {
  readonly #records = new Map<string, Held>();
  readonly #visible = new Map<string, Map<Digest, number>>();
  #losses = 0;
  /** Bytes that `append` has taken and whose call has not resolved; and the most there ever were. */
  outstanding = 0;
  mostOutstanding = 0;

  has(kind: DataKind, ids: readonly Bytes[]): boolean[] {
    return ids.map((id) => this.#records.get(nameOf(kind, id))?.committed ?? false);
  }
  read(kind: DataKind, id: Bytes): Bytes | undefined {
    const held = this.#records.get(nameOf(kind, id));
    return held?.committed ? held.body : undefined;
  }
  async *readAll(kind: DataKind, ids: readonly Bytes[]): AsyncIterable<Bytes> {
    for (const id of ids) {
      const body = this.read(kind, id);
      if (!body) throw new CacheError("corrupt", `Cannot read ${kind} ${toHex(id)}: not here`);
      yield await Promise.resolve(body);
    }
  }
  losses(): number {
    return this.#losses;
  }

  async append(upload: string, records: readonly DataRecord[]): Promise<void> {
    const bytes = records.reduce((sum, record) => sum + record.body.length, 0);
    this.outstanding += bytes;
    this.mostOutstanding = Math.max(this.mostOutstanding, this.outstanding);
    await Promise.resolve();
    for (const record of records) this.#hold(record).pins.add(upload);
    this.outstanding -= bytes;
  }
  commit(batch: CommitBatch): Promise<CommitResult> {
    if (batch.entry || batch.remove) {
      return Promise.reject(
        new CacheError("unsupported", "Cannot commit entries: there is no index here"),
      );
    }
    for (const record of batch.records ?? []) this.#hold(record).committed = true;
    for (const held of this.#records.values()) {
      if (batch.upload !== undefined && held.pins.delete(batch.upload)) held.committed = true;
    }
    for (const { namespace, blob } of batch.link ?? []) {
      this.#seen(namespace).set(blob.digest, blob.size);
    }
    for (const { namespace, digest } of batch.unlink ?? []) this.#seen(namespace).delete(digest);
    return Promise.resolve({ put: undefined, removed: 0 });
  }
  abort(upload: string): Promise<void> {
    for (const [name, held] of this.#records) {
      if (held.pins.delete(upload) && !held.committed && held.pins.size === 0) {
        this.#records.delete(name);
      }
    }
    return Promise.resolve();
  }
  touch(): void {}

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
  /** Bytes of all records. */
  get size(): number {
    return [...this.#records.values()].reduce((sum, held) => sum + held.body.length, 0);
  }
  [Symbol.asyncDispose](): Promise<void> {
    this.#records.clear();
    this.#visible.clear();
    return Promise.resolve();
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

function nameOf(kind: DataKind, id: Bytes): string {
  return `${kind} ${toHex(id)}`;
}
