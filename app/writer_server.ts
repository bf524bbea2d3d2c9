/** The writer's side of a serving thread's `MessagePort`. */
import type { WriterPort } from "../core/chunk_store.ts";
import { toPlainError } from "../core/errors.ts";
import type { EntryId } from "../core/entry.ts";
import type { DamagedPlace } from "../store/pack/damage.ts";
import type { DataRecord } from "../core/record.ts";
import type { PortAnswer, PortRequest } from "./port_messages.ts";

/** What the writer's thread does for a serving thread. */
export interface WriterServices {
  readonly writer: WriterPort;
  touchEntries(ids: readonly EntryId[], at: number): void;
  damaged(place: DamagedPlace): void;
  /** Rare work, by name. */
  readonly operations: Readonly<Record<string, (argument: unknown) => Promise<unknown>>>;
}

/** Serves one thread until disposed; its open uploads are then aborted. */
export function serveWriter(port: MessagePort, services: WriterServices): ServedThread {
  const uploads = new Set<string>();
  const answer = (message: PortAnswer) => port.postMessage(message);

  async function work(request: Extract<PortRequest, { call: number }>): Promise<unknown> {
    switch (request.type) {
      case "append":
        uploads.add(request.upload);
        return await services.writer.append(request.upload, request.records)
          .finally(() => free(request.records));
      case "commit":
        if (request.batch.upload !== undefined) uploads.delete(request.batch.upload);
        return await services.writer.commit(request.batch)
          .finally(() => free(request.batch.records ?? []));
      case "abort":
        uploads.delete(request.upload);
        return await services.writer.abort(request.upload);
      case "call": {
        const operation = services.operations[request.operation];
        if (!operation) {
          throw new TypeError(`Cannot call "${request.operation}": no such operation`);
        }
        return await operation(request.argument);
      }
      default:
        throw new TypeError(`Cannot serve ${JSON.stringify(request satisfies never)}`);
    }
  }

  port.onmessage = (event: MessageEvent<PortRequest>) => {
    const request = event.data;
    if (request.type === "touch") return services.writer.touch(request.kind, request.ids);
    if (request.type === "touch_entries") return services.touchEntries(request.ids, request.at);
    if (request.type === "damage") return services.damaged(request.place);
    const { call } = request;
    work(request).then(
      (result) => answer({ type: "done", call, result }),
      (thrown) => answer({ type: "failed", call, error: toPlainError(thrown) }),
    );
  };
  return {
    retire: (segments) => answer({ type: "retire", segments: [...segments] }),
    async [Symbol.asyncDispose]() {
      port.close();
      for (const upload of uploads) await services.writer.abort(upload);
      uploads.clear();
    },
  };
}

/**
 * Gives the memory of written bodies back at once. They came by transfer, so nobody else has them,
 * and the collector of this thread would let hundreds of megabytes of them wait.
 */
function free(records: readonly DataRecord[]): void {
  for (const { body } of records) if (!body.buffer.detached) body.buffer.transfer(0);
}

/** A serving thread, as the writer knows it. */
export interface ServedThread extends AsyncDisposable {
  /** Tells the thread to give up its descriptors on these segments. */
  retire(segments: readonly number[]): void;
}
