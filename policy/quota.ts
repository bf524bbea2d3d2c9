/** What a namespace or a scope may hold, and what of it goes first when that is too little. */
import type { KeepScore } from "../core/policy.ts";
import type { Excess, Holds, NamespaceQuota, ScopeQuota } from "../core/quota.ts";
import { formatDuration, formatSize } from "../core/units.ts";
import { keepScore } from "./decide.ts";

/** Facts of an entry, or of a blob that no entry names, for the choice of what goes first. */
export interface HeldFacts {
  /** Bytes of the blobs. */
  readonly bytes: number;
  /** Milliseconds since 1970. */
  readonly created: number;
  /** The same; 0 if it was never used. */
  readonly used: number;
}

/** Whether a scope's name is what the pattern says: `*` stands for anything, also for nothing. */
export function matchesScope(pattern: string, scope: string): boolean {
  const [first = "", ...parts] = pattern.split("*");
  if (parts.length === 0) return scope === pattern;
  if (!scope.startsWith(first)) return false;
  const last = parts.pop()!;
  let at = first.length;
  for (const part of parts) {
    const found = scope.indexOf(part, at);
    if (found < 0) return false;
    at = found + part.length;
  }
  return scope.length - last.length >= at && scope.endsWith(last);
}

/** The share that a scope has a part in; of several the one with the longest pattern. */
export function scopeQuotaOf(quota: NamespaceQuota, scope: string): ScopeQuota | undefined {
  let best: ScopeQuota | undefined;
  for (const share of quota.scopes) {
    if (!matchesScope(share.pattern, scope)) continue;
    if (!best || share.pattern.length > best.pattern.length) best = share;
  }
  return best;
}

/** How much is too much once `more` has come; 0 and 0 where there is room. */
export function excessOf(held: Holds, more: Holds, limit: Partial<Holds>): Excess {
  const over = (has: number, comes: number, most: number | undefined) =>
    // What adds nothing is never refused: a store whose limit was lowered can still be worked with.
    most === undefined || comes <= 0 ? 0 : Math.max(0, has + comes - most);
  return {
    bytes: over(held.bytes, more.bytes, limit.bytes),
    entries: over(held.entries, more.entries, limit.entries),
  };
}

/** As {@linkcode keepScore}, with the reason in words. */
export function keepHeld({ bytes, created, used }: HeldFacts, now: number): KeepScore {
  const last = Math.max(used, created);
  const ago = formatDuration(Math.max(0, now - last));
  return {
    score: keepScore({ size: bytes, created, used }, now),
    reason: `${used > created ? "last used" : "written"} ${ago} ago, ${formatSize(bytes)}`,
  };
}

/** In the order in which they go, each with its score; of equals the older one first. */
export function lettingOrder<T extends HeldFacts>(
  held: readonly T[],
  now: number,
): (KeepScore & { readonly item: T })[] {
  return held.map((item) => ({ item, ...keepHeld(item, now) }))
    .sort((a, b) => a.score - b.score || a.item.created - b.item.created);
}
