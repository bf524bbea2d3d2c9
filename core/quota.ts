/** Quotas: what a namespace, or some of its scopes together, may hold. */
import type { PinTotals } from "./pins.ts";

/** An amount. */
export interface Holds {
  readonly bytes: number;
  readonly entries: number;
}

/** What is too much of something. */
export type Excess = Holds;

/** The share of all scopes together that a pattern names. */
export interface ScopeQuota extends Partial<Holds> {
  /** A scope's name, in which `*` stands for anything: `pr/*`. */
  readonly pattern: string;
}

/**
 * The quota of a namespace. Of a namespace the bytes are those of the blobs that it sees, each
 * counted once; of scopes those of the blobs that their entries name. What is not said has no limit.
 */
export interface NamespaceQuota extends Partial<Holds> {
  readonly namespace: string;
  readonly scopes: readonly ScopeQuota[];
}

/** What one namespace, or some of its scopes, hold of what they may. */
export interface QuotaUse {
  readonly namespace: string;
  /** The pattern of some scopes; `null` for the namespace as a whole. */
  readonly scope: string | null;
  readonly entries: number;
  readonly bytes: number;
  /** `null` for no limit. */
  readonly max_entries: number | null;
  readonly max_bytes: number | null;
}

/** What would go next in a namespace, and why. */
export interface GoingEntry {
  readonly namespace: string;
  /** As in {@linkcode QuotaUse}. */
  readonly scope: string | null;
  /** The key, or the digest of a blob that no entry names. */
  readonly what: string;
  readonly bytes: number;
  /** A half sentence for a person. */
  readonly reason: string;
}

/** How the room of a store is shared out. */
export interface RoomFacts {
  /** Every namespace, and of those with quotas also each share of scopes. */
  readonly namespaces: readonly QuotaUse[];
  readonly pinned: PinTotals;
}

/** Namespaces of one answer. */
export const MAX_TOLD_NAMESPACES = 1000;

/** Lines of what would go next, for each limit. */
export const MAX_NEXT_ENTRIES = 5;
