/** Gathers answers into as few messages as they fit in. */
import type { Bytes } from "../../core/digest.ts";
import { RECONCILE_MESSAGE_BYTES } from "../../core/limits.ts";
import { groupBytes, leafBytes } from "./encode.ts";
import type { Answer, Exactness, ReconcileMessages } from "./messages.ts";
import type { NamedItems } from "./names.ts";

/** Bytes in front of the answers and of the leaves. */
const HEAD_BYTES = 4;

/** What {@linkcode Answers} needs. */
export interface AnswersOptions {
  readonly exactness: Exactness;
  readonly says: Pick<ReconcileMessages, "nodes" | "leaf">;
  /** Told of each `leaf` message with tags: the items of each, in order. */
  readonly tagged: (items: readonly Bytes[]) => void;
}

/** Answers to one message; nothing is sent behind what it refers to. */
export class Answers {
  readonly #options: AnswersOptions;
  #groups: (readonly Answer[])[] = [];
  #groupBytes = HEAD_BYTES;
  #leaves: NamedItems[] = [];
  #leafBytes = HEAD_BYTES;

  constructor(options: AnswersOptions) {
    this.#options = options;
  }

  /** The 16 answers to one prefix, and the items of those that are tags. */
  add(answers: readonly Answer[], leaves: readonly NamedItems[]): void {
    const { exactness } = this.#options;
    const bytes = groupBytes(answers, exactness);
    if (this.#groupBytes + bytes > RECONCILE_MESSAGE_BYTES) this.#sendGroups();
    this.#groups.push(answers);
    this.#groupBytes += bytes;
    for (const leaf of leaves) {
      const size = leafBytes([...leaf.keys()], exactness);
      if (this.#leafBytes + size > RECONCILE_MESSAGE_BYTES) this.send();
      this.#leaves.push(leaf);
      this.#leafBytes += size;
    }
  }

  /** Sends what was gathered. */
  send(): void {
    this.#sendGroups();
    if (this.#leaves.length === 0) return;
    const { exactness, says, tagged } = this.#options;
    says.leaf({ exactness, leaves: this.#leaves.map((leaf) => [...leaf.keys()]) });
    const items = this.#leaves.flatMap((leaf) => [...leaf.values()]);
    if (items.length > 0) tagged(items);
    this.#leaves = [];
    this.#leafBytes = HEAD_BYTES;
  }

  #sendGroups(): void {
    if (this.#groups.length === 0) return;
    this.#options.says.nodes({ exactness: this.#options.exactness, groups: this.#groups });
    this.#groups = [];
    this.#groupBytes = HEAD_BYTES;
  }
}
