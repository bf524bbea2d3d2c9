import assert from "node:assert/strict";
import { ManualClock } from "../core/clock.ts";
import { Counters } from "../core/counters.ts";
import { isKind } from "../core/errors.ts";
import type { AccessSummary } from "./access_log.ts";
import { ServingThreads } from "./serving_threads.ts";
import type { FromWorker, ToWorker } from "./worker_messages.ts";

/** A thread that says only what a test lets it say. */
class FakeWorker {
  readonly told: ToWorker[] = [];
  terminated = false;
  onmessage: ((event: { data: FromWorker }) => void) | undefined;
  onerror: ((event: { message: string; preventDefault(): void }) => void) | undefined;

  postMessage(message: ToWorker): void {
    this.told.push(message);
  }
  terminate(): void {
    this.terminated = true;
    const first = this.told[0];
    if (first?.type === "start") first.writer.close();
  }
  say(message: FromWorker): void {
    this.onmessage!({ data: message });
  }
  die(message: string): void {
    this.onerror!({ message, preventDefault() {} });
  }
}

const CONFIG = {
  dir: "/nowhere",
  hostname: "127.0.0.1",
  port: 1,
  tls: undefined,
  maxBlobSize: 1,
  maxSize: 0,
  publicUrl: undefined,
  allowedHosts: [],
  publicRead: [],
  accessLog: "none",
  started: 0,
} as const;

function world(count: number) {
  const clock = new ManualClock();
  const workers: FakeWorker[] = [];
  const notices: string[] = [];
  const summaries: AccessSummary[] = [];
  let served = 0;
  const counters = new Counters();
  const threads = new ServingThreads({
    onUsage() {},
    engine: {
      counters,
      known: {
        entries: new SharedArrayBuffer(0),
        blobs: new SharedArrayBuffer(0),
        behind: new SharedArrayBuffer(0),
      },
      serveThread(port) {
        served++;
        return {
          retire() {},
          [Symbol.asyncDispose]() {
            served--;
            port.close();
            return Promise.resolve();
          },
        };
      },
    },
    count,
    config: CONFIG,
    clock,
    onNotice: (text) => void notices.push(text),
    onSummary: (summary) => void summaries.push(summary),
    createWorker() {
      const worker = new FakeWorker();
      workers.push(worker);
      return worker as unknown as Worker;
    },
  });
  const live = () => workers.filter((worker) => !worker.terminated);
  return { threads, counters, clock, workers, notices, summaries, live, served: () => served };
}

async function turns(): Promise<void> {
  for (let turn = 0; turn < 20; turn++) await Promise.resolve();
}

async function started(count: number) {
  const w = world(count);
  const start = w.threads.start();
  for (const worker of w.workers) worker.say({ type: "listening" });
  await start;
  return w;
}

Deno.test("ServingThreads.start waits until every thread listens", async () => {
  const w = world(2);
  await using threads = w.threads;
  let done = false;
  const start = threads.start().then(() => done = true);
  assert.deepEqual(w.workers.map(({ told }) => told.map(({ type }) => type)), [["start"], [
    "start",
  ]]);
  w.workers[1]!.say({ type: "listening" });
  await turns();
  assert.equal(done, false);
  w.workers[0]!.say({ type: "listening" });
  await start;
  w.workers[0]!.say({ type: "notice", text: "hello" });
  assert.deepEqual(w.notices, ["hello"]);
});

Deno.test("ServingThreads.start fails with the reason of a thread that can not listen", async () => {
  const w = world(2);
  {
    await using threads = w.threads;
    const start = threads.start();
    w.workers[1]!.say({ type: "failed", message: "Cannot listen", hint: "try another port" });
    await assert.rejects(
      start,
      (error) => isKind(error, "unavailable") && error.hint === "try another port",
    );
  }
  assert.deepEqual([w.live().length, w.served()], [0, 0]);
});

Deno.test("ServingThreads replaces a thread that died, after a pause that grows, and the others go on", async () => {
  const w = await started(2);
  await using _threads = w.threads;
  w.workers[0]!.die("out of luck");
  await turns();
  assert.deepEqual([w.workers.length, w.live().length, w.served()], [2, 1, 1]);
  assert.match(w.notices[0]!, /ended and is replaced: out of luck/);
  w.clock.advance(199);
  await turns();
  assert.equal(w.workers.length, 2);
  w.clock.advance(1);
  await turns();
  assert.deepEqual([w.workers.length, w.live().length, w.served()], [3, 2, 2]);
  w.workers[2]!.say({ type: "listening" });
  await turns();
  // It listened, so the pause is short again.
  w.workers[2]!.die("again");
  await turns();
  w.clock.advance(200);
  await turns();
  assert.equal(w.workers.length, 4);
});

