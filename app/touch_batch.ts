/** Uses of records, gathered so that a read never costs a message of its own. */
import type { Bytes } from "../core/digest.ts";

/** Milliseconds that a use may wait before the writer hears of it. */
export const TOUCH_SEND_MS = 500;
/** Uses that are gathered at most; what comes on top is forgotten until the next sending. */
const MAX_GATHERED = 20_000;

/** Gathers ids by name; the same id counts once. */
export class TouchBatch<Name extends string> {
  readonly #send: (name: Name, ids: Bytes[]) => void;
  readonly #ids = new Map<Name, Map<number, Bytes>>();
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(send: (name: Name, ids: Bytes[]) => void) {
    this.#send = send;
  }
  add(name: Name, ids: readonly Bytes[]): void {
    let gathered = this.#ids.get(name);
    if (!gathered) this.#ids.set(name, gathered = new Map());
    for (const id of ids) {
      if (gathered.size >= MAX_GATHERED) break;
      // 6 of the 32 bytes tell ids apart well enough: a mix-up only makes a record look unused.
      let key = 0;
      for (let n = 0; n < 6; n++) key = key * 256 + id[n]!;
      gathered.set(key, id);
    }
    if (this.#timer !== undefined) return;
    this.#timer = setTimeout(() => this.flush(), TOUCH_SEND_MS);
    Deno.unrefTimer(Number(this.#timer));
  }
  /** Sends what is gathered, and takes the timer away. */
  flush(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    for (const [name, ids] of this.#ids) if (ids.size > 0) this.#send(name, [...ids.values()]);
    this.#ids.clear();
  }
}
