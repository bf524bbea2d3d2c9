/** Interface 5: frames between two peers. */
import type { SignalOptions } from "./bytes.ts";
import type { Bytes } from "./digest.ts";
import type { CacheError } from "./errors.ts";

/** Options of one frame. */
export interface SendOptions extends SignalOptions {
  /**
   * 0 to `LANES` - 1, default 0. Where a transport cuts frames into pieces, what is in a lower lane
   * goes first; else all go in the order of the calls.
   */
  readonly lane?: number;
}

/** A two-way connection of binary frames. Frames of one lane arrive whole and in order, or not at all. */
export interface Transport extends AsyncDisposable {
  /** Bytes of the largest frame, either way. */
  readonly maxFrameBytes: number;
  /**
   * Frames as they come, for one reader, who owns them and may stop and go on. Ends when either side
   * closed in order; throws a `CacheError` when the connection failed, behind all that came before.
   */
  readonly frames: AsyncIterable<Bytes>;
  /**
   * Sends a frame of at least one byte; waits while there is no room. The bytes must not be changed
   * any more. Aborting takes back a frame that was not begun; one that was is sent to its end.
   * @throws {CacheError} `too_large`; `unavailable` or why the connection failed when it has ended
   */
  send(frame: Bytes, options?: SendOptions): Promise<void>;
  /**
   * How many bytes of frames may lie here unread, `HANDSHAKE_BYTES` at first. Where the sender can be
   * held back, he is; where not, more than that ends the connection with `too_large`.
   */
  allowUnread(bytes: number): void;
  /**
   * Ends the connection, with an error as a failure whose kind the other side is told. Resolves when
   * nothing of it is left. Safe to call twice: the first reason counts.
   */
  close(why: string | CacheError): Promise<void>;
}
