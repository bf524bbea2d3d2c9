/** One namespace and scope until both sides hold the same: compared, brought, and compared again. */
import {
  BATCH_BYTES,
  BATCH_RECORDS,
  MAX_WIRE_RECORD_BYTES,
  OPEN_BATCHES,
} from "../../core/sync_limits.ts";
import type { Bytes } from "../../core/digest.ts";
import { CacheError } from "../../core/errors.ts";
import { ITEM_BYTES } from "../../core/summary/item.ts";
import type { SyncCommit, SyncPlace, SyncStore } from "../../core/sync_store.ts";
import { Reconciler } from "../reconcile/reconciler.ts";
import type { ReconcilePhase } from "../reconcile/reconciler.ts";
import type { Exactness } from "../reconcile/messages.ts";
import { violation } from "./messages.ts";
import type { Outgoing } from "./outgoing.ts";
import type { Speaker } from "./speaker.ts";

/** How a comparison ended. */
export interface ComparisonResult {
  /** `equal`, or why not: one of them `changed` meanwhile or kept something to itself; `unequal`. */
  readonly phase: Extract<ReconcilePhase, "equal" | "changed" | "unequal">;
  /** Records that the other side took, as they are or with its own stamp. */
  readonly sent: number;
  /** Records that this side took. */
  readonly received: number;
  /** Own records that the other side did not take: it may not, or something of them is not here. */
  readonly refused: number;
  readonly missing: number;
}

/** What a session gives to a comparison. */
export interface ComparisonOptions {
  readonly number: number;
  readonly role: "opener" | "answerer";
  readonly place: SyncPlace;
  readonly salt: Bytes;
  readonly store: SyncStore;
  readonly speaker: Speaker;
  readonly outgoing: Outgoing;
  readonly ended: AbortSignal;
  /** Whether what the other side lacks is brought. */
  readonly push: boolean;
  /** Whether a batch of it is still being received. */
  readonly busy: () => boolean;
  /** Called once. */
  readonly done: (result: ComparisonResult) => void;
}

/** One side of a comparison, with its transfers. */
export class Comparison {
  readonly place: SyncPlace;
  readonly #options: ComparisonOptions;
  readonly #machine: Reconciler;
  readonly #startSequence: number;
  readonly #lacks: Bytes[] = [];
  #own = 0;
  /** Something that the other side lacks stays here. */
  #kept = false;
  #brings: boolean;
  #pumping = false;
  #round = newRound();
  #done = false;
  readonly #counts = { sent: 0, received: 0, refused: 0, missing: 0 };

