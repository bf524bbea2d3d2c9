/**
 * A transport over one WebSocket: every frame is one binary message. An empty message is a heartbeat,
 * which either side sends when it has been silent for long, and nothing answers; text is refused.
 *
 * A WebSocket of this runtime can not hold the sender back, and tells nobody when it has room again:
 * a peer that sends more than may lie unread is cut off, and a sender looks again after some
 * milliseconds.
 */
import { anySignal, throwIfAborted } from "../core/abort.ts";
import type { Clock } from "../core/clock.ts";
import type { Bytes } from "../core/digest.ts";
import { CacheError } from "../core/errors.ts";
import {
  CLOSE_MS,
  HANDSHAKE_BYTES,
  HEARTBEAT_MS,
  MAX_BUFFERED_BYTES,
  MAX_FRAME_BYTES,
  PEER_SILENT_MS,
  ROOM_POLL_MAX_MS,
  ROOM_POLL_MS,
} from "../core/sync_limits.ts";
import type { SendOptions, Transport } from "../core/transport.ts";
import { FrameQueue } from "./frame_queue.ts";
import { InLine } from "./in_line.ts";
import {
  checkFrame,
  cleanReason,
  closeCode,
  CLOSED_IN_ORDER,
  closeError,
  connectionEnded,
  connectionLost,
} from "./transport_errors.ts";

/** What of a WebSocket is used: a test brings its own. */
export type SocketLike = Pick<
  WebSocket,
  | "binaryType"
  | "bufferedAmount"
  | "close"
  | "onclose"
  | "onerror"
  | "onmessage"
  | "onopen"
  | "readyState"
  | "send"
>;

/** Settings of a WebSocket's transport. */
export interface WebSocketTransportOptions {
  readonly clock: Clock;
}

const HEARTBEAT = new Uint8Array(0);
const CONNECTING = 0;
const OPEN = 1;

/** The transport over a socket that is open or about to be; it takes all its events. */
export function webSocketTransport(
  socket: SocketLike,
  { clock }: WebSocketTransportOptions,
): WebSocketTransport {
  const transport = new WebSocketTransport(socket, clock);
  transport.begin();
  return transport;
}

/** See {@linkcode webSocketTransport}. */
export class WebSocketTransport implements Transport {
  readonly maxFrameBytes = MAX_FRAME_BYTES;
  readonly #socket: SocketLike;
  readonly #clock: Clock;
  readonly #received = new FrameQueue();
  readonly #line = new InLine();
  readonly #opened = Promise.withResolvers<void>();
  readonly #closed = Promise.withResolvers<void>();
  /** Aborted when the connection ends; what waits for time then stops. */
  readonly #gone = new AbortController();
  #allowed = HANDSHAKE_BYTES;
  #heardAt: number;
  #spokeAt: number;
  /** What sends get, once the connection has ended. */
  #ended: CacheError | undefined;
  #broke: string | undefined;
  #closing: Promise<void> | undefined;

  /** Does nothing yet; {@linkcode webSocketTransport} makes one that works. */
  constructor(socket: SocketLike, clock: Clock) {
    this.#socket = socket;
    this.#clock = clock;
    this.#heardAt = this.#spokeAt = clock.monotonic();
  }

  /** Takes the events of the socket. To be called once. */
  begin(): void {
    const socket = this.#socket;
    socket.binaryType = "arraybuffer";
    if (socket.readyState === CONNECTING) socket.onopen = () => this.#opened.resolve();
    else this.#opened.resolve();
    socket.onmessage = ({ data }) => this.#receive(data);
    socket.onerror = (event) => {
      this.#broke = (event as ErrorEvent).message;
    };
    socket.onclose = ({ code, reason }) => this.#closedByPeer(code, reason);
    // Ends with the connection; its failures are those of the connection.
    void this.#beat();
  }

