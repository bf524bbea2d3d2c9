/** The writer as a serving thread sees it: a `WriterPort` over a `MessagePort`. */
import type { CommitBatch, CommitResult, WriterPort } from "../core/chunk_store.ts";
import type { Bytes } from "../core/digest.ts";
import { CacheError, fromPlainError, toCacheError } from "../core/errors.ts";
import type { EntryId } from "../core/entry.ts";
import type { DataKind, DataRecord } from "../core/record.ts";
import type { DamagedPlace } from "../store/pack/damage.ts";
import type { PortAnswer, PortRequest } from "./port_messages.ts";
import { TouchBatch } from "./touch_batch.ts";

interface Waiting {
  resolve(result: unknown): void;
  reject(error: CacheError): void;
}

type WithoutCall<T> = T extends { readonly call: number } ? Omit<T, "call"> : never;

/** Options of {@linkcode WriterClient}. */
export interface WriterClientOptions {
  /** Called when segments are about to go: descriptors on them have to be given up. */
  readonly onRetire?: (segments: readonly number[]) => void;
}

/** Talks to the writer's thread. Bodies of records are transferred, not copied. */
export class WriterClient implements WriterPort {
  readonly #port: MessagePort;
  readonly #waiting = new Map<number, Waiting>();
  readonly #touches = new TouchBatch<DataKind | "entry">((kind, ids) => {
    if (kind === "entry") this.#tell({ type: "touch_entries", ids, at: this.#touchedAt });
    else this.#tell({ type: "touch", kind, ids });
  });
  #touchedAt = 0;
  #calls = 0;
  #closed = false;

  constructor(port: MessagePort, options: WriterClientOptions = {}) {
    this.#port = port;
    port.onmessage = (event: MessageEvent<PortAnswer>) => {
      const answer = event.data;
      if (answer.type === "retire") return options.onRetire?.(answer.segments);
      const waiting = this.#waiting.get(answer.call);
      this.#waiting.delete(answer.call);
      if (answer.type === "done") waiting?.resolve(answer.result);
      else waiting?.reject(fromPlainError(answer.error));
    };
  }

  async append(upload: string, records: readonly DataRecord[]): Promise<void> {
    const moved = records.map(ownBody);
    await this.#ask({ type: "append", upload, records: moved }, buffersOf(moved));
  }

  async commit(batch: CommitBatch): Promise<CommitResult> {
    const records = batch.records?.map(ownBody);
    const own = records ? { ...batch, records } : batch;
    return await this.#ask({ type: "commit", batch: own }, buffersOf(records)) as CommitResult;
  }

  async abort(upload: string): Promise<void> {
    await this.#ask({ type: "abort", upload });
  }

  touch(kind: DataKind, ids: readonly Bytes[]): void {
    if (!this.#closed) this.#touches.add(kind, ids);
  }

  /** Notes uses of entries; buffered. */
  touchEntries(ids: readonly EntryId[], at: number): void {
    if (this.#closed) return;
    this.#touchedAt = at;
    this.#touches.add("entry", ids);
  }

  /** Reports a record that failed its check. */
  damaged(place: DamagedPlace): void {
    this.#tell({ type: "damage", place });
  }

  /** Asks for rare work on the writer's thread; see `writer_server.ts` for the operations. */
  async call<T>(operation: string, argument: unknown): Promise<T> {
    return await this.#ask({ type: "call", operation, argument }) as T;
  }

  [Symbol.asyncDispose](): Promise<void> {
    if (!this.#closed) {
      this.#touches.flush();
      this.#closed = true;
      this.#port.close();
      for (const waiting of this.#waiting.values()) {
        waiting.reject(new CacheError("unavailable", "Cannot write: the server is stopping"));
      }
      this.#waiting.clear();
    }
    return Promise.resolve();
  }

  #tell(request: PortRequest): void {
    if (!this.#closed) this.#port.postMessage(request);
  }

  #ask(request: WithoutCall<PortRequest>, transfer: ArrayBuffer[] = []): Promise<unknown> {
    if (this.#closed) {
      return Promise.reject(new CacheError("unavailable", "Cannot write: the server is stopping"));
    }
    const call = ++this.#calls;
    const { promise, resolve, reject } = Promise.withResolvers<unknown>();
    this.#waiting.set(call, { resolve, reject });
    try {
      this.#port.postMessage({ ...request, call }, transfer);
    } catch (thrown) {
      // It never left, so nobody will answer.
      this.#waiting.delete(call);
      reject(toCacheError(thrown, "writer.send"));
    }
    return promise;
  }
}

/** A body that is a view of a larger buffer is copied: a transfer would take the buffer away. */
function ownBody(record: DataRecord): DataRecord {
  const { body } = record;
  return body.byteLength === body.buffer.byteLength ? record : { ...record, body: body.slice() };
}

function buffersOf(records: readonly DataRecord[] | undefined): ArrayBuffer[] {
  if (!records) return [];
  return [...new Set(records.map((record) => record.body.buffer))];
}
