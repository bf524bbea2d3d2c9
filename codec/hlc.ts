/**
 * Hybrid logical clocks (Kulkarni et al., "Logical Physical Clocks", 2014): 48 bits of milliseconds
 * since 1970 above 16 bits of counter, so that stamps order as events did even when a clock jumps.
 */
import { CacheError } from "../core/errors.ts";

const COUNTER_BITS = 16n;
const MAX_MS = 2 ** 48 - 1;
const MAX_HLC = 2n ** 64n - 1n;

/** Milliseconds that a peer's clock may be ahead of ours: a day, more than any time-zone mistake. */
export const MAX_HLC_AHEAD_MS = 24 * 60 * 60 * 1000;

/** The milliseconds of a stamp's clock. */
export function hlcMs(hlc: bigint): number {
  return Number(hlc >> COUNTER_BITS);
}

/**
 * The next value of this store's clock: later than `last`, and `nowMs` if that is later still. When
 * the wall clock has jumped back it counts on from `last`; a full counter carries into the
 * milliseconds.
 * @throws {CacheError} `internal` when `nowMs` or the result is beyond the year 10889
 */
export function nextHlc(last: bigint, nowMs: number): bigint {
  if (!(nowMs >= 0 && nowMs <= MAX_MS)) {
    throw new CacheError(
      "internal",
      `Cannot stamp a change: the clock says ${nowMs} ms, want 0 to ${MAX_MS}`,
      { operation: "hlc.next" },
    );
  }
  const wall = BigInt(Math.floor(nowMs)) << COUNTER_BITS;
  const next = wall > last ? wall : last + 1n;
  if (next <= MAX_HLC) return next;
  throw new CacheError("internal", `Cannot stamp a change: the last stamp is the last of all`, {
    operation: "hlc.next",
  });
}

/**
 * What `last` has to be after a peer's stamp was seen, so that the next own one is later.
 * @throws {CacheError} `invalid_argument` for a stamp more than {@linkcode MAX_HLC_AHEAD_MS} ahead
 * of `nowMs`: taking it would make every later stamp of ours as wrong
 */
export function mergeHlc(last: bigint, seen: bigint, nowMs: number): bigint {
  const ahead = hlcMs(seen) - nowMs;
  if (ahead > MAX_HLC_AHEAD_MS) {
    throw new CacheError(
      "invalid_argument",
      `Cannot take the stamp: it is ${Math.round(ahead)} ms in the future, ` +
        `want at most ${MAX_HLC_AHEAD_MS}`,
      { operation: "hlc.merge", hint: "compare the clocks of both machines" },
    );
  }
  return seen > last ? seen : last;
}
