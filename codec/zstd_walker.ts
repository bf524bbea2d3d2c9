/** Follows the frames of a zstd stream that comes in pieces, without decoding them. */
import type { Bytes } from "../core/digest.ts";
import { parseBlockHeader, parseFrameHeader } from "./zstd_frame.ts";
import type { FrameHeader } from "./zstd_frame.ts";

/** A data frame begins, goes on, ends. Skippable frames are left out. */
export type WalkStep =
  | { readonly type: "start"; readonly header: FrameHeader & { readonly type: "data" } }
  | { readonly type: "data"; readonly bytes: Bytes }
  | { readonly type: "end" };

/** `bytes` left of a block and its header, of a checksum, or of a skippable frame. */
type State =
  | { readonly at: "border" }
  | { readonly at: "block"; readonly checksum: boolean }
  | { readonly at: "body"; readonly last: boolean; readonly checksum: boolean }
  | { readonly at: "checksum" }
  | { readonly at: "skip" };

const BLOCK_HEADER_BYTES = 3;

/** What is wrong with a stream of frames; translated before it leaves this module's neighbours. */
export class ZstdDamage extends Error {
  override readonly name = "ZstdDamage";
}

/** One walk over a stream. Throws {@linkcode ZstdDamage} where no frame can be. */
export class FrameWalker {
  #state: State = { at: "border" };
  /** Bytes of a header that is not whole yet. */
  #held: Bytes = new Uint8Array(0);
  #left = 0;
  #frames = 0;

  /** Data frames that ended. */
  get frames(): number {
    return this.#frames;
  }
  /** Whether the stream may end here. */
  get atBorder(): boolean {
    return this.#state.at === "border" && this.#held.length === 0;
  }
  /** The steps that these bytes make. Take them all before the next push. */
  *push(piece: Bytes): Generator<WalkStep, void, void> {
    let bytes = piece;
    if (this.#held.length > 0) {
      bytes = new Uint8Array(this.#held.length + piece.length);
      bytes.set(this.#held);
      bytes.set(piece, this.#held.length);
      this.#held = new Uint8Array(0);
    }
    let from = 0;
    let at = 0;
    // `from` to `at` belongs to the current data frame and was not handed out yet.
    while (at < bytes.length) {
      const state = this.#state;
      switch (state.at) {
        case "border": {
          const header = parseFrameHeader(bytes, at);
          if (header === "invalid") throw new ZstdDamage("no zstd frame begins here");
          if (header === "more") return this.#hold(bytes, at);
          from = at;
          at += header.headerBytes;
          if (header.type === "data") {
            yield { type: "start", header };
            this.#state = { at: "block", checksum: header.checksum };
          } else {
            this.#left = header.contentBytes;
            this.#state = { at: this.#left > 0 ? "skip" : "border" };
          }
          break;
        }
        case "block": {
          if (bytes.length - at < BLOCK_HEADER_BYTES) {
            if (at > from) yield { type: "data", bytes: bytes.subarray(from, at) };
            return this.#hold(bytes, at);
          }
          const block = parseBlockHeader(bytes[at]!, bytes[at + 1]!, bytes[at + 2]!);
          if (!block.valid) throw new ZstdDamage("a block header is damaged");
          this.#left = block.storedBytes;
          at += BLOCK_HEADER_BYTES;
          this.#state = { at: "body", last: block.last, checksum: state.checksum };
          break;
        }
        case "body":
        case "checksum":
        case "skip":
          at += this.#take(bytes.length - at);
          break;
        default:
          state satisfies never;
      }
      if (this.#left > 0) continue;
      const ended = this.#finishPart();
      if (!ended) continue;
      yield { type: "data", bytes: bytes.subarray(from, at) };
      this.#frames++;
      yield { type: "end" };
      from = at;
    }
    const inFrame = this.#state.at !== "border" && this.#state.at !== "skip";
    if (inFrame && at > from) yield { type: "data", bytes: bytes.subarray(from, at) };
  }
  /** Goes on when a part has no bytes left; tells whether the frame ended with it. */
  #finishPart(): boolean {
    const state = this.#state;
    if (state.at === "skip") this.#state = { at: "border" };
    if (state.at === "body") {
      if (!state.last) {
        this.#state = { at: "block", checksum: state.checksum };
      } else if (state.checksum) {
        this.#state = { at: "checksum" };
        this.#left = 4;
      } else {
        this.#state = { at: "border" };
        return true;
      }
    }
    if (state.at !== "checksum") return false;
    this.#state = { at: "border" };
    return true;
  }
  #take(available: number): number {
    const taken = Math.min(available, this.#left);
    this.#left -= taken;
    return taken;
  }
  #hold(bytes: Bytes, at: number): void {
    this.#held = bytes.slice(at);
  }
}
