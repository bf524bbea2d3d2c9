import assert from "node:assert/strict";
import { bytesSource, streamSource } from "../../core/bytes.ts";
import { ManualClock } from "../../core/clock.ts";
import { CacheError, isKind } from "../../core/errors.ts";
import { RESUME_SKEW_MS } from "../../core/limits.ts";
import type { ObjectStore } from "../../core/object_store.ts";
import {
  assertSame,
  badSource,
  keys,
  pattern,
  read,
  rejectsKind,
  rejectsWith,
  text,
} from "../../test/suites/object_store_asks.ts";
import { MemoryObjectStore } from "../memory.ts";
import { faultLayer } from "./fault.ts";
import { FaultPlan } from "./fault_plan.ts";
import type { Fault } from "./fault_plan.ts";
import { forwardStore } from "./layer.ts";
import { retryLayer } from "./retry.ts";

const LARGE = 600_000;
const KEY = "a/00/l";

/** Moves the clock on whenever somebody sleeps, until `call` is settled; notes the sleeps. */
class Patience extends ManualClock {
  readonly slept: number[] = [];

  override sleep(ms: number, signal?: AbortSignal): Promise<void> {
    this.slept.push(ms);
    const sleeping = super.sleep(ms, signal);
    queueMicrotask(() => this.advance(ms));
    return sleeping;
  }
}

async function retrying(faults: Fault[], random = () => 0.5, clock = new Patience()) {
  const memory = new MemoryObjectStore({ clock });
  await memory.put(KEY, bytesSource(pattern(LARGE)));
  for (const name of ["p", "q", "r"]) await memory.put(`a/01/${name}`, bytesSource(text(name)));
  clock.advance(RESUME_SKEW_MS + 1);
  const plan = new FaultPlan(clock, faults);
  const wrap = retryLayer({ clock, random });
  const faulty = faultLayer(plan)(memory);
  return { clock, memory, plan, faulty, wrap, store: wrap(faulty) };
}

Deno.test("retryLayer tries every call again that may work the next time", async () => {
  const { store, plan, clock } = await retrying(
    (["get", "put", "stat", "delete", "list"] as const).map((operation) => ({
      operation,
      type: "error",
      times: 2,
    })),
  );
  assertSame(await read(store, KEY), pattern(LARGE), KEY);
  await store.put("a/02/x", bytesSource(text("x")));
  assert.equal((await store.stat(["a/02/x"]))[0]?.size, 1);
  await store.delete(["a/02/x"]);
  assert.deepEqual(await keys(store, { prefix: "a/01/" }), ["a/01/p", "a/01/q", "a/01/r"]);
  assert.deepEqual(plan.calls, { get: 3, put: 3, stat: 3, delete: 3, list: 3 });
  assert.equal(plan.pending, 0);
  assert.equal(clock.sleeping, 0);
});

Deno.test("retryLayer waits longer each time, up to a limit, with a jitter of half of it", async () => {
  for (const [random, share] of [[0, 0.5], [0.5, 0.75], [0.999_999, 1]] as const) {
    const clock = new Patience();
    const plan = new FaultPlan(clock, [{ operation: "stat", type: "error", times: 5 }]);
    const options = { clock, random: () => random, attempts: 6, baseMs: 100, maxMs: 500 };
    await retryLayer(options)(faultLayer(plan)(new MemoryObjectStore())).stat(["a/00/x"]);
    const want = [100, 200, 400, 500, 500].map((ms) => ms * share);
    assert.deepEqual(clock.slept.map(Math.round), want.map(Math.round));
  }
});

Deno.test("retryLayer gives up after its last try and marks the error exhausted", async () => {
  const { store, plan } = await retrying([{ operation: "stat", type: "error", times: 99 }]);
  await assert.rejects(store.stat([KEY]), (error: CacheError) => {
    assert.equal(error.kind, "unavailable");
    assert.equal(error.retry, "exhausted");
    assert.match(error.message, /\(tried 5 times\)$/);
    assert.ok(isKind(error.cause, "unavailable"));
    return true;
  });
  assert.equal(plan.calls.stat, 5);
});

Deno.test("two retryLayers do not multiply their tries", async () => {
  const { store, wrap, plan } = await retrying([{ operation: "get", type: "error", times: 99 }]);
  await rejectsKind(wrap(wrap(store)).get(KEY), "unavailable");
  assert.equal(plan.calls.get, 5);
});

for (
  const kind of ["quota_exceeded", "permission_denied", "corrupt", "invalid_argument"] as const
) {
  Deno.test(`retryLayer does not try again after ${kind}`, async () => {
    const { store, plan } = await retrying([{ operation: "get", type: "error", kind }]);
    await rejectsKind(store.get(KEY), kind);
    assert.equal(plan.calls.get, 1);
  });
}

Deno.test("retryLayer stops waiting when the caller gives up", async () => {
  const clock = new ManualClock();
  const plan = new FaultPlan(clock, [{ operation: "get", type: "error", times: 99 }]);
  const store = retryLayer({ clock, random: () => 0 })(faultLayer(plan)(new MemoryObjectStore()));
  const abort = new AbortController();
  const get = store.get(KEY, { signal: abort.signal });
  while (clock.sleeping === 0) await Promise.resolve();
  abort.abort("enough");
  await rejectsWith(get, "enough");
  assert.deepEqual([plan.calls.get, clock.sleeping], [1, 0]);
});

Deno.test("retryLayer does not try again when the caller's reason is a temporary error", async () => {
  const { store, plan, clock } = await retrying([{ operation: "get", type: "delay", ms: 1000 }]);
  const abort = new AbortController();
  const reason = new CacheError("timeout", "Cannot wait any longer");
  clock.sleep = (_ms, signal) => {
    abort.abort(reason);
    return Promise.reject(signal?.reason);
  };
  await rejectsWith(store.get(KEY, { signal: abort.signal }), reason);
  assert.equal(plan.calls.get, 1);
});

