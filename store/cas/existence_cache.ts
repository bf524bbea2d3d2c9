/** Remembers which large blobs were seen whole, until anything at all is lost. */
import type { Digest } from "../../core/digest.ts";

/** Blobs that are remembered; the oldest goes first. About 100 bytes each. */
const MAX_REMEMBERED = 50_000;

/** Digests of whole blobs, good for one count of losses. */
export class ExistenceCache {
  readonly #losses: () => number;
  readonly #most: number;
  readonly #whole = new Set<Digest>();
  #at: number;

  /** `losses` grows whenever a record was lost. */
  constructor(losses: () => number, most = MAX_REMEMBERED) {
    this.#losses = losses;
    this.#most = most;
    this.#at = losses();
  }
  has(digest: Digest): boolean {
    this.#forgetIfOld();
    return this.#whole.has(digest);
  }
  /** Remembers a blob that was seen whole; `losses` as it was before the look. */
  add(digest: Digest, losses: number): void {
    this.#forgetIfOld();
    if (losses !== this.#at) return;
    if (this.#whole.size >= this.#most) {
      for (const oldest of this.#whole) {
        this.#whole.delete(oldest);
        break;
      }
    }
    this.#whole.add(digest);
  }
  get size(): number {
    return this.#whole.size;
  }
  #forgetIfOld(): void {
    const losses = this.#losses();
    if (losses === this.#at) return;
    this.#at = losses;
    this.#whole.clear();
  }
}
