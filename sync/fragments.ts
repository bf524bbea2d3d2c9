/**
 * Messages cut into fragments, each the inside of one sealed frame, so that what is urgent waits for
 * one fragment and not for a whole message.
 *
 * ```
 * fragment = head u8 ‖ bytes        head: lane in bits 0 to 2, bit 7 set: more of this message follows
 * ```
 *
 * Fragments of one lane follow each other; those of others may come in between.
 */
import { concat } from "../core/bytes.ts";
import type { Bytes } from "../core/digest.ts";
import { CacheError } from "../core/errors.ts";
import { LANES, MAX_MESSAGE_BYTES } from "../core/sync_limits.ts";
import { MAX_PLAIN_BYTES } from "./noise/channel.ts";

/** Bytes of a message that one fragment carries. */
export const FRAGMENT_BYTES = MAX_PLAIN_BYTES - 1;

/** Fragments that more follow have at least these bytes: crumbs would cost more memory than bytes. */
export const MIN_FRAGMENT_BYTES = 16 * 1024;

const MORE = 0x80;
const LANE_BITS = 0x07;

/** A message on its way out. */
export interface OutgoingMessage {
  readonly bytes: Bytes;
  /** Called when its last fragment was handed on, and when it never will be. */
  readonly sent: () => void;
  readonly failed: (error: CacheError) => void;
}

/** One fragment; `last` has the message that ends with it. */
export interface OutgoingFragment {
  readonly bytes: Bytes;
  readonly last: OutgoingMessage | undefined;
}

/** Messages that wait, cut up lane by lane. */
export class Outbox {
  readonly #lanes = Array.from({ length: LANES }, (): OutgoingMessage[] => []);
  /** How many bytes of the first message of each lane went out. */
  readonly #begun: number[] = this.#lanes.map(() => 0);

  /** Puts a message behind all others of its lane. */
  add(lane: number, message: OutgoingMessage): void {
    this.#lanes[lane]!.push(message);
  }

  /** Takes back a message of which nothing went out; whether that was so. */
  withdraw(lane: number, message: OutgoingMessage): boolean {
    const waiting = this.#lanes[lane]!;
    const at = waiting.indexOf(message);
    if (at < 0 || (at === 0 && this.#begun[lane]! > 0)) return false;
    waiting.splice(at, 1);
    return true;
  }

  /** The next fragment of the most urgent lane that has one. */
  next(): OutgoingFragment | undefined {
    const lane = this.#lanes.findIndex((waiting) => waiting.length > 0);
    if (lane < 0) return undefined;
    const message = this.#lanes[lane]![0]!;
    const start = this.#begun[lane]!;
    const end = Math.min(start + FRAGMENT_BYTES, message.bytes.length);
    const more = end < message.bytes.length;
    const bytes = new Uint8Array(1 + end - start);
    bytes[0] = lane | (more ? MORE : 0);
    bytes.set(message.bytes.subarray(start, end), 1);
    this.#begun[lane] = more ? end : 0;
    if (!more) this.#lanes[lane]!.shift();
    return { bytes, last: more ? undefined : message };
  }

  /** Gives up all of them. */
  fail(error: CacheError): void {
    for (const waiting of this.#lanes) {
      for (const message of waiting.splice(0)) message.failed(error);
    }
    this.#begun.fill(0);
  }
}

/** Puts the other side's fragments together. */
export class Inbox {
  readonly #lanes = Array.from({ length: LANES }, () => ({ parts: [] as Bytes[], size: 0 }));

  /** Whether a message has begun and not ended. */
  get unfinished(): boolean {
    return this.#lanes.some(({ parts }) => parts.length > 0);
  }

  /**
   * Takes a fragment; the message that it ends, which may use its memory.
   * @throws {CacheError} `invalid_argument` for a fragment that is none; `too_large`
   */
  take(fragment: Bytes): Bytes | undefined {
    const head = fragment[0];
    if (head === undefined || (head & ~(MORE | LANE_BITS)) !== 0) throw bad("unknown head");
    const lane = this.#lanes[head & LANE_BITS];
    if (!lane) throw bad(`lane ${head & LANE_BITS}, want 0 to ${LANES - 1}`);
    const bytes = fragment.subarray(1);
    const more = (head & MORE) !== 0;
    if (more && bytes.length < MIN_FRAGMENT_BYTES) throw bad(`a crumb of ${bytes.length} bytes`);
    lane.size += bytes.length;
    if (lane.size > MAX_MESSAGE_BYTES) {
      throw new CacheError(
        "too_large",
        `Cannot take a message of more than ${MAX_MESSAGE_BYTES} bytes`,
        { operation: "session.receive" },
      );
    }
    lane.parts.push(bytes);
    if (more) return undefined;
    const message = concat(lane.parts, lane.size);
    lane.parts = [];
    lane.size = 0;
    return message;
  }
}

function bad(what: string): CacheError {
  return new CacheError("invalid_argument", `Cannot take a fragment: ${what}`, {
    operation: "session.receive",
  });
}
