/** Questions after an incident: what is there, who changed it, what was it worth. */
import type { AuditPage, AuditQuery, EntryChange } from "./audit.ts";
import type { SignalOptions } from "./bytes.ts";
import type { BlobRef, Entry, EntryKey } from "./entry.ts";
import type { Principal } from "./policy.ts";

/** Whose entries somebody may look at and remove. */
export interface Reach {
  /** Scopes, first match wins; `undefined` for all. */
  readonly scopes: readonly string[] | undefined;
  /** Scopes that a read would go through, in order. */
  readonly readScopes: readonly string[];
}

/** A key to look into. */
export interface InspectLookup extends Reach, SignalOptions {
  readonly namespace: string;
  readonly key: string;
  /** Default: every tool's. */
  readonly protocol?: string | undefined;
}

/** An entry as it stands, served or not. */
export interface InspectedEntry {
  readonly entry: Entry;
  /** Whether a read of this key and protocol would get it. */
  readonly served: boolean;
  /** Why not; `undefined` when it is served. */
  readonly reason: string | undefined;
  readonly blobs: readonly (BlobRef & { readonly present: boolean })[];
}

/** All that is known of a key. */
export interface Inspection {
  readonly entries: readonly InspectedEntry[];
  /** Changes, oldest first; at most the newest {@linkcode MAX_HISTORY}. */
  readonly history: readonly EntryChange[];
}

/** Changes of one key that an inspection tells. */
export const MAX_HISTORY = 1000;

/** Which entries go; all filters must hold. */
export interface RemoveFilter {
  /** Exactly these keys. */
  readonly keys?: readonly string[] | undefined;
  readonly prefix?: string | undefined;
  /** Name of the token that wrote them. */
  readonly writer?: string | undefined;
  /** Created then or later, milliseconds since 1970. */
  readonly since?: number | undefined;
  /** Created before, milliseconds since 1970. */
  readonly until?: number | undefined;
  readonly protocol?: string | undefined;
  /** Default: all that whoever asks may remove from. */
  readonly scope?: string | undefined;
}

/** A step of a removal. */
export interface RemoveRequest extends RemoveFilter, SignalOptions {
  readonly namespace: string;
  /** Scopes that may be touched; `undefined` for all. */
  readonly scopes: readonly string[] | undefined;
  /** Only tell what would go. */
  readonly dryRun: boolean;
  /** Name of the token that removes. */
  readonly by: string;
  /** `next` of an earlier step. */
  readonly after?: string | undefined;
}

/** What a step did. A removal that was cut off may be begun anew: what is gone is gone. */
export interface RemoveStep {
  /** What was found, or, unless only asked, what went. */
  readonly entries: readonly EntryKey[];
  /** Goes into `after` of the next step; `undefined` at the end. */
  readonly next: string | undefined;
}

/** How usage can be grouped. */
export const USAGE_GROUPS = ["tool", "namespace", "hour", "day"] as const;
/** One of {@linkcode USAGE_GROUPS}. */
export type UsageGroup = typeof USAGE_GROUPS[number];

/** What was counted; times of builds saved are milliseconds. */
export interface UsageCounts {
  readonly requests: number;
  /** Look-ups of entries. */
  readonly hits: number;
  readonly misses: number;
  /** Answers that showed an error as a miss. */
  readonly masked: number;
  /** Uploads that were taken. */
  readonly writes: number;
  readonly bytes_in: number;
  readonly bytes_out: number;
  /** Sum of the cost of all entries that were read. */
  readonly saved_ms: number;
}

/** A group and its counts. */
export interface UsageRow extends UsageCounts {
  /** Name of the tool or namespace, or the begin of the hour or day in ISO 8601, UTC. */
  readonly group: string;
}

/** Which usage. */
export interface UsageQuery {
  readonly by: UsageGroup;
  /** Milliseconds since 1970; whole hours or days are counted. Default: all that is kept. */
  readonly since?: number | undefined;
  /** Only these. Default: all. */
  readonly namespaces?: readonly string[] | undefined;
}

/** Whoever can answer. The same on a folder and over the wire, where the token decides the reach. */
export interface Insight {
  inspect(lookup: InspectLookup): Promise<Inspection>;
  /** Removes a bounded number of entries that match, or tells which they are. */
  removeStep(request: RemoveRequest): Promise<RemoveStep>;
  /** A page of the audit, oldest first. */
  audit(query: AuditQuery): Promise<AuditPage>;
  /** What was used, in order of groups. */
  usage(query: UsageQuery): Promise<UsageRow[]>;
}

/** `admin` may look into and remove from every scope; others read theirs and remove from their own. */
export function reachOf({ verbs, readScopes }: Principal): Reach {
  return { scopes: verbs.includes("admin") ? undefined : readScopes, readScopes };
}
