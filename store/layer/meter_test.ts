import assert from "node:assert/strict";
import { bytesSource } from "../../core/bytes.ts";
import { ManualClock } from "../../core/clock.ts";
import { keys, pattern, read, text } from "../../test/suites/object_store_asks.ts";
import { MemoryObjectStore } from "../memory.ts";
import { faultLayer } from "./fault.ts";
import { FaultPlan } from "./fault_plan.ts";
import type { Fault } from "./fault_plan.ts";
import { meterLayer } from "./meter.ts";
import type { MeterEvent } from "./meter.ts";

const LARGE = 600_000;

async function metered(...faults: Fault[]) {
  const clock = new ManualClock();
  const events: MeterEvent[] = [];
  const memory = new MemoryObjectStore({ clock });
  await memory.put("a/00/s", bytesSource(text("small")));
  await memory.put("a/00/l", bytesSource(pattern(LARGE)));
  const plan = new FaultPlan(clock, faults);
  const store = meterLayer({ clock, sink: (event) => void events.push(event) })(
    faultLayer(plan)(memory),
  );
  const short = () =>
    events.map(({ operation, outcome, kind, bytes, keys }) =>
      [operation, outcome, kind, bytes, keys].filter((value) => value !== undefined).join(" ")
    );
  return { clock, events, store, plan, short };
}

Deno.test("meterLayer tells of every call once, with bytes and keys", async () => {
  const { store, short } = await metered();
  await read(store, "a/00/s");
  await read(store, "a/00/l", { start: 100, end: 500_000 });
  await read(store, "a/00/missing");
  await store.put("a/00/n", bytesSource(pattern(77)));
  await store.stat(["a/00/s", "a/00/missing"]);
  await store.delete(["a/00/s", "a/00/n", "a/00/missing"]);
  await keys(store);
  assert.deepEqual(short(), [
    "get ok 5 1",
    "get ok 499900 1",
    "get miss 0 1",
    "put ok 77 1",
    "stat ok 0 2",
    "delete ok 0 3",
    "list ok 0 1",
  ]);
});

Deno.test("meterLayer tells of a stream when it ends, with the time until then", async () => {
  const { store, clock, events } = await metered();
  const body = (await store.get("a/00/l"))!;
  clock.advance(500);
  assert.equal(events.length, 0);
  const reader = body.stream().getReader();
  while (!(await reader.read()).done) clock.advance(100);
  assert.equal(events.length, 1);
  assert.equal(events[0]!.bytes, LARGE);
  assert.equal(events[0]!.ms, 800);
});

Deno.test("meterLayer tells leaving from failing", async () => {
  const { store, short, plan } = await metered(
    { operation: "get", key: "a/00/l", type: "cut", at: 300_000, skip: 2, kind: "corrupt" },
    { operation: "put", type: "error" },
    { operation: "list", type: "error", kind: "timeout" },
  );
  await (await store.get("a/00/l"))!.cancel();
  const reader = (await store.get("a/00/l"))!.stream().getReader();
  await reader.read();
  await reader.cancel();
  await assert.rejects(read(store, "a/00/l"));
  await assert.rejects(store.put("a/00/x", bytesSource(text("x"))));
  await assert.rejects(keys(store));
  await assert.rejects(store.stat(["a/00/s"], { signal: AbortSignal.abort() }));
  assert.deepEqual(short(), [
    "get cancelled 0 1",
    "get cancelled 262144 1",
    "get error corrupt 300000 1",
    "put error unavailable 0 1",
    "list error timeout 0 0",
    "stat cancelled 0 1",
  ]);
  assert.equal(plan.pending, 0);
});

Deno.test("meterLayer counts what a list gave before it was left", async () => {
  const { store, short } = await metered();
  for await (const { key } of store.list()) if (key) break;
  assert.deepEqual(short(), ["list ok 0 1"]);
});
