/** The writer as a serving thread sees it: a `WriterPort` over a `MessagePort`. */
import type { CommitBatch, CommitResult, WriterPort } from "../core/chunk_store.ts";
import type { Bytes } from "../core/digest.ts";
import { CacheError, fromPlainError, toCacheError } from "../core/errors.ts";
import type { EntryDraft, EntryId } from "../core/entry.ts";
import { PACKED_MESSAGE_BYTES } from "../core/limits.ts";
import type { DataKind, DataRecord } from "../core/record.ts";
import type { DamagedPlace } from "../store/pack/damage.ts";
import type { CommitAnswer, CommitCall } from "./packed_commits.ts";
import { buffersOf, packCommits, packedBytes, resultOf, wholeBuffer } from "./packed_commits.ts";
import type { PortAnswer, PortRequest } from "./port_messages.ts";
import { TouchBatch } from "./touch_batch.ts";

interface Waiting {
  resolve(result: unknown): void;
  reject(error: CacheError): void;
  /** What the writer's answer is completed with. */
  readonly draft?: EntryDraft | undefined;
}

const SEND = "writer.send";

type WithoutCall<T> = T extends { readonly call: number } ? Omit<T, "call"> : never;

/** Options of {@linkcode WriterClient}. */
export interface WriterClientOptions {
  /** Called when segments are about to go: descriptors on them have to be given up. */
  readonly onRetire?: (segments: readonly number[]) => void;
}

/**
 * Talks to the writer's thread. Bodies of records are transferred, not copied, except small ones of
 * small commits. These go together once a turn.
 */
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
  #gathered: CommitCall[] = [];
  #gatheredBytes = 0;
  #sending: ReturnType<typeof setImmediate> | undefined;

  constructor(port: MessagePort, options: WriterClientOptions = {}) {
    this.#port = port;
    port.onmessage = (event: MessageEvent<PortAnswer>) => {
      const answer = event.data;
      if (answer.type === "retire") return options.onRetire?.(answer.segments);
      if (answer.type === "committed") {
        for (const one of answer.answers) this.#answered(one);
        return;
      }
      const waiting = this.#take(answer.call);
      if (answer.type === "done") waiting?.resolve(answer.result);
      else waiting?.reject(fromPlainError(answer.error));
    };
  }

  async append(upload: string, records: readonly DataRecord[]): Promise<void> {
    const moved = records.map(ownBody);
    await this.#ask({ type: "append", upload, records: moved }, recordBuffers(moved));
  }

  async commit(batch: CommitBatch): Promise<CommitResult> {
    const bytes = packedBytes(batch);
    if (bytes !== undefined && !this.#closed) return await this.#gather(batch, bytes);
    const records = batch.records?.map(ownBody);
    const own = records ? { ...batch, records } : batch;
    return await this.#ask({ type: "commit", batch: own }, recordBuffers(records)) as CommitResult;
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

  /** Asks for a commit of open rows, which is not waited for; tells whether it could be asked. */
  commitRows(): boolean {
    this.#tell({ type: "commit_rows" });
    return !this.#closed;
  }

  /** Asks for rare work on the writer's thread; see `writer_server.ts` for the operations. */
  async call<T>(operation: string, argument: unknown): Promise<T> {
    return await this.#ask({ type: "call", operation, argument }) as T;
  }

  [Symbol.asyncDispose](): Promise<void> {
    if (!this.#closed) {
      this.#touches.flush();
      this.#closed = true;
      clearImmediate(this.#sending);
      this.#gathered = [];
      this.#port.close();
      for (const waiting of this.#waiting.values()) {
        waiting.reject(new CacheError("unavailable", "Cannot write: the server is stopping"));
      }
      this.#waiting.clear();
    }
    return Promise.resolve();
  }

  /**
   * Sends it with the others of this turn of the event loop. Not of one microtask: each request of
   * a client has its own, and there would never be two.
   */
  #gather(batch: CommitBatch, bytes: number): Promise<CommitResult> {
    const call = ++this.#calls;
    const { promise, resolve, reject } = Promise.withResolvers<CommitResult>();
    this.#waiting.set(call, {
      resolve: resolve as Waiting["resolve"],
      reject,
      draft: batch.entry,
    });
    if (this.#gatheredBytes + bytes > PACKED_MESSAGE_BYTES) this.#sendGathered();
    this.#gathered.push({ call, batch });
    this.#gatheredBytes += bytes;
    this.#sending ??= setImmediate(() => this.#sendGathered());
    return promise;
  }

  #sendGathered(): void {
    clearImmediate(this.#sending);
    this.#sending = undefined;
    const calls = this.#gathered;
    this.#gathered = [];
    this.#gatheredBytes = 0;
    if (calls.length > 0) this.#send(calls);
  }

  #send(calls: readonly CommitCall[]): void {
    try {
      const packed = packCommits(calls);
      this.#port.postMessage({ type: "commits", packed }, buffersOf(packed));
    } catch (thrown) {
      // None of them has left. One alone is the one that can not be sent.
      if (calls.length === 1) this.#take(calls[0]!.call)?.reject(toCacheError(thrown, SEND));
      else for (const call of calls) this.#send([call]);
    }
  }

  #answered(answer: CommitAnswer): void {
    const waiting = this.#take(answer.call);
    if ("error" in answer) waiting?.reject(fromPlainError(answer.error));
    else waiting?.resolve(resultOf(answer, waiting.draft));
  }

  #take(call: number): Waiting | undefined {
    const waiting = this.#waiting.get(call);
    this.#waiting.delete(call);
    return waiting;
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
      reject(toCacheError(thrown, SEND));
    }
    return promise;
  }
}

function ownBody(record: DataRecord): DataRecord {
  const body = wholeBuffer(record.body);
  return body === record.body ? record : { ...record, body };
}

function recordBuffers(records: readonly DataRecord[] | undefined): ArrayBuffer[] {
  if (!records) return [];
  return [...new Set(records.map((record) => record.body.buffer))];
}
