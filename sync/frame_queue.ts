/** Frames that came and were not read yet. */
import type { Bytes } from "../core/digest.ts";
import type { CacheError } from "../core/errors.ts";

type Step = IteratorResult<Bytes, undefined>;

/** A line of frames for one reader, who may stop and go on, and ask for several ahead. */
export class FrameQueue implements AsyncIterable<Bytes> {
  readonly #frames: Bytes[] = [];
  readonly #readers: { resolve(step: Step): void; reject(error: CacheError): void }[] = [];
  #unread = 0;
  #end: "open" | "ended" | CacheError = "open";
  readonly #onRead: () => void;

  /** `onRead` is called whenever there is more room. */
  constructor(onRead: () => void = () => {}) {
    this.#onRead = onRead;
  }

  /** Bytes of frames that nobody asked for yet. */
  get unreadBytes(): number {
    return this.#unread;
  }

  /** One more frame; dropped behind the end. */
  push(frame: Bytes): void {
    if (this.#end !== "open") return;
    const reader = this.#readers.shift();
    if (reader) return reader.resolve({ done: false, value: frame });
    this.#frames.push(frame);
    this.#unread += frame.length;
  }

  /** Nothing more comes; with an error, whoever reads gets it behind what has come. */
  end(error?: CacheError): void {
    if (this.#end !== "open") return;
    this.#end = error ?? "ended";
    for (const reader of this.#readers.splice(0)) {
      if (error) reader.reject(error);
      else reader.resolve({ done: true, value: undefined });
    }
  }

  /** Forgets what was not read. */
  clear(): void {
    this.#frames.length = 0;
    this.#unread = 0;
    this.#onRead();
  }

  /** The next frame. Breaking out of a loop over this ends nothing. */
  [Symbol.asyncIterator](): AsyncIterator<Bytes, undefined> {
    return { next: () => this.#next() };
  }

  #next(): Promise<Step> {
    const value = this.#frames.shift();
    if (value) {
      this.#unread -= value.length;
      this.#onRead();
      return Promise.resolve({ done: false, value });
    }
    if (this.#end === "ended") return Promise.resolve({ done: true, value: undefined });
    if (this.#end !== "open") return Promise.reject(this.#end);
    const { promise, resolve, reject } = Promise.withResolvers<Step>();
    this.#readers.push({ resolve, reject });
    return promise;
  }
}
