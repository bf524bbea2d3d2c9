/**
 * Ids that came one after the other, in one piece of memory: an upload of 20 GiB commits 300,000 chunks
 * in one transaction, which as arrays with a closure each took 130 MB.
 */
import { eachIn } from "../../core/id_pages.ts";
import type { Bytes } from "../../core/digest.ts";

const ID_BYTES = 32;
const FIRST_IDS = 8;

/** Grows; is never emptied. */
export class IdRun {
  #ids: Bytes = new Uint8Array(FIRST_IDS * ID_BYTES);
  #used = 0;

  /** Copies the id. */
  add(id: Uint8Array): void {
    if (this.#used === this.#ids.length) {
      const larger = new Uint8Array(this.#ids.length * 2);
      larger.set(this.#ids);
      this.#ids.buffer.transfer(0);
      this.#ids = larger;
    }
    this.#ids.set(id, this.#used);
    this.#used += ID_BYTES;
  }
  /** Hands out all of them in their order, as views. */
  each(visit: (id: Bytes) => void): void {
    eachIn(this.#ids.subarray(0, this.#used), visit);
  }
}
