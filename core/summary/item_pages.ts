/** Item ids in memory, sorted: pages of packed ids, none of which is an object of its own. */
import { concat } from "../bytes.ts";
import type { Bytes } from "../digest.ts";
import { compareAt, idsOf, ITEM_BYTES, lowerBound } from "./item.ts";
import type { ItemSource } from "./item.ts";

/** Ids of a full page: an insertion moves half of it, 2 KiB. */
const PAGE_ITEMS = 256;
/** Ids by which a page grows: what half of them take is what is wasted of each. */
const GROWTH_ITEMS = 16;

interface Page {
  ids: Bytes;
  count: number;
}

/** A sorted set of ids; 16 bytes an id, and about a tenth for what is empty. */
export class ItemPages implements ItemSource {
  readonly #pages: Page[] = [];
  #size = 0;

  /** How many ids it holds. */
  get size(): number {
    return this.#size;
  }

  /** Bytes of its pages, full and empty places. */
  get bytes(): number {
    return this.#pages.reduce((sum, { ids }) => sum + ids.byteLength, 0);
  }

  /** Adds an id; `false` if it is here already. Throws `RangeError` unless it has 16 bytes. */
  add(id: Uint8Array): boolean {
    checkItem(id);
    let no = this.#pageOf(id);
    if (no < 0) {
      no = 0;
      if (this.#pages.length === 0) this.#pages.push({ ids: new Uint8Array(0), count: 0 });
    }
    let page = this.#pages[no]!; // there is one by now
    let at = lowerBound(page.ids, page.count, id);
    if (holds(page, at, id)) return false;
    if (page.count === PAGE_ITEMS) {
      this.#split(no);
      if (at > PAGE_ITEMS / 2) {
        page = this.#pages[no + 1]!;
        at -= PAGE_ITEMS / 2;
      } else page = this.#pages[no]!;
    }
    insert(page, at, id);
    this.#size++;
    return true;
  }

  /** Removes an id; `false` if it is not here. */
  delete(id: Uint8Array): boolean {
    checkItem(id);
    const no = this.#pageOf(id);
    const page = this.#pages[no];
    if (!page) return false;
    const at = lowerBound(page.ids, page.count, id);
    if (!holds(page, at, id)) return false;
    page.ids.copyWithin(at * ITEM_BYTES, (at + 1) * ITEM_BYTES, page.count * ITEM_BYTES);
    page.count--;
    this.#size--;
    if (page.count === 0) this.#pages.splice(no, 1);
    else {
      fit(page);
      this.#join(no);
    }
    return true;
  }

  items(prefix: string): Bytes {
    const { first, last } = idsOf(prefix);
    const parts: Bytes[] = [];
    for (let no = Math.max(0, this.#pageOf(first)); no < this.#pages.length; no++) {
      const { ids, count } = this.#pages[no]!; // in range
      if (compareAt(ids, 0, last) > 0) break;
      const from = lowerBound(ids, count, first);
      let to = lowerBound(ids, count, last);
      if (to < count && compareAt(ids, to * ITEM_BYTES, last) === 0) to++;
      parts.push(ids.subarray(from * ITEM_BYTES, to * ITEM_BYTES));
    }
    return joined(parts);
  }

  after(after: Uint8Array | undefined, limit: number): Bytes {
    const parts: Bytes[] = [];
    let left = limit;
    let no = after ? Math.max(0, this.#pageOf(after)) : 0;
    for (; no < this.#pages.length && left > 0; no++) {
      const { ids, count } = this.#pages[no]!; // in range
      let from = after ? lowerBound(ids, count, after) : 0;
      if (after && from < count && compareAt(ids, from * ITEM_BYTES, after) === 0) from++;
      const to = Math.min(count, from + left);
      parts.push(ids.subarray(from * ITEM_BYTES, to * ITEM_BYTES));
      left -= to - from;
    }
    return joined(parts);
  }

  /** The last page that begins at or before `id`; -1 if all begin behind it. */
  #pageOf(id: Uint8Array): number {
    let low = 0;
    let high = this.#pages.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (compareAt(this.#pages[middle]!.ids, 0, id) <= 0) low = middle + 1;
      else high = middle;
    }
    return low - 1;
  }

  #split(no: number): void {
    const { ids } = this.#pages[no]!;
    const half = PAGE_ITEMS / 2;
    this.#pages.splice(
      no,
      1,
      { ids: ids.slice(0, half * ITEM_BYTES), count: half },
      { ids: ids.slice(half * ITEM_BYTES), count: half },
    );
  }

  /** Two neighbours that fill half a page become one, or deletions would leave pages of one id. */
  #join(no: number): void {
    const left = this.#pages[no - 1] ? no - 1 : no;
    const [a, b] = [this.#pages[left], this.#pages[left + 1]];
    if (!a || !b || a.count + b.count > PAGE_ITEMS / 2) return;
    const ids = joined([
      a.ids.subarray(0, a.count * ITEM_BYTES),
      b.ids.subarray(0, b.count * ITEM_BYTES),
    ]);
    this.#pages.splice(left, 2, { ids, count: a.count + b.count });
  }
}

function insert(page: Page, at: number, id: Uint8Array): void {
  const end = page.count * ITEM_BYTES;
  if (end === page.ids.length) {
    const grown = new Uint8Array(end + GROWTH_ITEMS * ITEM_BYTES);
    grown.set(page.ids);
    page.ids = grown;
  }
  page.ids.copyWithin((at + 1) * ITEM_BYTES, at * ITEM_BYTES, end);
  page.ids.set(id, at * ITEM_BYTES);
  page.count++;
}

/** Gives back what deletions left empty. */
function fit(page: Page): void {
  const spare = page.ids.length - page.count * ITEM_BYTES;
  if (spare <= 2 * GROWTH_ITEMS * ITEM_BYTES) return;
  page.ids = page.ids.slice(0, (page.count + GROWTH_ITEMS) * ITEM_BYTES);
}

function holds(page: Page, at: number, id: Uint8Array): boolean {
  return at < page.count && compareAt(page.ids, at * ITEM_BYTES, id) === 0;
}

/** Always a copy: a page changes in place. */
function joined(parts: readonly Bytes[]): Bytes {
  return parts.length === 1 ? parts[0]!.slice() : concat(parts);
}

function checkItem(id: Uint8Array): void {
  if (id.length === ITEM_BYTES) return;
  throw new RangeError(`Cannot use an item id of ${id.length} bytes, want ${ITEM_BYTES}`);
}
