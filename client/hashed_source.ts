/** Hashes a source while it is sent, to compare with what the server says it stored. */
import { createHash } from "node:crypto";
import type { ByteSource, ByteStream, SignalOptions } from "../core/bytes.ts";
import type { BlobRef } from "../core/entry.ts";
import { digestFromBytes, digestOf } from "../core/digest.ts";
import type { Bytes } from "../core/digest.ts";

/** A source, and what was read from it the last time it was read to its end. */
export interface HashedSource extends ByteSource {
  /** `undefined` until then. */
  readonly seen: BlobRef | undefined;
}

/** `source`, hashed while it is read. */
export function hashedSource(source: ByteSource): HashedSource {
  const { bytes } = source;
  const open = (options?: SignalOptions) => source.open(options);
  if (bytes) {
    const seen = { digest: digestOf(bytes), size: bytes.length };
    return { size: bytes.length, replayable: true, bytes, open, seen };
  }
  let seen: BlobRef | undefined;
  return {
    size: source.size,
    replayable: source.replayable,
    open: (options) => hashed(source, options, (found) => seen = found),
    get seen() {
      return seen;
    },
  };
}

function hashed(
  source: ByteSource,
  options: SignalOptions | undefined,
  onEnd: (found: BlobRef) => void,
): ByteStream {
  const reader = source.open(options).getReader();
  const hash = createHash("sha256");
  let size = 0;
  return new ReadableStream<Bytes>({
    async pull(controller) {
      const { done, value } = await reader.read();
      if (done) {
        onEnd({ digest: digestFromBytes(hash.digest()), size });
        return controller.close();
      }
      size += value.length;
      hash.update(value);
      controller.enqueue(value);
    },
    cancel: (reason) => reader.cancel(reason),
  }, { highWaterMark: 0 });
}
