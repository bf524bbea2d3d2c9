/**
 * A transport over a transport that nobody else can read or change: messages of up to 2 MiB in lanes,
 * cut into fragments, each sealed as one frame. Any failure, on either way, ends the connection.
 *
 * An empty message confirms: the client sends one behind the handshake, and until something of his
 * could be opened, the server takes him for a replay of somebody's first message. It is never handed on.
 */
import { onAbort, throwIfAborted } from "../core/abort.ts";
import type { Clock } from "../core/clock.ts";
import type { Bytes } from "../core/digest.ts";
import type { CacheError } from "../core/errors.ts";
import { toCacheError } from "../core/errors.ts";
import {
  FRAMES_AHEAD,
  HANDSHAKE_MS,
  LANES,
  MAX_MESSAGE_BYTES,
  MAX_UNREAD_BYTES,
  UNCONFIRMED_BYTES,
} from "../core/sync_limits.ts";
import type { SendOptions, Transport } from "../core/transport.ts";
import { Inbox, Outbox } from "./fragments.ts";
import type { OutgoingMessage } from "./fragments.ts";
import type { RekeyOptions } from "./noise/channel.ts";
import { NoiseReceiver, NoiseSender } from "./noise/channel.ts";
import type { HandshakeResult } from "./noise/handshake_state.ts";
import { checkFrame, connectionEnded, connectionLost, handshakeLate } from "./transport_errors.ts";
import { withinTime } from "./within_time.ts";

/** Settings of {@linkcode SecureTransport}. */
export interface SecureOptions {
  readonly clock: Clock;
  /** Default as in `RekeyOptions`; both sides must have the same. */
  readonly rekey?: RekeyOptions;
  /**
   * Whether the other side has yet to show that it holds the keys: until then little of it may lie
   * unread, and its first frame has 5 s from the first read on. Default no.
   */
  readonly awaitConfirmation?: boolean;
}

type Opened = IteratorResult<Bytes, undefined>;

/** See above. It owns the transport below, and `send`'s frames are whole messages. */
export class SecureTransport implements Transport {
  readonly maxFrameBytes = MAX_MESSAGE_BYTES;
  /** 32 bytes that name this session, the same on both sides. No secret. */
  readonly handshakeHash: Bytes;
  readonly frames: AsyncIterable<Bytes>;
  readonly #inner: Transport;
  readonly #frames: AsyncIterator<Bytes>;
  readonly #sender: NoiseSender;
  readonly #receiver: NoiseReceiver;
  readonly #outbox = new Outbox();
  readonly #inbox = new Inbox();
  readonly #clock: Clock;
  /** Frames that are being received and opened, for who reads next. */
  readonly #ahead: Promise<Opened>[] = [];
  #confirmed: boolean;
  #sending: Promise<void> | undefined;
  #ended: CacheError | undefined;

