/** Interface 5: frames between two peers. */
import type { SignalOptions } from "./bytes.ts";
import type { Bytes } from "./digest.ts";

/** A two-way connection of binary frames, each at most 65,535 bytes. */
export interface Transport extends AsyncDisposable {
  /** Frames as they come; ends when the other side closed. */
  readonly frames: AsyncIterable<Bytes>;
  /** Sends a frame; waits while the send buffer is full. */
  send(frame: Bytes, options?: SignalOptions): Promise<void>;
  /** Ends the connection and says why. Safe to call twice. */
  close(reason: string): Promise<void>;
}
