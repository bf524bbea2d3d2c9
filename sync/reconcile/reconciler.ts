/** One side of a comparison, from the first message to equal roots. Knows no sockets, no clocks. */
import { equalBytes } from "../../core/bytes.ts";
import type { Bytes } from "../../core/digest.ts";
import { RECONCILE_ITEMS_PER_MESSAGE, RECONCILE_SPARE_MESSAGES } from "../../core/limits.ts";
import type { SummaryView } from "../../core/summary/trie.ts";
import { badMessage } from "./byte_reader.ts";
import { decode } from "./decode.ts";
import { Descent } from "./descent.ts";
import type { ComparisonOptions } from "./descent.ts";
import { encodeTo } from "./encode.ts";
import { ListReceiver, ListSender } from "./list_exchange.ts";
import { EXACTNESS } from "./messages.ts";
import type {
  CheckMessage,
  Cursor,
  Exactness,
  OpenMessage,
  PeerState,
  ReconcileMessages,
} from "./messages.ts";
import { shortNames } from "./names.ts";

/**
 * - `waiting`: for the other side's first message.
 * - `comparing`: messages go to and fro.
 * - `transfer`: this side knows what the other lacks; records are sent, then `applied()` is called.
 * - `equal`: both hold the same, which their roots have shown.
 * - `changed`: not so, but one of them has changed meanwhile.
 * - `unequal`: not so, though all was compared in full: one of them is wrong.
 */
export type ReconcilePhase =
  | "waiting"
  | "comparing"
  | "transfer"
  | "equal"
  | "changed"
  | "unequal";

/** What one side brings. */
export interface ReconcilerOptions {
  readonly role: "opener" | "answerer";
  readonly namespace: string;
  readonly scope: string;
  /** The same on both sides and new in each session, at least 16 bytes: its handshake hash. */
  readonly salt: Bytes;
  /** Where this side stands, and how far it has seen the other's changes. */
  readonly at: Cursor & { readonly horizon: bigint; readonly seen: Cursor | undefined };
  /** The summary without tombstones that are older than this hybrid logical clock. */
  readonly view: (horizon: bigint) => SummaryView;
  /** The newest horizon that may be asked of this side: what is above it would hide deletions. */
  readonly maxHorizon: bigint;
  readonly send: (message: Bytes) => void;
  /**
   * Told of items that the other side lacks, packed, 16 bytes each, as they become known. A few may
   * be told twice, those that were known before a list of all tags began.
   */
  readonly lacks: (ids: Bytes) => void;
}

/** One side's machine: feed it each message of the other, until {@linkcode phase} says how it is. */
export class Reconciler {
  readonly #options: ReconcilerOptions;
  readonly #says: ReconcileMessages;
  readonly #told: ReconcileMessages;
  #view: SummaryView;
  #phase: ReconcilePhase = "waiting";
  #exactness: Exactness = "cursor";
  #opened: PeerState | undefined;
  #items = 0;
  #messagesLeft = 1;
  #descent: Descent | undefined;
  #sender: ListSender | undefined;
  #receiver: ListReceiver | undefined;
  #checks: { mine: CheckMessage | undefined; theirs: CheckMessage | undefined } = NO_CHECKS;
  #delta: number | undefined;

