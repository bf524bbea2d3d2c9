/** Watching a body go by: what meter, limit, timeout and fault have in common. */
import type { ByteSource, ByteStream, ObjectBody } from "../../core/bytes.ts";
import type { Bytes } from "../../core/digest.ts";

/** How a body ended. */
export type BodyEnd =
  | { readonly outcome: "read" }
  | { readonly outcome: "cancelled" }
  | { readonly outcome: "failed"; readonly error: unknown };

/** What a watcher is told. */
export interface BodyWatch {
  /** Reads one chunk of the inner stream; may do something before and after, or replace it. */
  readonly read?: (
    next: () => Promise<Bytes | undefined>,
  ) => Promise<Bytes | undefined>;
  /** Called exactly once, for every body that is read, used, cancelled or broken. */
  readonly end?: (end: BodyEnd) => void;
}

/**
 * A body whose reading is watched. One that is already here (`bytes`) is handed on as it is, and
 * has ended at once.
 */
export function watchBody(body: ObjectBody, watch: BodyWatch): ObjectBody {
  if (body.bytes !== undefined) {
    watch.end?.({ outcome: "read" });
    return body;
  }
  let ended = false;
  const end = (how: BodyEnd) => {
    if (ended) return;
    ended = true;
    watch.end?.(how);
  };
  return {
    size: body.size,
    total: body.total,
    stream: () => watchStream(body.stream(), { ...watch, end }),
    async cancel() {
      end({ outcome: "cancelled" });
      await body.cancel();
    },
  };
}

/** A stream whose reading is watched; cancelling it cancels the inner one. */
export function watchStream(stream: ByteStream, watch: BodyWatch): ByteStream {
  const reader = stream.getReader();
  let done = false;
  const finish = (how: BodyEnd) => {
    if (done) return;
    done = true;
    watch.end?.(how);
  };
  const next = async () => {
    const item = await reader.read();
    return item.done ? undefined : item.value;
  };
  return new ReadableStream<Bytes>({
    async pull(controller) {
      try {
        const chunk = await (watch.read ? watch.read(next) : next());
        if (chunk !== undefined) return controller.enqueue(chunk);
        finish({ outcome: "read" });
        controller.close();
      } catch (error) {
        finish({ outcome: "failed", error });
        controller.error(error);
        // The watcher itself may have failed: the inner stream must not stay open then. If it was
        // the inner stream, cancel only says the same once more.
        await reader.cancel(error).catch(() => {});
      }
    },
    async cancel(reason) {
      finish({ outcome: "cancelled" });
      await reader.cancel(reason);
    },
  }, { highWaterMark: 0 });
}

/** A source whose stream is watched; `bytes` and `path` are handed on as they are. */
export function watchSource(source: ByteSource, watch: BodyWatch): ByteSource {
  return {
    size: source.size,
    replayable: source.replayable,
    ...(source.bytes === undefined ? {} : { bytes: source.bytes }),
    ...(source.path === undefined ? {} : { path: source.path }),
    open: (options) => watchStream(source.open(options), watch),
  };
}
