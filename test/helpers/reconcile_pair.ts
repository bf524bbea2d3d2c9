/** Two sides of a reconciliation that take turns, with nothing between them. */
import type { Bytes } from "../../core/digest.ts";
import type { SummaryView } from "../../core/summary/trie.ts";
import type { SummarySet } from "../../core/summary/summary_set.ts";
import type { Cursor } from "../../sync/reconcile/messages.ts";
import { Reconciler } from "../../sync/reconcile/reconciler.ts";
import type { ReconcilerOptions } from "../../sync/reconcile/reconciler.ts";

/** What one side of a pair may do otherwise than the other. */
export interface SideOptions {
  readonly view?: (horizon: bigint) => SummaryView;
  readonly horizon?: bigint;
  readonly at?: Partial<Cursor>;
  readonly seen?: Cursor;
}

/** One side, and what it wants to say. */
export interface Side {
  readonly machine: Reconciler;
  readonly set: SummarySet;
  readonly out: Bytes[];
  /** Item ids that the other side lacks, hex. */
  readonly lacks: string[];
}

/** The two sides, and what went between them. */
export interface Pair {
  readonly opener: Side;
  readonly answerer: Side;
  /** Bytes of all messages, both ways. */
  bytes: number;
  messages: number;
  /** Times that the direction turned: one-way trips. */
  trips: number;
}

const SALT = new Uint8Array(32).fill(7);

/** Options of one side of a test's pair. */
export function sideOptions(
  role: ReconcilerOptions["role"],
  set: SummarySet,
  options: SideOptions = {},
): Omit<ReconcilerOptions, "send" | "lacks"> {
  const indexId = role === "opener" ? "aaaaaaaaaaaaaaaa" : "bbbbbbbbbbbbbbbb";
  return {
    role,
    namespace: "default",
    scope: "main",
    salt: SALT,
    at: {
      indexId,
      epoch: 0,
      sequence: set.size,
      horizon: options.horizon ?? 0n,
      seen: options.seen,
      ...options.at,
    },
    view: options.view ?? (() => set),
    maxHorizon: 1000n,
  };
}

/** A side that collects what it says. */
export function newSide(
  role: ReconcilerOptions["role"],
  set: SummarySet,
  options: SideOptions = {},
): Side {
  const out: Bytes[] = [];
  const lacks: string[] = [];
  const machine = new Reconciler({
    ...sideOptions(role, set, options),
    send: (message) => void out.push(message),
    lacks: (ids) => {
      const hex = ids.toHex();
      for (let at = 0; at < hex.length; at += 32) lacks.push(hex.slice(at, at + 32));
    },
  });
  return { machine, set, out, lacks };
}

/** Two sides, before the first message is delivered. */
export function newPair(
  a: SummarySet,
  b: SummarySet,
  options: { readonly opener?: SideOptions; readonly answerer?: SideOptions } = {},
): Pair {
  return {
    answerer: newSide("answerer", b, options.answerer),
    opener: newSide("opener", a, options.opener),
    bytes: 0,
    messages: 0,
    trips: 0,
  };
}

/** Delivers in turn until both are silent. */
export function talk(pair: Pair): void {
  while (pair.opener.out.length + pair.answerer.out.length > 0) {
    deliver(pair, pair.opener, pair.answerer);
    deliver(pair, pair.answerer, pair.opener);
  }
}

function deliver(pair: Pair, from: Side, to: Side): void {
  const messages = from.out.splice(0);
  if (messages.length > 0) pair.trips++;
  for (const message of messages) {
    pair.bytes += message.length;
    pair.messages++;
    to.machine.receive(message);
  }
}

/** Moves what each side lacks, as a session would with records, and lets both check. */
export function transfer(pair: Pair, changed = false): void {
  const { opener, answerer } = pair;
  for (const [from, to] of [[opener, answerer], [answerer, opener]] as const) {
    for (const id of from.lacks.splice(0)) to.set.add(Uint8Array.fromHex(id));
  }
  for (const { machine } of [opener, answerer]) {
    if (machine.phase === "transfer") machine.applied({ changed });
  }
  talk(pair);
}
