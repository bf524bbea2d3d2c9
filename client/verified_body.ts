/** Bodies from far away: nothing of a whole blob is believed before its digest was right. */
import { createHash } from "node:crypto";
import type { ByteStream, ObjectBody } from "../core/bytes.ts";
import { bytesBody, concat } from "../core/bytes.ts";
import type { Bytes, Digest } from "../core/digest.ts";
import { digestFromBytes } from "../core/digest.ts";
import { CacheError } from "../core/errors.ts";
import { SMALL_BODY_BYTES } from "../core/limits.ts";
import type { HttpReply } from "./reply.ts";

/** What a body must be. */
export interface Expected {
  /** Bytes of this body. */
  readonly size: number;
  /** Bytes of the whole blob. */
  readonly total: number;
  /** Of these bytes; `undefined` for a part of a blob, whose digest says nothing about it. */
  readonly digest: Digest | undefined;
}

/**
 * The body of a reply. Up to 1 MiB it is read and checked at once; above, the stream holds its
 * last bytes back until the digest was right, and breaks with `corrupt` if it is not.
 */
export async function verifiedBody(reply: HttpReply, expected: Expected): Promise<ObjectBody> {
  const stream = checkedStream(reply.stream(), expected);
  if (expected.size <= SMALL_BODY_BYTES) {
    const parts: Bytes[] = [];
    for await (const part of stream) parts.push(part);
    return bytesBody(concat(parts, expected.size), expected.total);
  }
  return {
    size: expected.size,
    total: expected.total,
    stream: () => stream,
    async cancel() {
      if (!stream.locked) await stream.cancel();
    },
  };
}

/** `stream`, breaking where it is not what it should be. */
function checkedStream(stream: ByteStream, { size, digest }: Expected): ByteStream {
  const reader = stream.getReader();
  const hash = digest === undefined ? undefined : createHash("sha256");
  let received = 0;
  async function refuse(state: string): Promise<never> {
    const what = digest === undefined ? "the range" : `blob ${digest}`;
    const error = new CacheError("corrupt", `Cannot read ${what}: ${state}`, {
      operation: "client.verify",
      hint: "the server, or something on the way to it, changed the bytes",
    });
    await reader.cancel(error);
    throw error;
  }
  return new ReadableStream<Bytes>({
    async pull(controller) {
      while (true) {
        const { done, value } = await reader.read();
        if (done) {
          // An empty body is checked here, as no bytes of it ever came.
          if (received < size) await refuse(`it ends after ${received} bytes, want ${size}`);
          if (size === 0 && !isRight()) await refuse("its bytes have another digest");
          return controller.close();
        }
        received += value.length;
        if (received > size) await refuse(`it has more than ${size} bytes`);
        hash?.update(value);
        if (received === size && !isRight()) await refuse("its bytes have another digest");
        if (value.length > 0) return controller.enqueue(value);
      }
    },
    cancel: (reason) => reader.cancel(reason),
  }, { highWaterMark: 0 });

  function isRight(): boolean {
    return !hash || digestFromBytes(hash.copy().digest()) === digest;
  }
}