Deno.test("retryLayer does not read a one-time source twice, but may open it late", async () => {
  const { memory, wrap } = await retrying([]);
  let calls = 0;
  const failing = (when: "before" | "after"): ObjectStore =>
    forwardStore(memory, {
      async put(key, source, options) {
        calls++;
        const error = new CacheError("unavailable", "Cannot store: planned");
        if (when === "before" && calls === 1) throw error;
        const info = await memory.put(key, source, options);
        if (when === "after" && calls === 1) throw error;
        return info;
      },
    });
  await wrap(failing("before")).put("a/02/x", streamSource(new Response(text("once")).body!));
  assert.equal(calls, 2);
  assert.deepEqual(await read(memory, "a/02/x"), text("once"));
  calls = 0;
  const put = wrap(failing("after")).put("a/02/y", streamSource(new Response(text("once")).body!));
  await assert.rejects(put, (error: CacheError) => error.retry === "temporary");
  assert.equal(calls, 1);
  calls = 0;
  await wrap(failing("after")).put("a/02/z", bytesSource(text("again")));
  assert.equal(calls, 2);
});

Deno.test("retryLayer mends a half-written put", async () => {
  const { store, memory, plan } = await retrying([{ operation: "put", type: "half", at: 100 }]);
  await store.put(KEY, bytesSource(pattern(LARGE, 9)));
  assertSame(await read(memory, KEY), pattern(LARGE, 9), KEY);
  assert.equal(plan.pending, 0);
});

Deno.test("retryLayer leaves an error of the source alone", async () => {
  const { store, plan } = await retrying([]);
  const own = new Error("the uploader left");
  await rejectsWith(store.put("a/02/x", badSource(text("x"), { throws: own })), own);
  assert.equal(plan.calls.put, 1);
});

Deno.test("retryLayer resumes a stream that is cut, wherever it is cut, whole or a range", async () => {
  for (const range of [undefined, { start: 1000, end: 500_000 }, { start: 5, end: 2 ** 40 }]) {
    for (const at of [0, 1, 262_144, 400_000]) {
      const { store, plan } = await retrying([
        { operation: "get", type: "cut", at },
        { operation: "get", type: "cut", at: 1 },
      ]);
      const want = pattern(LARGE).slice(range?.start, range?.end);
      assertSame(await read(store, KEY, range), want, `cut at ${at}`);
      assert.equal(plan.pending, 0);
      assert.equal(plan.calls.get, 3);
    }
  }
});

Deno.test("retryLayer gives up a stream that makes no progress, and says exhausted", async () => {
  const { store, plan } = await retrying([{ operation: "get", type: "cut", at: 0, times: 99 }]);
  await assert.rejects(read(store, KEY), (error: CacheError) => error.retry === "exhausted");
  assert.equal(plan.calls.get, 5);
});

Deno.test("retryLayer resumes nothing that was written meanwhile, even of the same size", async () => {
  const { store, memory } = await retrying([{ operation: "get", type: "cut", at: 300_000 }]);
  const reader = (await store.get(KEY))!.stream().getReader();
  await reader.read();
  await memory.put(KEY, bytesSource(pattern(LARGE, 2)));
  await rejectsKind(drainReader(reader), "unavailable");
});

Deno.test("retryLayer resumes nothing that was removed, or written just before", async () => {
  const { store, memory, clock } = await retrying([
    { operation: "get", type: "cut", at: 300_000, times: 1 },
    { operation: "get", type: "cut", at: 300_000, skip: 2 },
  ]);
  const reader = (await store.get(KEY))!.stream().getReader();
  await reader.read();
  await memory.delete([KEY]);
  await rejectsKind(drainReader(reader), "unavailable");
  await memory.put(KEY, bytesSource(pattern(LARGE)));
  clock.advance(RESUME_SKEW_MS - 10);
  await rejectsKind(read(store, KEY), "unavailable");
});

Deno.test("retryLayer resumes nothing where the medium takes no ranges", async () => {
  const { faulty, wrap } = await retrying([{ operation: "get", type: "cut", at: 300_000 }]);
  const capability = { ...faulty.capability, range: false };
  await rejectsKind(read(wrap(forwardStore(faulty, { capability })), KEY), "unavailable");
});

Deno.test("retryLayer does not resume a corrupt stream", async () => {
  const { store, plan } = await retrying([
    { operation: "get", type: "cut", at: 300_000, kind: "corrupt" },
  ]);
  await rejectsKind(read(store, KEY), "corrupt");
  assert.equal(plan.calls.get, 1);
});

Deno.test("retryLayer goes on with a list behind the last object it gave", async () => {
  const { store, plan } = await retrying([
    { operation: "list", type: "cut", at: 2 },
    { operation: "list", type: "cut", at: 0 },
    { operation: "list", type: "cut", at: 1 },
  ]);
  assert.deepEqual(await keys(store), [KEY, "a/01/p", "a/01/q", "a/01/r"]);
  assert.equal(plan.pending, 0);
});

Deno.test("retryLayer does not go on with a list that has no order", async () => {
  const { faulty, wrap } = await retrying([{ operation: "list", type: "cut", at: 2 }]);
  const capability = { ...faulty.capability, ordered: false };
  await rejectsKind(keys(wrap(forwardStore(faulty, { capability }))), "unavailable");
});

async function drainReader(reader: ReadableStreamDefaultReader<unknown>): Promise<void> {
  while (!(await reader.read()).done);
}
