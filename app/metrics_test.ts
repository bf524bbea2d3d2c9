import assert from "node:assert/strict";
import { COUNTERS, Counters } from "../core/counters.ts";
import type { AccessEvent } from "../server/deps.ts";
import { fromFileUrl } from "../test/helpers/paths.ts";
import { metricsPage, ThreadMetrics } from "./metrics.ts";

const GOLDEN = fromFileUrl("../golden/metric_names.txt");
const TOTALS = {
  entries: 3,
  blobs: 4,
  chunks: 5,
  logical_bytes: 6,
  stored_bytes: 7,
  hits: 0,
  misses: 0,
};

function event(rest: Partial<AccessEvent> = {}): AccessEvent {
  return {
    id: "1",
    method: "GET",
    route: "blob",
    tool: "bazel",
    namespace: "default",
    principal: "secret-name",
    digest: "0123456789ab",
    status: 200,
    outcome: "hit",
    bytesReceived: 0,
    bytesSent: 100,
    milliseconds: 3,
    lookup: true,
    savedMs: 0,
    ...rest,
  };
}

/** The numbers of a page by name and labels. */
function samples(page: string): Map<string, number> {
  const lines = page.split("\n").filter((line) => line !== "" && !line.startsWith("#"));
  return new Map(lines.map((line) => {
    const at = line.lastIndexOf(" ");
    return [line.slice(0, at), Number(line.slice(at + 1))];
  }));
}

Deno.test("metricsPage is the sum of two threads, and each of the shared numbers once", async () => {
  const threads = [new ThreadMetrics(), new ThreadMetrics()];
  threads[0]!.observe(event());
  threads[1]!.observe(event({ milliseconds: 40 }));
  threads[1]!.observe(event({ status: 404, outcome: "miss", bytesSent: 0, bytesReceived: 9 }));
  const counters = new Counters();
  for (const [n, name] of COUNTERS.entries()) counters.add(name, n + 1);
  const jsons = threads.map((thread) => thread.json());
  // As it comes from another thread.
  const page = await metricsPage(structuredClone(jsons), TOTALS, counters);
  const found = samples(page);
  const hit = 'vitte_requests_total{tool="bazel",method="GET",status="200",outcome="hit"}';
  const miss = 'vitte_requests_total{tool="bazel",method="GET",status="404",outcome="miss"}';
  assert.equal(found.get(hit), 2, page);
  assert.equal(found.get(miss), 1);
  assert.equal(found.get('vitte_sent_bytes_total{tool="bazel"}'), 200);
  assert.equal(found.get('vitte_received_bytes_total{tool="bazel"}'), 9);
  const seconds = (rest: string) => found.get(`vitte_request_duration_seconds${rest}`);
  assert.equal(seconds('_count{tool="bazel",method="GET"}'), 3);
  assert.ok(Math.abs(seconds('_sum{tool="bazel",method="GET"}')! - 0.046) < 1e-9);
  assert.equal(seconds('_bucket{le="0.005",tool="bazel",method="GET"}'), 2);
  assert.equal(seconds('_bucket{le="0.05",tool="bazel",method="GET"}'), 3);
  assert.deepEqual(
    ["entries", "blobs", "chunks", "logical_bytes", "stored_bytes"].map((name) =>
      found.get(`vitte_${name}`)
    ),
    [3, 4, 5, 6, 7],
  );
  const shared = [
    ["hits_total", "hits"],
    ["misses_total", "misses"],
    ["masked_errors_total", "masked_errors"],
    ["quarantined_total", "quarantined"],
    ["losses_total", "losses"],
    ["evicted_bytes_total", "evicted_bytes"],
    ["uploads_aborted_total", "uploads_aborted"],
    ["in_flight_bytes", "bytes_in_flight"],
    ["answer_bytes", "answer_bytes"],
  ] as const;
  for (const [name, counter] of shared) {
    assert.equal(found.get(`vitte_${name}`), COUNTERS.indexOf(counter) + 1, name);
  }
});

Deno.test("metricsPage tells nobody's name, namespace or digest", async () => {
  const thread = new ThreadMetrics();
  thread.observe(event({ namespace: "hidden-namespace" }));
  const page = await metricsPage([thread.json()], TOTALS, new Counters());
  for (const word of ["secret-name", "hidden-namespace", "0123456789ab"]) {
    assert.ok(!page.includes(word), word);
  }
});

Deno.test("metricsPage keeps its names, types and labels: alarms and dashboards stand on them", async () => {
  const thread = new ThreadMetrics();
  thread.observe(event({ bytesReceived: 1 }));
  const page = await metricsPage([thread.json()], TOTALS, new Counters());
  const types = page.split("\n").filter((line) => line.startsWith("# TYPE "));
  const names = new Set([...samples(page).keys()].map((name) => name.replace(/="[^"]*"/g, "")));
  const text = [...types.map((line) => line.slice(7)).sort(), "", ...[...names].sort(), ""]
    .join("\n");
  if (Deno.env.get("VITTE_UPDATE_GOLDEN") === "1") await Deno.writeTextFile(GOLDEN, text);
  assert.equal(text, await Deno.readTextFile(GOLDEN));
});
