/** Answers about a cache in memory: its entries, and an audit in which nothing stands. */
import { createInsight } from "../../app/insight.ts";
import { noSeal } from "../../codec/seal.ts";
import type { Cache } from "../../core/cache.ts";
import type { Insight } from "../../core/insight.ts";

/** The real answers, over whatever cache. */
export function memoryInsight(cache: Cache): Insight {
  return createInsight({
    cache,
    tokens: { changes: () => [] },
    auditDir: "/nowhere/audit",
    context: { keys: { indexKey: new Uint8Array(32) }, seal: noSeal },
    usage: () => Promise.resolve([]),
  });
}
