/** All tags in order: for sets that share little, and when digests have failed. */
import type { Bytes } from "../../core/digest.ts";
import { RECONCILE_LIST_WINDOW, RECONCILE_MESSAGE_BYTES } from "../../core/limits.ts";
import { ITEM_BYTES } from "../../core/summary/item.ts";
import { badMessage } from "./byte_reader.ts";
import type { ComparisonOptions } from "./descent.ts";
import type { Exactness, ListMessage, WantMessage } from "./messages.ts";
import { nameItems } from "./names.ts";
import { Queue } from "./queue.ts";

/** Own ids that are read at once beside the other side's tags. */
const PAGE_ITEMS = 4096;

/** A tag in a list: the id's own first 6 bytes, so that the ids' order is the tags'; or all of it. */
function listTag(exactness: Exactness): (id: Uint8Array) => string {
  return exactness === "short" ? (id) => id.subarray(0, 6).toHex() : (id) => id.toHex();
}

/** Tags of one message: a distance of 48 bits takes 7 bytes at most. */
function tagsAtOnce(exactness: Exactness): number {
  return Math.floor((RECONCILE_MESSAGE_BYTES - 8) / (exactness === "short" ? 7 : ITEM_BYTES));
}

/** The side that sends the list, a window of messages ahead of the answers. */
export class ListSender {
  readonly #options: ComparisonOptions;
  readonly #tagged = new Queue<readonly Bytes[]>();
  #behind: Bytes | undefined;
  #sentAll = false;

  constructor(options: ComparisonOptions) {
    this.#options = options;
    this.#fill();
  }

  get settled(): boolean {
    return this.#sentAll && this.#tagged.length === 0;
  }

  want({ wanted }: WantMessage): void {
    const items = this.#tagged.shift();
    if (items?.length !== wanted.length) throw badMessage("it wants what was not offered");
    wanted.forEach((is, at) => {
      if (is) this.#options.lacks(items[at]!); // as many as wanted has
    });
    this.#fill();
  }

  #fill(): void {
    const { view, says, names: { exactness } } = this.#options;
    const limit = tagsAtOnce(exactness);
    while (!this.#sentAll && this.#tagged.length < RECONCILE_LIST_WINDOW) {
      const page = view.after(this.#behind, limit);
      const last = page.length < limit * ITEM_BYTES;
      const named = nameItems(page, listTag(exactness));
      if (!last) this.#wholeTag(named);
      const items = [...named.values()];
      this.#behind = items.at(-1)?.slice(-ITEM_BYTES) ?? this.#behind;
      says.list({ exactness, last, tags: [...named.keys()] });
      this.#sentAll = last;
      if (items.length > 0) this.#tagged.push(items);
    }
  }

  /** The last tag's other items may stand behind the page. */
  #wholeTag(named: Map<string, Bytes>): void {
    const last = [...named.keys()].at(-1);
    if (last !== undefined) named.set(last, this.#options.view.items(last));
  }
}

/** The side that holds its own items against the list. */
export class ListReceiver {
  readonly #options: ComparisonOptions;
  /** Own items that were read and not yet compared, the next of them at `#at`. */
  #page: Bytes = new Uint8Array(0);
  #at = 0;
  #behind: Bytes | undefined;
  #tag = "";
  #done = false;

  constructor(options: ComparisonOptions) {
    this.#options = options;
  }

  get settled(): boolean {
    return this.#done;
  }

  list({ exactness, last, tags }: ListMessage): void {
    const { says, lacks } = this.#options;
    const tagOf = listTag(exactness);
    const missing: Bytes[] = [];
    const wanted = tags.map((tag) => {
      if (tag <= this.#tag) throw badMessage("its list is not in order");
      this.#tag = tag;
      let found = false;
      for (let id = this.#next(); id; id = this.#next()) {
        const mine = tagOf(id);
        if (mine > tag) break;
        if (mine === tag) found = true;
        else missing.push(id);
        this.#take(id);
      }
      return !found;
    });
    if (last) {
      this.#done = true;
      for (let id = this.#next(); id; id = this.#next()) {
        missing.push(id);
        this.#take(id);
      }
    }
    if (missing.length > 0) lacks(packed(missing));
    if (wanted.length > 0) says.want({ exactness, wanted });
  }

  #next(): Bytes | undefined {
    if (this.#at === this.#page.length) {
      this.#page = this.#options.view.after(this.#behind, PAGE_ITEMS);
      this.#at = 0;
    }
    return this.#at < this.#page.length
      ? this.#page.subarray(this.#at, this.#at + ITEM_BYTES)
      : undefined;
  }

  #take(id: Bytes): void {
    this.#behind = id;
    this.#at += ITEM_BYTES;
  }
}

function packed(ids: readonly Bytes[]): Bytes {
  const all = new Uint8Array(ids.length * ITEM_BYTES);
  ids.forEach((id, at) => all.set(id, at * ITEM_BYTES));
  return all;
}
