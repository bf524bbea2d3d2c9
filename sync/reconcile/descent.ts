/** The way down two summaries, from digests that differ to the items that one side lacks. */
import { equalBytes } from "../../core/bytes.ts";
import type { Bytes } from "../../core/digest.ts";
import { RECONCILE_LEAF_ITEMS } from "../../core/limits.ts";
import { below } from "../../core/summary/item.ts";
import type { SummaryView } from "../../core/summary/trie.ts";
import { Answers } from "./answers.ts";
import { badMessage } from "./byte_reader.ts";
import { isListCheaper } from "./estimate.ts";
import type {
  Answer,
  ChildDigests,
  LeafMessage,
  NodesMessage,
  ReconcileMessages,
  WantMessage,
} from "./messages.ts";
import { nameItems } from "./names.ts";
import type { NamedItems, ShortNames } from "./names.ts";
import { Queue } from "./queue.ts";

/** What a comparison needs. */
export interface ComparisonOptions {
  readonly view: SummaryView;
  readonly names: ShortNames;
  readonly says: ReconcileMessages;
  /** Told of items that the other side lacks, packed. */
  readonly lacks: (ids: Bytes) => void;
}

/** Digests that came, and which of them are not ours. */
interface Compared {
  readonly prefix: string;
  readonly differing: readonly {
    readonly digit: number;
    /** Items of this side. */
    readonly count: number;
    /** Whether the other side has any. */
    readonly theirs: boolean;
  }[];
}

/**
 * One side of a descent. Both take turns: digests are answered with digests one digit further
 * down, with tags, or with nothing; tags with a map of those that are wanted. Each answer takes
 * something off what this side waits for, and only nodes of more than `RECONCILE_LEAF_ITEMS` own
 * items add to it: so it ends, whatever comes, and never comes to
 * prefixes as long as an item, below which there are 16 items at most one digit above.
 */
export class Descent {
  readonly #options: ComparisonOptions;
  /** Prefixes whose 16 children the other side is to answer. */
  readonly #asked = new Queue<string>();
  /** Prefixes whose tags are to come. */
  readonly #leaves = new Queue<string>();
  /** Items by the tags of each `leaf` message that was sent. */
  readonly #tagged = new Queue<readonly Bytes[]>();

  constructor(options: ComparisonOptions) {
    this.#options = options;
  }

  /** Whether nothing is waited for any more: both sides know all. */
  get settled(): boolean {
    return this.#asked.length + this.#leaves.length + this.#tagged.length === 0;
  }

  /** Tells what stands at the top. */
  begin(): void {
    const answers = this.#newAnswers();
    const all = Array.from({ length: 16 }, (_, digit) => ({
      digit,
      count: this.#options.view.count(below("", digit)),
      theirs: true,
    }));
    this.#answer({ prefix: "", differing: all }, answers);
    answers.send();
  }

  /** Waits for it. */
  await(): void {
    this.#asked.push("");
  }

  /** The other side sends a list instead of its answers. */
  giveUp(): void {
    if (this.#leaves.length + this.#tagged.length > 0) throw badMessage("a list comes too late");
    this.#asked.clear();
  }

  /** Answers what came; `true` if a list of all tags is to be sent instead, and nothing was. */
  nodes({ groups }: NodesMessage): boolean {
    const come: { prefix: string; children: ChildDigests }[] = [];
    for (const answers of groups) {
      const parent = this.#asked.shift();
      if (parent === undefined) throw badMessage("it answers what was not asked");
      answers.forEach((answer, digit) => {
        const prefix = below(parent, digit);
        if (answer === "tags") this.#leaves.push(prefix);
        else if (answer !== "same") come.push({ prefix, children: answer });
      });
    }
    const compared = come.map(({ prefix, children }) => this.#compare(prefix, children));
    if (this.#isListBetter(compared)) return true;
    const answers = this.#newAnswers();
    for (const each of compared) this.#answer(each, answers);
    answers.send();
    return false;
  }

  leaf({ exactness, leaves }: LeafMessage): void {
    const { view, names, says, lacks } = this.#options;
    const wanted: boolean[] = [];
    for (const tags of leaves) {
      const prefix = this.#leaves.shift();
      if (prefix === undefined) throw badMessage("tags come that were not promised");
      const ids = view.items(prefix);
      if (tags.length === 0) {
        if (ids.length > 0) lacks(ids);
        continue;
      }
      if (exactness !== "short" && !tags.every((tag) => tag.startsWith(prefix))) {
        throw badMessage("a tag is not of its leaf");
      }
      const mine = nameItems(ids, names.tag);
      for (const tag of tags) wanted.push(!mine.delete(tag));
      for (const missing of mine.values()) lacks(missing);
    }
    if (wanted.length > 0) says.want({ exactness, wanted });
  }

  want({ wanted }: WantMessage): void {
    const items = this.#tagged.shift();
    if (items?.length !== wanted.length) throw badMessage("it wants what was not offered");
    wanted.forEach((is, at) => {
      if (is) this.#options.lacks(items[at]!); // as many as wanted has
    });
  }

  #compare(prefix: string, theirs: ChildDigests): Compared {
    const { view, names } = this.#options;
    const mine = view.children(prefix);
    const differing: Compared["differing"][number][] = [];
    theirs.forEach((their, digit) => {
      const my = mine[digit];
      if (my === undefined && their === undefined) return;
      if (my && their && equalBytes(names.digest(my), their)) return;
      const count = my ? view.count(below(prefix, digit)) : 0;
      differing.push({ digit, count, theirs: their !== undefined });
    });
    return { prefix, differing };
  }

  /** Only where all that may differ is known: everything that was asked is answered. */
  #isListBetter(compared: readonly Compared[]): boolean {
    if (this.#options.names.exactness !== "short" || !this.settled) return false;
    return isListCheaper({
      total: this.#options.view.count(""),
      compared: 16 * compared.length,
      differing: compared.flatMap(({ differing }) => differing.map(({ count }) => count)),
    });
  }

  #answer({ prefix, differing }: Compared, answers: Answers): void {
    const { view, names, lacks } = this.#options;
    const group: Answer[] = Array.from({ length: 16 }, () => "same");
    const leaves: NamedItems[] = [];
    for (const { digit, count, theirs } of differing) {
      const child = below(prefix, digit);
      if (!theirs) lacks(view.items(child));
      else if (count <= RECONCILE_LEAF_ITEMS) {
        group[digit] = "tags";
        leaves.push(nameItems(view.items(child), names.tag));
      } else {
        group[digit] = view.children(child).map((digest) => digest && names.digest(digest));
        this.#asked.push(child);
      }
    }
    answers.add(group, leaves);
  }

  #newAnswers(): Answers {
    const { names: { exactness }, says } = this.#options;
    return new Answers({ exactness, says, tagged: (items) => this.#tagged.push(items) });
  }
}
