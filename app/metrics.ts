/** Prometheus metrics: each thread counts, the page is the sum of all threads. */
import { AggregatorRegistry, Counter, Gauge, Registry } from "prom-client";
import type { MetricObject } from "prom-client";
import type { Counters } from "../core/counters.ts";
import type { RoomFacts } from "../core/quota.ts";
import type { AccessEvent } from "../server/deps.ts";
import type { Stats } from "./opened.ts";
import type { CountedMetric } from "./request_counts.ts";
import { RequestCounts, summed } from "./request_counts.ts";

/** A thread's numbers as data that `postMessage` can carry. */
export type MetricsJson = CountedMetric[];

/** Counts the requests of one thread. */
export class ThreadMetrics {
  readonly #counts = new RequestCounts();

  observe(event: AccessEvent): void {
    this.#counts.observe(event);
  }
  json(): MetricsJson {
    const counts = this.#counts;
    return [
      summed("vitte_requests_total", {
        help: "Requests by tool, method, status and outcome",
        type: "counter",
      }, counts.requests()),
      summed("vitte_request_duration_seconds", {
        help: "Time from the request's header to the end of its answer",
        type: "histogram",
      }, counts.seconds()),
      summed("vitte_received_bytes_total", {
        help: "Bytes of request bodies",
        type: "counter",
      }, counts.bytes("received")),
      summed("vitte_sent_bytes_total", {
        help: "Bytes of answer bodies",
        type: "counter",
      }, counts.bytes("sent")),
    ];
  }
}

const TOTALS: readonly (readonly [keyof Stats & string, string, string])[] = [
  ["entries", "vitte_entries", "Entries, without tombstones"],
  ["blobs", "vitte_blobs", "Visible blobs, once a namespace"],
  ["chunks", "vitte_chunks", "Stored chunks"],
  ["logical_bytes", "vitte_logical_bytes", "Bytes of all visible blobs"],
  ["stored_bytes", "vitte_stored_bytes", "Bytes of live records on the medium"],
];

/** The page of `/metrics`: the sum of all threads, totals, and what all threads count together. */
export async function metricsPage(
  threads: readonly MetricsJson[],
  totals: Stats,
  counters: Counters,
): Promise<string> {
  const shared = new Registry();
  for (const [field, name, help] of TOTALS) {
    new Gauge({ name, help, registers: [shared] }).set(Number(totals[field]));
  }
  const counted = [
    ["hits", "vitte_hits_total", "Look-ups of entries that found one"],
    ["misses", "vitte_misses_total", "Look-ups of entries that found none"],
    ["masked_errors", "vitte_masked_errors_total", "Errors shown to a build tool as a miss"],
    ["quarantined", "vitte_quarantined_total", "Records and tables that failed their check"],
    ["scrubbed_bytes", "vitte_scrubbed_bytes_total", "Bytes read in the background"],
    ["scrub_findings", "vitte_scrub_findings_total", "Damaged places that this reading found"],
    ["losses", "vitte_losses_total", "Records evicted or quarantined"],
    ["evicted_bytes", "vitte_evicted_bytes_total", "Bytes evicted to make room"],
    ["let_go", "vitte_let_go_total", "Entries that made room in their namespace or scope"],
    ["uploads_aborted", "vitte_uploads_aborted_total", "Uploads that did not end well"],
  ] as const;
  for (const [counter, name, help] of counted) {
    new Counter({ name, help, registers: [shared] }).inc(counters.get(counter));
  }
  const held = [
    ["bytes_in_flight", "vitte_in_flight_bytes", "Bytes of bodies on their way"],
    ["answer_bytes", "vitte_answer_bytes", "Bytes held for clients to read"],
  ] as const;
  for (const [counter, name, help] of held) {
    new Gauge({ name, help, registers: [shared] }).set(counters.get(counter));
  }
  setRoom(shared, totals as Partial<RoomFacts>);
  const own = await shared.getMetricsAsJSON() as MetricsJson;
  // Declared as single metrics, meant are the lists of whole threads.
  const all = [...threads, own] as unknown as MetricObject[];
  return await AggregatorRegistry.aggregate(all).metrics();
}

/**
 * What namespaces with quotas hold, and may: these names the operator has given himself, all others
 * are nobody's business here. `scope` is empty for a namespace as a whole.
 */
function setRoom(shared: Registry, { namespaces = [], pinned }: Partial<RoomFacts>): void {
  const gauge = (name: string, help: string) =>
    new Gauge({ name, help, labelNames: ["namespace", "scope"], registers: [shared] });
  const bytes = gauge(
    "vitte_namespace_bytes",
    "Bytes that a namespace, or a share of scopes, holds",
  );
  const entries = gauge("vitte_namespace_entries", "Entries of the same");
  const maxBytes = gauge(
    "vitte_namespace_max_bytes",
    "Bytes that it may hold, where there is a limit",
  );
  const maxEntries = gauge("vitte_namespace_max_entries", "Entries that it may hold, likewise");
  for (const use of namespaces) {
    if (use.max_bytes === null && use.max_entries === null) continue;
    const labels = { namespace: use.namespace, scope: use.scope ?? "" };
    bytes.set(labels, use.bytes);
    entries.set(labels, use.entries);
    if (use.max_bytes !== null) maxBytes.set(labels, use.max_bytes);
    if (use.max_entries !== null) maxEntries.set(labels, use.max_entries);
  }
  new Gauge({
    name: "vitte_pinned_bytes",
    help: "Bytes that pinned entries hold",
    registers: [shared],
  }).set(pinned?.bytes ?? 0);
}
