/** Which pack goes first when room is needed. */
import type { Evictable, KeepScore, PackFacts } from "../core/policy.ts";
import { formatDuration, formatShare } from "../core/units.ts";

/** What was used just now is told apart by what is alive all the same. */
const LEAST_UNUSED_MS = 1000;

/**
 * Minus the time since what is alive in the pack was used, on average, divided by the share of its
 * bytes that is alive: of two packs used alike the one goes that loses less for the room it gives,
 * and one of which a quarter is alive goes after a quarter of the time. Nothing alive: first of all.
 */
export function keepPack({ size, alive, used }: PackFacts, now: number): KeepScore {
  if (alive <= 0) return { score: -Infinity, reason: "nothing in it is alive" };
  // A use in the future (a clock that jumped) counts as now.
  const unused = Math.max(0, now - used);
  const share = Math.min(1, alive / Math.max(1, size));
  return {
    score: -(unused + LEAST_UNUSED_MS) / share,
    reason: `last used ${formatDuration(unused)} ago on average, ${formatShare(share)} alive`,
  };
}

/** The packs in the order in which they go, each with its score. */
export function evictionOrder<T extends PackFacts>(
  packs: readonly T[],
  now: number,
): Evictable<T>[] {
  return packs.map((pack) => ({ pack, ...keepPack(pack, now) }))
    .sort((a, b) => a.score === b.score ? 0 : a.score - b.score);
}
