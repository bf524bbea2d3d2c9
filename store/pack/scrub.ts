/** One step after the other through all segments; the place is kept in the tables. */
import type { DatabaseSync } from "node:sqlite";
import type { ScrubState, ScrubStatus } from "../../core/scrub.ts";
import type { SignalOptions } from "../../core/bytes.ts";
import type { Pack } from "./pack.ts";
import { verifyPart } from "./verify.ts";
import type { Found } from "./verify.ts";

/** What a step did. */
export interface ScrubStep {
  /** Bytes read from the medium. */
  readonly read: number;
  /** Damaged places that it set aside. */
  readonly damaged: number;
  /** Whether the round is at its end; the next step begins a new one. */
  readonly ended: boolean;
}

const FIELDS = [
  "segment",
  "offset",
  "began",
  "ended",
  "rounds",
  "read",
  "records",
  "damaged",
] as const satisfies readonly (keyof ScrubState)[];

/** What is known of the scrub, from any connection; `undefined` before the first step. */
export function readScrub(db: DatabaseSync): ScrubStatus | undefined {
  const rows = db.prepare("SELECT key, value FROM meta WHERE key LIKE 'scrub.%'").all();
  if (rows.length === 0) return undefined;
  const values = new Map(rows.map(({ key, value }) => [key, Number(value)]));
  const state = Object.fromEntries(
    FIELDS.map((field) => [field, values.get(`scrub.${field}`) ?? 0]),
  ) as unknown as ScrubState;
  const of = Number(db.prepare("SELECT coalesce(sum(size), 0) AS size FROM segments").get()?.size);
  return { ...state, of: Math.max(of, state.read), running: state.began > state.ended };
}

/**
 * Reads about 1 MiB more, sets aside what is damaged and keeps the place, so that a restart goes on
 * there. Whatever the last round found, a new one reads everything again.
 */
export async function scrubStep(pack: Pack, options: SignalOptions = {}): Promise<ScrubStep> {
  const { tables, options: { clock } } = pack;
  const before = readScrub(tables.db);
  const now = clock.now();
  const state = before?.running
    ? before
    // A clock that was put back must not make the begin older than the last end.
    : { ...fresh(before), began: Math.max(now, (before?.ended ?? 0) + 1) };
  const found: Found = { records: 0, bytes: 0, damaged: 0, quarantined: 0, read: 0 };
  const { segment, offset } = state;
  const next = await verifyPart(pack, { segment, offset }, { ...options, repair: true, found });
  const ended = next === undefined;
  keep(pack, {
    ...(next ?? { segment: 0, offset: 0 }),
    began: state.began,
    ended: ended ? Math.max(clock.now(), state.began) : state.ended,
    rounds: state.rounds + (ended ? 1 : 0),
    read: state.read + found.read,
    records: state.records + found.records,
    damaged: state.damaged + found.damaged,
  });
  pack.options.counters.add("scrubbed_bytes", found.read);
  pack.options.counters.add("scrub_findings", found.damaged);
  return { read: found.read, damaged: found.damaged, ended };
}

function fresh(before: ScrubState | undefined): ScrubState {
  const { ended = 0, rounds = 0 } = before ?? {};
  return { segment: 0, offset: 0, began: 0, ended, rounds, read: 0, records: 0, damaged: 0 };
}

function keep({ tables }: Pack, state: ScrubState): void {
  tables.transaction(() => {
    for (const field of FIELDS) tables.setMeta(`scrub.${field}`, state[field]);
  });
}
