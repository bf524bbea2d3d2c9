/** Bodies that hold something open: a descriptor, a slot, a place in a map. */
import { onAbort } from "../core/abort.ts";
import type { ByteStream, LentParts, ObjectBody, SignalOptions } from "../core/bytes.ts";
import type { Bytes } from "../core/digest.ts";

/** Where a {@linkcode pullBody} reads. */
export interface BodyReader {
  /** The next bytes, `undefined` at the end. Not called again before it answered. */
  read(): Promise<Bytes | undefined> | Bytes | undefined;
  /** Called exactly once: at the end, at an error, when cancelled or aborted. Must not throw. */
  close(): void;
  /**
   * Told before the first `read` that each part is needed until the next one only, see
   * `ObjectBody.lend`. A reader without it has nothing to gain.
   */
  lend?(): void;
}

/** Options of {@linkcode pullBody}. */
export interface PullBodyOptions extends SignalOptions {
  /** Bytes of this body. */
  readonly size: number;
  /** Bytes of the whole object. */
  readonly total: number;
}

/**
 * A body that asks `reader` only when somebody reads, and closes it when nobody will any more.
 * Aborting the signal breaks the stream with the signal's reason, opened or not.
 */
export function pullBody(reader: BodyReader, options: PullBodyOptions): ObjectBody {
  let state: "fresh" | "opened" | "given up" = "fresh";
  let closed = false;
  let controller: ReadableStreamDefaultController<Bytes> | undefined;
  const close = () => {
    if (closed) return;
    closed = true;
    listener[Symbol.dispose]();
    reader.close();
  };
  const listener: Disposable = onAbort(options.signal, () => {
    // Runs inside `onAbort` if the signal is aborted already: `listener` is not set then.
    if (closed) return;
    closed = true;
    controller?.error(options.signal?.reason);
    reader.close();
  });
  const pull = async (to: ReadableStreamDefaultController<Bytes>) => {
    let chunk: Bytes | undefined;
    try {
      chunk = await reader.read();
    } catch (error) {
      if (!closed) to.error(error);
      return close();
    }
    if (closed) return;
    if (chunk !== undefined) return to.enqueue(chunk);
    close();
    to.close();
  };
  const take = () => {
    if (state !== "fresh") throw new TypeError(`Cannot open the body: it was ${state} before`);
    state = "opened";
  };
  const lend = (): LentParts => {
    take();
    reader.lend?.();
    return {
      async read() {
        if (closed) throw options.signal?.reason ?? new TypeError("Cannot read: it is closed");
        let part: Bytes | undefined;
        try {
          part = await reader.read();
        } catch (error) {
          close();
          throw error;
        }
        if (options.signal?.aborted) throw options.signal.reason;
        if (part === undefined) close();
        return part;
      },
      close,
    };
  };
  const open = (): ByteStream =>
    new ReadableStream<Bytes>({
      start(to) {
        controller = to;
        if (closed) to.error(options.signal?.reason);
      },
      pull,
      cancel: close,
    }, { highWaterMark: 0 });
  return {
    size: options.size,
    total: options.total,
    stream() {
      take();
      return open();
    },
    ...(reader.lend ? { lend } : {}),
    cancel() {
      if (state === "fresh") {
        state = "given up";
        close();
      }
      return Promise.resolve();
    },
  };
}
