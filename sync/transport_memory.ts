/** A transport within one process: two ends, each holding the other back. For tests. */
import { abortable, throwIfAborted } from "../core/abort.ts";
import type { Bytes } from "../core/digest.ts";
import type { CacheError } from "../core/errors.ts";
import { HANDSHAKE_BYTES, MAX_FRAME_BYTES } from "../core/sync_limits.ts";
import type { SendOptions, Transport } from "../core/transport.ts";
import { FrameQueue } from "./frame_queue.ts";
import { InLine } from "./in_line.ts";
import { checkFrame, connectionEnded, endedByPeer } from "./transport_errors.ts";

/** Two ends of one connection. */
export function memoryTransports(
  { maxFrameBytes = MAX_FRAME_BYTES }: { readonly maxFrameBytes?: number } = {},
): [Transport, Transport] {
  const [a, b] = [new MemoryTransport(maxFrameBytes), new MemoryTransport(maxFrameBytes)];
  a.peer = b;
  b.peer = a;
  return [a, b];
}

class MemoryTransport implements Transport {
  readonly maxFrameBytes: number;
  peer!: MemoryTransport;
  readonly #received = new FrameQueue(() => this.#room.resolve());
  readonly #line = new InLine();
  #room = Promise.withResolvers<void>();
  #allowed = HANDSHAKE_BYTES;
  #ended: CacheError | undefined;

  constructor(maxFrameBytes: number) {
    this.maxFrameBytes = maxFrameBytes;
  }
  get frames(): AsyncIterable<Bytes> {
    return this.#received;
  }
  allowUnread(bytes: number): void {
    this.#allowed = bytes;
    this.#room.resolve();
  }
  async send(frame: Bytes, { signal }: SendOptions = {}): Promise<void> {
    checkFrame(frame, this.maxFrameBytes);
    throwIfAborted(signal);
    await this.#line.run(async () => {
      while (!this.#ended && !this.peer.#hasRoom(frame)) {
        await abortable(this.peer.#nextRoom(), signal);
      }
      if (this.#ended) throw this.#ended;
      this.peer.#received.push(frame.slice());
    }, signal);
  }
  close(why: string | CacheError): Promise<void> {
    if (!this.#ended) {
      const failed = typeof why === "string" ? undefined : why;
      this.#end(failed ?? connectionEnded(why as string), failed);
      this.#received.clear();
      const told = failed && endedByPeer(failed.kind, "");
      this.peer.#end(told ?? connectionEnded(why as string), told);
    }
    return Promise.resolve();
  }
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close("done");
  }

  /** `forSenders` is what sends get from now on, `forReaders` what comes behind the last frame. */
  #end(forSenders: CacheError, forReaders: CacheError | undefined): void {
    if (this.#ended) return;
    this.#ended = forSenders;
    this.#received.end(forReaders);
    // Whoever waits for room on either side must see that the connection has ended.
    this.#room.resolve();
    this.peer.#room.resolve();
  }
  /** One frame always fits where nothing lies unread. */
  #hasRoom(frame: Bytes): boolean {
    const unread = this.#received.unreadBytes;
    return unread === 0 || unread + frame.length <= this.#allowed;
  }
  #nextRoom(): Promise<void> {
    this.#room = Promise.withResolvers();
    return this.#room.promise;
  }
}
