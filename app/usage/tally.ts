/** Usage as one thread counts it, between two messages to the main thread. */
import type { UsageCounts } from "../../core/insight.ts";
import type { AccessEvent } from "../../server/deps.ts";

/** Counts of one tool in one namespace. */
export interface UsageDelta extends UsageCounts {
  readonly tool: string;
  readonly namespace: string;
}

/** Names that one thread keeps apart between two messages; whoever has a token can make up more. */
const MAX_GROUPS = 2000;
/** Stands for every namespace beyond that. */
export const OTHERS = "(others)";

/** Adds requests up. Only this thread writes here: nothing is locked and nothing waits. */
export class UsageTally {
  /** By tool, then by namespace. */
  #tools = new Map<string, Map<string, Counting>>();
  #groups: Counting[] = [];

  observe(event: AccessEvent): void {
    // Without a token anybody could fill the table with names.
    if (event.principal === "" || event.namespace === "") return;
    const { outcome } = event;
    const group = this.#groupOf(event.tool, event.namespace);
    group.requests++;
    if (event.lookup && outcome === "hit") group.hits++;
    if (event.lookup && outcome === "miss") group.misses++;
    if (outcome === "masked") group.masked++;
    if (outcome === "ok" && event.method === "PUT") group.writes++;
    group.bytes_in += event.bytesReceived;
    group.bytes_out += event.bytesSent;
    // The one number that a client makes up.
    group.saved_ms = Math.min(group.saved_ms + event.savedMs, Number.MAX_SAFE_INTEGER);
  }
  /** What was counted since the last call; empty if nothing was. */
  take(): UsageDelta[] {
    const deltas = this.#groups;
    this.#tools = new Map();
    this.#groups = [];
    return deltas;
  }
  #groupOf(tool: string, namespace: string): Counting {
    let groups = this.#tools.get(tool);
    if (!groups) this.#tools.set(tool, groups = new Map());
    const known = groups.get(namespace);
    if (known) return known;
    const full = this.#groups.length >= MAX_GROUPS;
    if (full && namespace !== OTHERS) return this.#groupOf(tool, OTHERS);
    const group: Counting = { tool, namespace, ...NO_USAGE };
    groups.set(namespace, group);
    this.#groups.push(group);
    return group;
  }
}

/** A group that is still counted. */
type Counting = { -readonly [Field in keyof UsageDelta]: UsageDelta[Field] };

/** Nothing was used. */
export const NO_USAGE: UsageCounts = {
  requests: 0,
  hits: 0,
  misses: 0,
  masked: 0,
  writes: 0,
  bytes_in: 0,
  bytes_out: 0,
  saved_ms: 0,
};

/** The counts, in the order in which tables have them. */
export const USAGE_FIELDS = Object.keys(NO_USAGE) as (keyof UsageCounts)[];

/** `sum` with `more` added. */
export function addUsage<T extends UsageCounts>(sum: T, more: UsageCounts): T {
  const total = { ...sum };
  for (const field of USAGE_FIELDS) {
    Object.assign(total, { [field]: Math.min(sum[field] + more[field], Number.MAX_SAFE_INTEGER) });
  }
  return total;
}