  /** Resolves when the socket is open. @throws {CacheError} why it never will be */
  async opened(): Promise<void> {
    await this.#opened.promise;
    if (this.#ended) throw this.#ended;
  }
  get frames(): AsyncIterable<Bytes> {
    return this.#received;
  }
  allowUnread(bytes: number): void {
    this.#allowed = bytes;
  }

  async send(frame: Bytes, { signal }: SendOptions = {}): Promise<void> {
    checkFrame(frame, this.maxFrameBytes);
    throwIfAborted(signal);
    if (this.#line.length === 0 && this.#hasRoom(frame)) return this.#write(frame);
    await this.#line.run(async () => {
      await this.#opened.promise;
      let pause = ROOM_POLL_MS;
      while (!this.#ended && !this.#hasRoom(frame)) {
        await this.#clock.sleep(pause, anySignal(signal, this.#gone.signal));
        pause = Math.min(2 * pause, ROOM_POLL_MAX_MS);
      }
      this.#write(frame);
    }, signal);
  }

  close(why: string | CacheError): Promise<void> {
    this.#closing ??= this.#close(why);
    return this.#closing;
  }
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close("done");
  }

  async #close(why: string | CacheError): Promise<void> {
    if (this.#ended) return;
    const failed = typeof why === "string" ? undefined : why;
    this.#end(failed ?? connectionEnded(why as string), failed);
    this.#received.clear();
    // Strangers are told the kind of a failure and no more.
    const reason = failed?.kind ?? cleanReason(why as string);
    this.#socket.close(failed ? closeCode(failed.kind) : CLOSED_IN_ORDER, reason);
    // A side that hangs does not answer; the runtime keeps the socket until the kernel gives it up.
    const enough = new AbortController();
    const late = this.#clock.sleep(CLOSE_MS, enough.signal).catch(() => {});
    await Promise.race([this.#closed.promise, late]);
    enough.abort();
  }

  #hasRoom(frame: Bytes): boolean {
    return this.#socket.readyState === OPEN &&
      this.#socket.bufferedAmount + frame.length <= MAX_BUFFERED_BYTES;
  }
  #write(frame: Bytes): void {
    if (this.#ended) throw this.#ended;
    this.#socket.send(frame);
    this.#spokeAt = this.#clock.monotonic();
  }

  #receive(data: unknown): void {
    if (this.#ended) return;
    this.#heardAt = this.#clock.monotonic();
    if (!(data instanceof ArrayBuffer)) return this.#refuse("unsupported", "it is text");
    if (data.byteLength === 0) return;
    if (data.byteLength > this.maxFrameBytes) {
      return this.#refuse("too_large", `it has ${data.byteLength} bytes`);
    }
    this.#received.push(new Uint8Array(data));
    const unread = this.#received.unreadBytes;
    if (unread <= this.#allowed) return;
    this.#refuse("too_large", `${unread} bytes lie unread, want at most ${this.#allowed}`);
  }
  #refuse(kind: "unsupported" | "too_large", why: string): void {
    const error = new CacheError(kind, `Cannot take a frame: ${why}`, {
      operation: "transport.receive",
    });
    // Nobody waits for this close; it can not fail, and whoever reads gets the error.
    void this.close(error);
  }

  #closedByPeer(code: number, reason: string): void {
    const error = this.#broke === undefined
      ? closeError(code, reason)
      : connectionLost(cleanReason(this.#broke));
    this.#end(error ?? connectionEnded(reason), error);
    this.#opened.resolve();
    this.#closed.resolve();
  }
  /** `forSenders` is what sends get from now on, `forReaders` what comes behind the last frame. */
  #end(forSenders: CacheError, forReaders: CacheError | undefined): void {
    if (this.#ended) return;
    this.#ended = forSenders;
    this.#opened.resolve();
    this.#received.end(forReaders);
    this.#gone.abort(forSenders);
  }

  async #beat(): Promise<void> {
    try {
      while (true) {
        await this.#clock.sleep(HEARTBEAT_MS, this.#gone.signal);
        const now = this.#clock.monotonic();
        if (now - this.#heardAt >= PEER_SILENT_MS) return this.#giveUp(now - this.#heardAt);
        if (now - this.#spokeAt >= HEARTBEAT_MS && this.#hasRoom(HEARTBEAT)) this.#write(HEARTBEAT);
      }
    } catch (thrown) {
      if (!this.#ended) void this.close(connectionLost("no heartbeat can be sent", thrown));
    }
  }
  #giveUp(ms: number): void {
    void this.close(
      new CacheError("timeout", `Cannot go on: the other side has been silent for ${ms} ms`, {
        operation: "transport.receive",
      }),
    );
  }
}
