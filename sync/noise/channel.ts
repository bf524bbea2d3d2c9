/**
 * The two ways of a session after its handshake. A frame is one Noise message, its number is the
 * count of frames before it on this way. A frame with nothing in it (16 bytes, its tag) says that
 * every later one of this way is sealed with the next key: the length alone tells it, so that frames
 * behind it can be opened before it is.
 */
import type { Clock } from "../../core/clock.ts";
import type { Bytes } from "../../core/digest.ts";
import { CacheError } from "../../core/errors.ts";
import { MAX_FRAME_BYTES, REKEY_MESSAGES, REKEY_MS } from "../../core/sync_limits.ts";
import { CipherState, TAG_BYTES } from "./cipher_state.ts";

/** Bytes that one frame can carry. */
export const MAX_PLAIN_BYTES = MAX_FRAME_BYTES - TAG_BYTES;

/** When a key is renewed. */
export interface RekeyOptions {
  /** Messages with one key at most. Default `REKEY_MESSAGES`; both sides must have the same. */
  readonly messages?: number;
  /** Milliseconds after which the next message gets a new key. Default `REKEY_MS`. */
  readonly ms?: number;
}

const NO_DATA = new Uint8Array(0);

/** The way out: seals what is sent. */
export class NoiseSender {
  readonly #cipher: CipherState;
  readonly #clock: Clock;
  readonly #limits: Required<RekeyOptions>;
  readonly #order = new InOrder();
  #messages = 0;
  #since: number;

  constructor(key: Bytes, { clock, ...rekey }: RekeyOptions & { readonly clock: Clock }) {
    this.#cipher = new CipherState(key);
    this.#clock = clock;
    this.#limits = { messages: REKEY_MESSAGES, ms: REKEY_MS, ...rekey };
    this.#since = clock.monotonic();
  }

  /**
   * The frames to send for this, one behind the other: one, or two where a new key is due. `plain`
   * has 1 to `MAX_PLAIN_BYTES` bytes and must not change before they are there. Many calls may be
   * under way; frames go out in the order of the calls.
   */
  seal(plain: Bytes): Promise<Bytes>[] {
    if (plain.length === 0 || plain.length > MAX_PLAIN_BYTES) {
      throw new RangeError(`Cannot seal ${plain.length} bytes: want 1 to ${MAX_PLAIN_BYTES}`);
    }
    const frames = this.#due() ? [this.#renew()] : [];
    this.#messages++;
    return [...frames, this.#order.after(this.#cipher.encrypt(NO_DATA, plain))];
  }

  #due(): boolean {
    return this.#messages >= this.#limits.messages ||
      this.#clock.monotonic() - this.#since >= this.#limits.ms;
  }
  #renew(): Promise<Bytes> {
    const frame = this.#order.after(this.#cipher.encrypt(NO_DATA, NO_DATA));
    this.#cipher.rekey();
    this.#messages = 0;
    this.#since = this.#clock.monotonic();
    return frame;
  }
}

/** The way in: opens what is received. */
export class NoiseReceiver {
  readonly #cipher: CipherState;
  readonly #limit: number;
  readonly #order = new InOrder();
  #messages = 0;

  constructor(key: Bytes, rekey: Pick<RekeyOptions, "messages"> = {}) {
    this.#cipher = new CipherState(key);
    this.#limit = rekey.messages ?? REKEY_MESSAGES;
  }

  /**
   * What is in the frame; nothing for one that renews the key. Frames are handed over in the order in
   * which they came, many may be under way, and results come in that order. After one that failed all
   * later ones fail too.
   * @throws {CacheError} `corrupt` for a frame that is damaged, forged, replayed or out of order, and
   * where the other side does not renew its key; `too_large`
   */
  open(frame: Bytes): Promise<Bytes> {
    return this.#order.after(this.#open(frame));
  }

  async #open(frame: Bytes): Promise<Bytes> {
    if (frame.length > MAX_FRAME_BYTES) {
      throw refused("too_large", `it has ${frame.length} bytes, want at most ${MAX_FRAME_BYTES}`);
    }
    const renews = frame.length === TAG_BYTES;
    if (!renews && ++this.#messages > this.#limit) {
      throw refused("corrupt", `${this.#limit} came with one key, want a new one`);
    }
    // Nothing is awaited before this line: numbers and keys go by the order of the calls.
    const opened = this.#cipher.decrypt(NO_DATA, frame);
    if (!renews) return await opened;
    this.#messages = 0;
    // The key too, even if the frame is refused: nothing goes on behind a result.
    const [plain] = await Promise.allSettled([opened, this.#cipher.rekey()]);
    if (plain.status === "rejected") throw plain.reason;
    return plain.value;
  }
}

/** Hands results out in the order in which they were asked for; a failure is that of all behind it. */
class InOrder {
  #last: Promise<unknown> = Promise.resolve();

  after<T>(work: Promise<T>): Promise<T> {
    // Also behind a failure the work is waited for: nothing of it goes on when its result is there.
    const result = Promise.allSettled([work, this.#last]).then(([own, before]) => {
      if (before.status === "rejected") throw before.reason;
      if (own.status === "rejected") throw own.reason;
      return own.value;
    });
    // Whoever asked hears of it; that nobody may be waiting yet must not end the process.
    result.catch(() => {});
    this.#last = result;
    return result;
  }
}

function refused(kind: "too_large" | "corrupt", why: string): CacheError {
  return new CacheError(kind, `Cannot open a frame: ${why}`, { operation: "noise.open" });
}
