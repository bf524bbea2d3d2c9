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
  #groups = new Map<string, UsageDelta>();

  observe(event: AccessEvent): void {
    // Without a token anybody could fill the table with names.
    if (event.principal === "" || event.namespace === "") return;
    const { outcome, tool } = event;
    const taken = outcome === "ok" && event.method === "PUT";
    let namespace = event.namespace;
    let group = this.#groups.get(`${tool} ${namespace}`);
    if (!group && this.#groups.size >= MAX_GROUPS) {
      namespace = OTHERS;
      group = this.#groups.get(`${tool} ${namespace}`);
    }
    this.#groups.set(
      `${tool} ${namespace}`,
      addUsage(group ?? { tool, namespace, ...NO_USAGE }, {
        requests: 1,
        hits: event.lookup && outcome === "hit" ? 1 : 0,
        misses: event.lookup && outcome === "miss" ? 1 : 0,
        masked: outcome === "masked" ? 1 : 0,
        writes: taken ? 1 : 0,
        bytes_in: event.bytesReceived,
        bytes_out: event.bytesSent,
        saved_ms: event.savedMs,
      }),
    );
  }
  /** What was counted since the last call; empty if nothing was. */
  take(): UsageDelta[] {
    if (this.#groups.size === 0) return [];
    const deltas = [...this.#groups.values()];
    this.#groups = new Map();
    return deltas;
  }
}

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