  constructor(options: ReconcilerOptions) {
    this.#options = options;
    this.#says = encodeTo(options.send);
    this.#view = options.view(options.at.horizon);
    this.#told = {
      open: (message) => this.#open(message),
      state: ({ state }) => this.#state(state),
      nodes: (message) => {
        const list = this.#comparison(message.exactness).nodes(message);
        if (list) this.#sendList();
      },
      leaf: (message) => this.#comparison(message.exactness).leaf(message),
      want: (message) => {
        const descent = this.#comparison(message.exactness);
        (this.#sender ?? descent).want(message);
      },
      list: (message) => {
        this.#comparison(message.exactness).giveUp();
        if (this.#sender) throw badMessage("two lists meet");
        this.#receiver ??= new ListReceiver(this.#comparisonOptions());
        if (this.#receiver.settled) throw badMessage("its list goes on behind its end");
        this.#receiver.list(message);
      },
      check: (message) => this.#check(message),
    };
    if (options.role === "answerer") return;
    this.#opened = this.#own(options.at.horizon);
    const { namespace, scope } = options;
    this.#says.open({ namespace, scope, state: this.#opened });
  }

  /** How far it is. */
  get phase(): ReconcilePhase {
    return this.#phase;
  }

  /** Set when no comparison was needed: the other side lacks this side's changes behind this one. */
  get changesAfter(): number | undefined {
    return this.#delta;
  }

  /** How exactly the last comparison was made. */
  get exactness(): Exactness {
    return this.#exactness;
  }

  /**
   * Takes one message of the other side.
   * @throws {CacheError} `invalid_argument` for what must not come: the comparison is over
   */
  receive(message: Bytes): void {
    if (this.#messagesLeft-- <= 0) throw badMessage("more messages come than a comparison needs");
    decode(message, this.#told);
    this.#settle();
  }

  /**
   * All that the other side lacked is stored there, and what came is stored here. `changed`: this
   * side has changed otherwise since the comparison began.
   */
  applied({ changed }: { readonly changed: boolean }): void {
    if (this.#phase !== "transfer" || this.#checks.mine) {
      throw new TypeError(`Cannot check what was applied: it is ${this.#phase}`);
    }
    const mine = {
      exactness: this.#exactness,
      changed,
      count: this.#view.count(""),
      root: this.#view.root(),
    };
    this.#checks = { ...this.#checks, mine };
    this.#says.check(mine);
    this.#judge();
  }

  #open({ namespace, scope, state }: OpenMessage): void {
    const { role, at } = this.#options;
    if (role !== "answerer" || this.#phase !== "waiting") throw badMessage("it opens once more");
    if (namespace !== this.#options.namespace || scope !== this.#options.scope) {
      throw badMessage("it opens another namespace or scope");
    }
    this.#checkHorizon(state.horizon);
    const horizon = state.horizon > at.horizon ? state.horizon : at.horizon;
    if (horizon !== at.horizon) this.#view = this.#options.view(horizon);
    const mine = this.#own(horizon);
    this.#says.state({ state: mine });
    this.#begin({ mine, theirs: state });
  }

  #state(theirs: PeerState): void {
    const mine = this.#opened;
    if (!mine || this.#phase !== "waiting") throw badMessage("it answers what was not asked");
    if (theirs.horizon < mine.horizon) throw badMessage("its horizon is older than the one asked");
    this.#checkHorizon(theirs.horizon);
    if (theirs.horizon !== mine.horizon) this.#view = this.#options.view(theirs.horizon);
    this.#begin({ mine, theirs });
  }

  #checkHorizon(horizon: bigint): void {
    if (horizon > this.#options.maxHorizon && horizon > this.#options.at.horizon) {
      throw badMessage("its horizon would hide deletions that must still be told");
    }
  }

  #own(horizon: bigint): PeerState {
    const { indexId, epoch, sequence, seen } = this.#options.at;
    const [count, root] = [this.#view.count(""), this.#view.root()];
    return { indexId, epoch, sequence, seen, horizon, count, root };
  }

  /** Both sides know both states, and come to the same decision. */
  #begin({ mine, theirs }: { mine: PeerState; theirs: PeerState }): void {
    this.#items = mine.count + theirs.count;
    if (equalBytes(mine.root, theirs.root)) {
      this.#phase = "equal";
      return;
    }
    if (isValid(mine.seen, theirs) && isValid(theirs.seen, mine)) {
      this.#delta = theirs.seen.sequence;
      this.#transfer();
      return;
    }
    this.#exactness = "short";
    if (mine.count > 0 && theirs.count > 0) return this.#compare();
    // One of them has nothing: there is nothing to ask.
    if (theirs.count === 0 && mine.count > 0) this.#lacksAll();
    this.#transfer();
  }

  #lacksAll(): void {
    let page = this.#view.after(undefined, ALL_PAGE_ITEMS);
    while (page.length > 0) {
      this.#options.lacks(page);
      page = this.#view.after(page.subarray(-16), ALL_PAGE_ITEMS);
    }
  }

  #transfer(): void {
    this.#phase = "transfer";
    this.#messagesLeft = 1; // the check
  }

  #compare(): void {
    const answers = this.#options.role === "answerer";
    this.#phase = "comparing";
    this.#messagesLeft = RECONCILE_SPARE_MESSAGES +
      Math.ceil(this.#items / RECONCILE_ITEMS_PER_MESSAGE);
    this.#checks = NO_CHECKS;
    this.#delta = this.#sender = this.#receiver = undefined;
    this.#descent = new Descent(this.#comparisonOptions());
    if (this.#exactness === "list" && answers) this.#sendList();
    else if (answers) this.#descent.begin();
    else this.#descent.await();
    this.#settle();
  }

  #settle(): void {
    if (this.#phase !== "comparing") return;
    const all = [this.#descent, this.#sender, this.#receiver];
    if (all.every((part) => part?.settled ?? true)) this.#phase = "transfer";
  }

  #sendList(): void {
    this.#sender = new ListSender(this.#comparisonOptions());
  }

  #comparisonOptions(): ComparisonOptions {
    const { salt, lacks } = this.#options;
    const names = shortNames(salt, this.#exactness);
    return { view: this.#view, names, says: this.#says, lacks };
  }

  #comparison(exactness: Exactness): Descent {
    if (this.#phase !== "comparing" || !this.#descent) throw badMessage("nothing is compared");
    if (exactness !== this.#exactness) throw badMessage("it compares in another way");
    return this.#descent;
  }

  #check(message: CheckMessage): void {
    if (this.#phase !== "transfer" || this.#checks.theirs) throw badMessage("its check is early");
    if (message.exactness !== this.#exactness) throw badMessage("it compares in another way");
    this.#checks = { ...this.#checks, theirs: message };
    this.#judge();
  }

  #judge(): void {
    const { mine, theirs } = this.#checks;
    if (!mine || !theirs) return;
    if (equalBytes(mine.root, theirs.root)) this.#phase = "equal";
    else if (mine.changed || theirs.changed) this.#phase = "changed";
    else this.#again(mine.count + theirs.count);
  }

  /** What a short name hid is found by longer ones. */
  #again(items: number): void {
    const next = EXACTNESS[EXACTNESS.indexOf(this.#exactness) + 1];
    if (!next) {
      this.#phase = "unequal";
      return;
    }
    this.#exactness = next;
    this.#items = items;
    this.#compare();
  }
}

const NO_CHECKS = { mine: undefined, theirs: undefined };

/** Ids that are handed over at once when the other side has none. */
const ALL_PAGE_ITEMS = 4096;

/** Whether what was seen of a peer is on the way to where it stands now. */
function isValid(seen: Cursor | undefined, state: PeerState): seen is Cursor {
  return seen !== undefined && seen.indexId === state.indexId && seen.epoch === state.epoch &&
    seen.sequence <= state.sequence;
}
