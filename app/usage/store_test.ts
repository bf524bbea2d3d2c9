import assert from "node:assert/strict";
import { DatabaseSync } from "node:sqlite";
import { noSeal } from "../../codec/seal.ts";
import { ManualClock } from "../../core/clock.ts";
import { USAGE_DAYS, USAGE_GROUPS_PER_HOUR, USAGE_HOURS } from "../../core/limits.ts";
import type { AccessEvent } from "../../server/deps.ts";
import { tempDir } from "../../test/helpers/temp.ts";
import { LazyUsage } from "./lazy.ts";
import { openUsage } from "./store.ts";
import { NO_USAGE, OTHERS, UsageTally } from "./tally.ts";
import type { UsageDelta } from "./tally.ts";

const HOUR = 3_600_000;
const context = { keys: { indexKey: new Uint8Array(32) }, seal: noSeal };

function delta(rest: Partial<UsageDelta> = {}): UsageDelta {
  return { ...NO_USAGE, tool: "kv", namespace: "default", requests: 1, hits: 1, ...rest };
}

function event(rest: Partial<AccessEvent>): AccessEvent {
  return {
    id: "1",
    method: "GET",
    route: "entry",
    tool: "native",
    namespace: "default",
    principal: "ci",
    digest: "",
    status: 200,
    outcome: "ok",
    bytesReceived: 0,
    bytesSent: 0,
    milliseconds: 1,
    lookup: false,
    savedMs: 0,
    ...rest,
  };
}

Deno.test("UsageTally counts look-ups, uploads, masked answers and what hits saved, by tool", () => {
  const tally = new UsageTally();
  const lookup = true;
  tally.observe(event({ outcome: "hit", lookup, bytesSent: 10, savedMs: 700 }));
  tally.observe(event({ outcome: "hit", bytesSent: 5 }));
  tally.observe(event({ outcome: "miss", lookup, status: 404 }));
  tally.observe(event({ method: "PUT", bytesReceived: 7 }));
  tally.observe(event({ tool: "bazel", outcome: "masked", lookup, status: 404 }));
  tally.observe(event({ principal: "", namespace: "made-up", outcome: "denied" }));
  assert.deepEqual(tally.take(), [
    {
      tool: "native",
      namespace: "default",
      requests: 4,
      hits: 1,
      misses: 1,
      masked: 0,
      writes: 1,
      bytes_in: 7,
      bytes_out: 15,
      saved_ms: 700,
    },
    { ...NO_USAGE, tool: "bazel", namespace: "default", requests: 1, masked: 1 },
  ]);
  assert.deepEqual(tally.take(), []);
});

Deno.test("UsageStore groups by tool, namespace, hour and day, current at once and after a start", async () => {
  await using dir = await tempDir();
  const clock = new ManualClock();
  clock.advance(1000 * 24 * HOUR - clock.now() + 23 * HOUR);
  const options = { path: dir.join("usage.sqlite"), context, clock, report: assert.fail };
  const want = {
    tool: [["bazel", 2], ["kv", 3]],
    namespace: [["default", 3], ["team", 2]],
    hour: [["1972-09-27T23:00:00.000Z", 2], ["1972-09-28T00:00:00.000Z", 3]],
    day: [["1972-09-27T00:00:00.000Z", 2], ["1972-09-28T00:00:00.000Z", 3]],
  };
  {
    using store = openUsage(options);
    store.add([delta({ hits: 1 }), delta({ hits: 1 })]);
    clock.advance(HOUR);
    store.add([delta({ hits: 1 }), delta({ tool: "bazel", namespace: "team", hits: 2 })]);
    for (const by of ["tool", "namespace", "hour", "day"] as const) {
      assert.deepEqual(store.query({ by }).map(({ group, hits }) => [group, hits]), want[by], by);
    }
  }
  using store = openUsage(options);
  for (const by of ["tool", "namespace", "hour", "day"] as const) {
    assert.deepEqual(store.query({ by }).map(({ group, hits }) => [group, hits]), want[by], by);
  }
  const since = clock.now();
  assert.deepEqual(store.query({ by: "tool", since }).map(({ hits }) => hits), [2, 1]);
  const own = store.query({ by: "tool", namespaces: ["team"] });
  assert.deepEqual(own.map(({ group }) => group), ["bazel"]);
});

