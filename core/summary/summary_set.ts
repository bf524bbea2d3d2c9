/** A summary that holds its ids itself. */
import type { Bytes } from "../digest.ts";
import { ITEM_BYTES } from "./item.ts";
import { ItemPages } from "./item_pages.ts";
import { SummaryTrie } from "./trie.ts";
import type { SummaryView } from "./trie.ts";

/** Ids in memory and their summary, kept up to date by each change. */
export class SummarySet implements SummaryView {
  readonly #pages = new ItemPages();
  readonly #trie = new SummaryTrie(this.#pages);

  /** Of these ids, packed; their order does not matter, nor one that comes twice. */
  static of(ids: Uint8Array): SummarySet {
    const set = new SummarySet();
    for (let at = 0; at < ids.length; at += ITEM_BYTES) {
      set.#pages.add(ids.subarray(at, at + ITEM_BYTES));
    }
    if (ids.length > 0) set.#trie.markAll();
    return set;
  }

  /** How many ids it holds. */
  get size(): number {
    return this.#pages.size;
  }

  /** Bytes of the nodes above the ids. */
  get nodeBytes(): number {
    return this.#trie.nodes.bytes;
  }

  /** Adds an id of 16 bytes; `false` if it is here already. */
  add(id: Uint8Array): boolean {
    const added = this.#pages.add(id);
    if (added) this.#trie.mark(id);
    return added;
  }

  /** Removes an id; `false` if it is not here. */
  delete(id: Uint8Array): boolean {
    const deleted = this.#pages.delete(id);
    if (deleted) this.#trie.mark(id);
    return deleted;
  }

  root(): Bytes {
    return this.#trie.root();
  }
  count(prefix: string): number {
    return this.#trie.count(prefix);
  }
  children(prefix: string): (Bytes | undefined)[] {
    return this.#trie.children(prefix);
  }
  items(prefix: string): Bytes {
    return this.#pages.items(prefix);
  }
  after(after: Uint8Array | undefined, limit: number): Bytes {
    return this.#pages.after(after, limit);
  }
}