  constructor(inner: Transport, keys: HandshakeResult, options: SecureOptions) {
    const { clock, rekey = {}, awaitConfirmation = false } = options;
    this.handshakeHash = keys.handshakeHash;
    this.#inner = inner;
    this.#frames = inner.frames[Symbol.asyncIterator]();
    this.#sender = new NoiseSender(keys.sendKey, { clock, ...rekey });
    this.#receiver = new NoiseReceiver(keys.receiveKey, rekey);
    this.#clock = clock;
    this.#confirmed = !awaitConfirmation;
    this.frames = { [Symbol.asyncIterator]: () => ({ next: () => this.#next() }) };
  }

  /** Begins to receive before anybody reads, so that what ends the handshake is opened at once. */
  listen(): void {
    if (this.#ahead.length === 0) this.#ahead.push(this.#openNext());
  }

  allowUnread(bytes: number): void {
    this.#inner.allowUnread(bytes);
  }

  async send(message: Bytes, { signal, lane = 0 }: SendOptions = {}): Promise<void> {
    checkFrame(message, this.maxFrameBytes);
    if (!Number.isInteger(lane) || lane < 0 || lane >= LANES) {
      throw new RangeError(`Cannot send in lane ${lane}: want 0 to ${LANES - 1}`);
    }
    throwIfAborted(signal);
    await this.#post(message, lane, signal);
  }

  /** Tells the other side that this one has the keys. Not awaited: it is the first thing it sends. */
  async confirm(): Promise<void> {
    await this.#post(new Uint8Array(0), 0);
  }

  async close(why: string | CacheError): Promise<void> {
    this.#end(typeof why === "string" ? connectionEnded(why) : why);
    await this.#inner.close(why);
    // What was being sealed or opened is over when nothing of the connection is left.
    await Promise.allSettled([this.#sending, ...this.#ahead]);
  }
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close("done");
  }

  async #post(bytes: Bytes, lane: number, signal?: AbortSignal): Promise<void> {
    if (this.#ended) throw this.#ended;
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const message: OutgoingMessage = { bytes, sent: resolve, failed: reject };
    this.#outbox.add(lane, message);
    using _listener = onAbort(signal, () => {
      if (this.#outbox.withdraw(lane, message)) reject(signal!.reason);
    });
    this.#sending ??= this.#sendAll();
    await promise;
  }

  /** Sends until nothing waits; what fails is told to whoever waits, and ends the connection. */
  async #sendAll(): Promise<void> {
    const sealed: { frame: Promise<Bytes>; last: OutgoingMessage | undefined }[] = [];
    try {
      while (true) {
        while (sealed.length < FRAMES_AHEAD) {
          const fragment = this.#outbox.next();
          if (!fragment) break;
          const frames = this.#sender.seal(fragment.bytes);
          const last = frames.length - 1;
          for (const [index, frame] of frames.entries()) {
            sealed.push({ frame, last: index === last ? fragment.last : undefined });
          }
        }
        const first = sealed[0];
        if (!first) {
          // In the same turn as the look at the outbox, or a message could be left lying.
          this.#sending = undefined;
          return;
        }
        await this.#inner.send(await first.frame);
        sealed.shift();
        first.last?.sent();
      }
    } catch (thrown) {
      const error = this.#ended ?? toCacheError(thrown, "session.send");
      this.#end(error);
      for (const { last } of sealed) last?.failed(error);
      await Promise.allSettled([this.#inner.close(error), ...sealed.map(({ frame }) => frame)]);
    }
  }

  async #next(): Promise<Opened> {
    try {
      while (true) {
        while (this.#ahead.length < FRAMES_AHEAD) this.#ahead.push(this.#openNext());
        const { done, value } = await this.#inTime(this.#ahead.shift()!);
        if (done) return this.#over();
        // A frame with nothing in it renewed the key.
        const message = value.length === 0 ? undefined : this.#inbox.take(value);
        if (message && message.length > 0) return { done: false, value: message };
      }
    } catch (thrown) {
      const error = toCacheError(thrown, "session.receive");
      await this.close(error);
      throw error;
    }
  }

  #openNext(): Promise<Opened> {
    // In the order of the calls: the frames below come in that order, and so they are opened.
    const opened = this.#frames.next().then(async ({ done, value }): Promise<Opened> => {
      if (done) return { done, value: undefined };
      // More may be on its way behind it, and not every transport can hold that back.
      if (!this.#confirmed) this.#inner.allowUnread(UNCONFIRMED_BYTES);
      return { done: false, value: await this.#receiver.open(value) };
    });
    // Whoever reads it hears of a failure; until then it must not end the process.
    opened.catch(() => {});
    return opened;
  }

  #over(): Opened {
    if (!this.#ended && this.#inbox.unfinished) {
      throw connectionLost("it ended in the middle of a message");
    }
    this.#end(connectionEnded("by the other side"));
    return { done: true, value: undefined };
  }
  async #inTime(first: Promise<Opened>): Promise<Opened> {
    if (this.#confirmed) return await first;
    const step = await withinTime(first, {
      clock: this.#clock,
      ms: HANDSHAKE_MS,
      late: handshakeLate,
    });
    this.#confirmed = true;
    this.#inner.allowUnread(MAX_UNREAD_BYTES);
    return step;
  }
  #end(error: CacheError): void {
    if (this.#ended) return;
    this.#ended = error;
    this.#outbox.fail(error);
  }
}