Deno.test("UsageStore keeps 14 days of hours and 400 days, whatever the clock does", async () => {
  await using dir = await tempDir();
  const clock = new ManualClock();
  clock.advance(20_000 * 24 * HOUR - clock.now());
  const path = dir.join("usage.sqlite");
  let jump = 0;
  const jumping = {
    ...clock,
    now: () => clock.now() + jump,
    monotonic: () => 0,
    sleep: clock.sleep,
  };
  using store = openUsage({ path, context, clock: jumping, report: assert.fail });
  for (let hour = 0; hour < USAGE_HOURS + 50; hour++) {
    store.add([delta()]);
    clock.advance(HOUR);
    // Now and then the clock is a hundred years ahead, or in 1970.
    if (hour % 100 !== 50) continue;
    for (jump of [876_000 * HOUR, -clock.now()]) store.add([delta()]);
    jump = 0;
    store.flush();
  }
  const hours = store.query({ by: "hour" });
  assert.equal(hours.length, USAGE_HOURS);
  const last = new Date(clock.now() - HOUR).toISOString();
  assert.ok(hours.some(({ group }) => group === last), "the newest hour is there");
  for (let day = 0; day < USAGE_DAYS + 20; day++) {
    clock.advance(24 * HOUR);
    store.add([delta()]);
    store.flush();
  }
  assert.equal(store.query({ by: "day" }).length, USAGE_DAYS);
});

Deno.test("UsageStore counts namespaces beyond its limit together, and loses none of them", async () => {
  await using dir = await tempDir();
  const clock = new ManualClock();
  using store = openUsage({ path: dir.join("u.sqlite"), context, clock, report: assert.fail });
  const count = USAGE_GROUPS_PER_HOUR + 30;
  store.add(Array.from({ length: count }, (_, n) => delta({ namespace: `n${n}` })));
  store.add([delta({ namespace: "n1" })]);
  const rows = store.query({ by: "namespace" });
  assert.equal(rows.length, USAGE_GROUPS_PER_HOUR + 1);
  assert.equal(rows.find(({ group }) => group === OTHERS)?.hits, 30);
  assert.equal(rows.find(({ group }) => group === "n1")?.hits, 2);
});

Deno.test("openUsage() makes a damaged file anew and says so", async () => {
  await using dir = await tempDir();
  const path = dir.join("usage.sqlite");
  await Deno.writeTextFile(path, "no database ".repeat(1000));
  const told: string[] = [];
  const report = (error: Error) => void told.push(error.message);
  using store = openUsage({ path, context, clock: new ManualClock(), report });
  store.add([delta()]);
  assert.equal(store.query({ by: "tool" })[0]?.hits, 1);
  assert.equal(told.length, 1);
});

Deno.test("usage that can not be opened now is not counted, ends nothing, and loses nothing", async () => {
  await using dir = await tempDir();
  const path = dir.join("usage.sqlite");
  const told: string[] = [];
  const report = (error: Error) => void told.push(error.message);
  const options = { path, context, clock: new ManualClock(), report };
  {
    using store = openUsage(options);
    store.add([delta()]);
  }
  using usage = new LazyUsage(options);
  {
    using other = new DatabaseSync(path);
    other.exec("PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE");
    usage.add([delta()]);
    usage.add([delta()]);
    assert.equal(told.length, 1, told.join());
    assert.throws(() => usage.query({ by: "tool" }), /locked/);
  }
  usage.add([delta({ hits: 5 })]);
  assert.equal(usage.query({ by: "tool" })[0]?.hits, 6);
});