Deno.test("ServingThreads gives back what a thread held that died, and nothing of the others", async () => {
  const w = await started(2);
  await using _threads = w.threads;
  for (const [n, bytes] of [1000, 20].entries()) {
    const start = w.workers[n]!.told[0]!;
    assert.ok(start.type === "start");
    const counters = new Counters(start.counters, start.share);
    counters.hold("answer_bytes", bytes);
    counters.hold("bytes_in_flight", 3 * bytes);
    counters.hold("bytes_in_flight", -bytes);
  }
  const held = () => [w.counters.get("answer_bytes"), w.counters.get("bytes_in_flight")];
  assert.deepEqual(held(), [1020, 2040]);
  w.workers[0]!.die("in the middle of bodies");
  await turns();
  assert.deepEqual(held(), [20, 40]);
  w.workers[1]!.die("as well");
  await turns();
  assert.deepEqual(held(), [0, 0]);
});

Deno.test("ServingThreads goes on trying while a replacement can not start", async () => {
  const w = await started(1);
  await using _threads = w.threads;
  w.workers[0]!.die("first");
  await turns();
  for (const [n, pause] of [200, 400, 800].entries()) {
    w.clock.advance(pause - 1);
    await turns();
    assert.equal(w.workers.length, n + 1);
    w.clock.advance(1);
    await turns();
    assert.equal(w.workers.length, n + 2, `after ${pause} ms`);
    const worker = w.workers.at(-1)!;
    if (n === 1) worker.die("while it started");
    else worker.say({ type: "failed", message: "Cannot open a file", hint: undefined });
    await turns();
    assert.deepEqual([w.live().length, w.served()], [0, 0]);
  }
  w.clock.advance(1600);
  await turns();
  w.workers.at(-1)!.say({ type: "listening" });
  await turns();
  assert.deepEqual([w.live().length, w.served(), w.clock.sleeping], [1, 1, 0]);
});

Deno.test("ServingThreads.stop lets each finish, ends who does not, and replaces nobody", async () => {
  const w = await started(3);
  w.workers[0]!.die("just before");
  await turns();
  const stop = w.threads.stop(5000);
  await turns();
  const wait = (worker: FakeWorker) => worker.told.at(-1);
  assert.deepEqual(wait(w.workers[1]!), { type: "stop", graceMs: 5000 });
  w.workers[1]!.say({ type: "stopped" });
  await turns();
  assert.deepEqual(w.workers.map(({ terminated }) => terminated), [true, true, false]);
  w.clock.advance(7000);
  await stop;
  assert.deepEqual([w.live().length, w.served(), w.workers.length], [0, 0, 3]);
  await w.threads[Symbol.asyncDispose]();
  assert.equal(w.clock.sleeping, 0);
});

Deno.test("ServingThreads.stop does not wait for a thread that dies while it stops", async () => {
  const w = await started(1);
  const stop = w.threads.stop(5000);
  w.workers[0]!.die("broken");
  await stop;
  assert.deepEqual([w.clock.sleeping, w.served(), w.workers.length], [0, 0, 1]);
});

Deno.test("ServingThreads.collectMetrics asks everybody, and does not wait for who is stuck", async () => {
  const w = await started(2);
  await using threads = w.threads;
  const summary = { requests: 1, hits: 0, misses: 0, errors: 0, bytes: 0 };
  w.workers[0]!.say({ type: "summary", summary });
  assert.deepEqual(w.summaries, [summary]);
  const numbers = threads.collectMetrics();
  const asked = w.workers.map(({ told }) => told.at(-1)!);
  assert.deepEqual(asked.map(({ type }) => type), ["metrics", "metrics"]);
  const call = (asked[1] as { call: number }).call;
  const json = [{ name: "n" }] as never;
  w.workers[1]!.say({ type: "metrics", call, json });
  await turns();
  w.clock.advance(2000);
  assert.deepEqual(await numbers, [[], json]);
  // Too late, and for nobody.
  w.workers[0]!.say({ type: "metrics", call: (asked[0] as { call: number }).call, json });
  await turns();
  assert.equal(w.clock.sleeping, 0);
});