  constructor(options: ComparisonOptions) {
    const { store, place, role, number, salt, speaker } = options;
    this.#options = options;
    this.place = place;
    this.#brings = options.push;
    const position = store.position(place);
    this.#startSequence = position.sequence;
    this.#machine = new Reconciler({
      role,
      ...place,
      salt,
      at: position,
      view: position.view,
      maxHorizon: position.maxHorizon,
      send: (body) => speaker.control((says) => says.compare({ comparison: number, body })),
      lacks: (ids) => this.#lack(ids),
    });
  }

  /** Takes a message of the other side's comparison. */
  receive(body: Bytes): void {
    this.#machine.receive(body);
    this.#advance();
  }

  /** The other side brings nothing more in this round. */
  last(): void {
    if (this.#round.lastCame) throw violation("it ends twice");
    this.#round.lastCame = true;
    this.#advance();
  }

  /** A batch that the other side brought is kept. */
  committed({ outcomes, changes }: SyncCommit): void {
    this.#own += changes;
    const taken = outcomes.filter((outcome) => outcome !== "missing" && outcome !== "refused");
    this.#counts.received += taken.length;
    if (taken.length < outcomes.length) this.#kept = true;
    this.#advance();
  }

  #lack(ids: Bytes): void {
    if (this.#brings) this.#lacks.push(ids);
    else this.#kept = true;
    // Not at once: the machine is in the middle of a message.
    this.#options.speaker.background(async () => this.#advance());
  }

  #advance(): void {
    const { phase, exactness } = this.#machine;
    if (this.#done) return;
    if (phase === "equal" || phase === "changed" || phase === "unequal") {
      this.#done = true;
      this.#options.done({ phase, ...this.#counts });
      return;
    }
    // Roots that differ though all was brought: it compares again, more exactly.
    const { checkedAs } = this.#round;
    if (checkedAs !== undefined && checkedAs !== exactness) this.#round = newRound();
    if (!this.#pumping && !this.#round.lastSent) {
      this.#pumping = true;
      this.#options.speaker.background(() => this.#pump());
    }
    if (phase !== "transfer" || !this.#round.lastSent || !this.#round.lastCame) return;
    if (this.#options.busy() || this.#round.checkedAs !== undefined) return;
    this.#round.checkedAs = exactness;
    const now = this.#options.store.position(this.place).sequence;
    this.#machine.applied({ changed: this.#kept || now !== this.#startSequence + this.#own });
    this.#advance();
  }

  /** Brings what is known to be lacking; when that is all, says so. */
  async #pump(): Promise<void> {
    try {
      const pushes = new Set<Promise<void>>();
      const after = this.#machine.changesAfter;
      if (after !== undefined && !this.#round.fed) {
        this.#round.fed = true;
        if (!this.#brings) this.#kept = true;
        else {
          const { store, ended: signal } = this.#options;
          for await (const page of store.feed(this.place, after, { signal })) {
            this.#lacks.push(page);
          }
        }
      }
      while (this.#lacks.length > 0) {
        const ids = this.#lacks.shift()!;
        for (let at = 0; at < ids.length; at += BATCH_RECORDS * ITEM_BYTES) {
          await this.#bring(ids.slice(at, at + BATCH_RECORDS * ITEM_BYTES), pushes);
        }
      }
      await Promise.all(pushes);
    } finally {
      this.#pumping = false;
    }
    if (this.#machine.phase !== "transfer") return;
    if (this.#lacks.length > 0) return this.#advance();
    this.#round.lastSent = true;
    await this.#options.outgoing.last(this.#options.number);
    this.#advance();
  }

  async #bring(ids: Bytes, pushes: Set<Promise<void>>): Promise<void> {
    const { store, ended: signal } = this.#options;
    if (!this.#brings) return;
    if (!store.can("read", this.place)) {
      throw new CacheError(
        "permission_denied",
        "Cannot go on: the peer may not read here any more",
        {
          operation: "session.compare",
        },
      );
    }
    let batch: Bytes[] = [];
    let bytes = 0;
    const flush = async () => {
      const records = batch;
      [batch, bytes] = [[], 0];
      // What waits for its turn is in memory.
      while (pushes.size >= OPEN_BATCHES) await Promise.race(pushes);
      if (records.length === 0 || !this.#brings) return;
      // One that fails ends the session, and so this.
      const push: Promise<void> = this.#options.speaker.background(() => this.#push(records))
        .finally(() => pushes.delete(push));
      pushes.add(push);
    };
    for (const record of await store.records(this.place, ids, { signal })) {
      if (record.length > MAX_WIRE_RECORD_BYTES) {
        this.#kept = true;
        this.#counts.missing++;
        continue;
      }
      if (bytes + record.length > BATCH_BYTES) await flush();
      batch.push(record);
      bytes += record.length;
    }
    await flush();
  }

  async #push(records: readonly Bytes[]): Promise<void> {
    const { outgoing, number, store, ended: signal } = this.#options;
    const ack = await outgoing.push(number, this.place, records);
    const [missing, refused] = [ack.missing, ack.refused].map((bits) =>
      bits.filter(Boolean).length
    );
    this.#counts.missing += missing!;
    this.#counts.refused += refused!;
    this.#counts.sent += records.length - missing! - refused!;
    if (missing! + refused! > 0) this.#kept = true;
    // It may not write at all: more of the same would be bytes for nothing.
    if (refused === records.length) this.#brings = false;
    for (const { index, record } of ack.stamped) {
      const changes = await store.adopt(this.place, records[index]!, record, { signal });
      this.#own += changes; // behind the wait: others add to it meanwhile
    }
  }
}

/** What was done since the last time that it began to compare. */
interface Round {
  /** The changes behind the other side's cursor were read. */
  fed: boolean;
  lastSent: boolean;
  lastCame: boolean;
  /** What the own check was about, once it was sent. */
  checkedAs: Exactness | undefined;
}

function newRound(): Round {
  return { fed: false, lastSent: false, lastCame: false, checkedAs: undefined };
}
