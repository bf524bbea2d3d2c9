import assert from "node:assert/strict";
import { bytesSource } from "../../core/bytes.ts";
import { ManualClock } from "../../core/clock.ts";
import type { CacheError } from "../../core/errors.ts";
import {
  assertSame,
  keys,
  pattern,
  read,
  rejectsKind,
  text,
} from "../../test/suites/object_store_asks.ts";
import { MemoryObjectStore } from "../memory.ts";
import { faultLayer } from "./fault.ts";
import { FaultPlan } from "./fault_plan.ts";
import type { Fault } from "./fault_plan.ts";

const KEY = "a/00/x";

async function faulty(...faults: Fault[]) {
  const memory = new MemoryObjectStore();
  await memory.put(KEY, bytesSource(text("old value")));
  const clock = new ManualClock();
  const plan = new FaultPlan(clock, faults);
  return { memory, clock, plan, store: faultLayer(plan)(memory) };
}

Deno.test("faultLayer fails the planned call with the planned kind, and no other", async () => {
  const { store, plan } = await faulty(
    { operation: "get", type: "error", kind: "rate_limited", skip: 1, times: 2 },
    { operation: "get", type: "error", key: "a/00/other", retry: "permanent" },
  );
  assert.equal(plan.pending, 3);
  await store.get(KEY);
  await rejectsKind(store.get(KEY), "rate_limited");
  await rejectsKind(store.get(KEY), "rate_limited");
  await store.get(KEY);
  assert.equal(plan.pending, 1);
  await assert.rejects(store.get("a/00/other"), (error: CacheError) => error.retry === "permanent");
  assert.equal(plan.pending, 0);
  assert.equal(plan.calls.get, 5);
});

Deno.test("faultLayer cuts a body at a byte, also a small one", async () => {
  const { store } = await faulty({ operation: "get", type: "cut", at: 3 });
  const reader = (await store.get(KEY))!.stream().getReader();
  assert.deepEqual((await reader.read()).value, text("old"));
  await rejectsKind(reader.read(), "unavailable");
});

Deno.test("faultLayer leaves the first bytes of a half-written put", async () => {
  for (const at of [0, 3, 300_000]) {
    const { store, memory } = await faulty({ operation: "put", type: "half", at });
    await rejectsKind(store.put(KEY, bytesSource(pattern(600_000))), "unavailable");
    assertSame(await read(memory, KEY), pattern(600_000).slice(0, at), KEY);
  }
});

Deno.test("faultLayer does the work of a call whose answer is lost", async () => {
  const { store, memory } = await faulty(
    { operation: "put", type: "lost" },
    { operation: "delete", type: "lost" },
  );
  await rejectsKind(store.put("a/00/y", bytesSource(text("y"))), "unavailable");
  await rejectsKind(store.delete([KEY]), "unavailable");
  assert.deepEqual(await keys(memory), ["a/00/y"]);
});

Deno.test("faultLayer delays a call by the plan's clock, and the wait can be given up", async () => {
  const { store, clock } = await faulty({ operation: "stat", type: "delay", ms: 500, times: 2 });
  let done = false;
  const stat = store.stat([KEY]).then(() => done = true);
  clock.advance(499);
  await Promise.resolve();
  assert.ok(!done);
  clock.advance(1);
  await stat;
  const abort = new AbortController();
  const waiting = store.stat([KEY], { signal: abort.signal });
  abort.abort(new Error("enough"));
  await assert.rejects(waiting, /enough/);
});

Deno.test("faultLayer answers stale reads as before the last change", async () => {
  const { store, plan } = await faulty(
    { operation: "get", type: "stale", times: 2 },
    { operation: "stat", type: "stale" },
    { operation: "list", type: "stale" },
  );
  await store.put("a/00/new", bytesSource(text("new")));
  await store.put(KEY, bytesSource(text("newer value")));
  assert.deepEqual(await read(store, KEY), text("old value"));
  assert.equal(await store.get("a/00/new"), undefined);
  assert.deepEqual((await store.stat([KEY, "a/00/new"])).map((info) => info?.size), [9, undefined]);
  assert.deepEqual(await keys(store), [KEY]);
  assert.equal(plan.pending, 0);
  assert.deepEqual(await read(store, KEY), text("newer value"));
  assert.deepEqual(await keys(store), ["a/00/new", KEY]);
});

Deno.test("faultLayer lists a removed object once more when stale", async () => {
  const { store } = await faulty({ operation: "list", type: "stale" });
  await store.put("b/00/z", bytesSource(text("z")));
  await store.delete([KEY, "b/00/z"]);
  assert.deepEqual(await keys(store), [KEY, "b/00/z"]);
  assert.deepEqual(await keys(store), []);
});

Deno.test("FaultPlan refuses a fault that no call could meet", () => {
  const clock = new ManualClock();
  assert.throws(
    () => new FaultPlan(clock, [{ operation: "stat", type: "half", at: 1 }]),
    TypeError,
  );
  assert.throws(() => new FaultPlan(clock, [{ operation: "put", type: "stale" }]), TypeError);
});
