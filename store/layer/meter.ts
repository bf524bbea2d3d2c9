/**
 * Meter: tells a sink about every call: how long, how many bytes, how it ended.
 *
 * Stands outermost, so that it sees what the caller sees: a call that was tried three times is one
 * call with one duration, and one that waited for a slot was slow.
 */
import type { ByteSource } from "../../core/bytes.ts";
import type { Clock } from "../../core/clock.ts";
import { toCacheError } from "../../core/errors.ts";
import type { ErrorKind } from "../../core/errors.ts";
import type { ListOptions, ObjectInfo, ObjectStore } from "../../core/object_store.ts";
import { forwardStore, objectLayer } from "./layer.ts";
import type { ObjectLayer } from "./layer.ts";
import { watchBody } from "./watch_body.ts";
import type { BodyEnd } from "./watch_body.ts";

/** One finished call. */
export interface MeterEvent {
  readonly store: string;
  readonly operation: "get" | "put" | "stat" | "delete" | "list";
  /** `cancelled`: the caller gave up, by its signal or by leaving the stream; not an error. */
  readonly outcome: "ok" | "miss" | "cancelled" | "error";
  /** Set for the outcome `error`. */
  readonly kind: ErrorKind | undefined;
  /** Bytes that went through: of the body for `get`, of the source for `put`, else 0. */
  readonly bytes: number;
  /** Keys asked for, or listed. */
  readonly keys: number;
  /** Milliseconds from the call to the end of its stream. */
  readonly ms: number;
}

/** Options of {@linkcode meterLayer}. */
export interface MeterOptions {
  readonly clock: Clock;
  /** Called once a call, when all of it is over. Must not throw. */
  readonly sink: (event: MeterEvent) => void;
}

/** A layer that counts calls, bytes, errors and time. */
export function meterLayer(options: MeterOptions): ObjectLayer {
  return objectLayer("meter", (inner) => meterStore(inner, options));
}

function meterStore(inner: ObjectStore, { clock, sink }: MeterOptions): ObjectStore {
  const begin = (operation: MeterEvent["operation"], signal?: AbortSignal) => {
    const start = clock.monotonic();
    return {
      keys: 1,
      bytes: 0,
      end(outcome: MeterEvent["outcome"], kind?: ErrorKind) {
        const { keys, bytes } = this;
        const ms = clock.monotonic() - start;
        sink({ store: inner.name, operation, outcome, kind, bytes, keys, ms });
      },
      fail(error: unknown) {
        const { kind } = toCacheError(error, operation);
        const gaveUp = signal?.aborted || kind === "cancelled";
        if (gaveUp) this.end("cancelled");
        else this.end("error", kind);
      },
      async during<T>(call: Promise<T>): Promise<T> {
        try {
          return await call;
        } catch (error) {
          this.fail(error);
          throw error;
        }
      },
    };
  };
  return forwardStore(inner, {
    async get(key, options) {
      const event = begin("get", options?.signal);
      const body = await event.during(inner.get(key, options));
      if (!body) {
        event.end("miss");
        return undefined;
      }
      event.bytes = body.bytes?.length ?? 0;
      return watchBody(body, {
        async read(next) {
          const chunk = await next();
          event.bytes += chunk?.length ?? 0;
          return chunk;
        },
        end(how: BodyEnd) {
          if (how.outcome === "failed") event.fail(how.error);
          else event.end(how.outcome === "read" ? "ok" : "cancelled");
        },
      });
    },
    async put(key: string, source: ByteSource, options) {
      const event = begin("put", options?.signal);
      const info = await event.during(inner.put(key, source, options));
      event.bytes = info.size;
      event.end("ok");
      return info;
    },
    async stat(keys, options) {
      const event = begin("stat", options?.signal);
      event.keys = keys.length;
      const infos = await event.during(inner.stat(keys, options));
      event.end("ok");
      return infos;
    },
    async delete(keys, options) {
      const event = begin("delete", options?.signal);
      event.keys = keys.length;
      await event.during(inner.delete(keys, options));
      event.end("ok");
    },
    async *list(options: ListOptions = {}): AsyncIterable<ObjectInfo> {
      const event = begin("list", options.signal);
      event.keys = 0;
      let whole = false;
      let failed = false;
      try {
        for await (const info of inner.list(options)) {
          event.keys++;
          yield info;
        }
        whole = true;
      } catch (error) {
        failed = true;
        event.fail(error);
        throw error;
      } finally {
        // A caller that has seen enough leaves its loop: the list did what it was asked for.
        if (whole || !failed) event.end("ok");
      }
    },
  });
}
