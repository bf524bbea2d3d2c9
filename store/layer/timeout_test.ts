import assert from "node:assert/strict";
import { bytesSource } from "../../core/bytes.ts";
import type { ObjectBody } from "../../core/bytes.ts";
import { ManualClock } from "../../core/clock.ts";
import type { CacheError } from "../../core/errors.ts";
import type { ObjectStore } from "../../core/object_store.ts";
import {
  badSource,
  keys,
  pattern,
  readBody,
  rejectsKind,
  rejectsWith,
  text,
} from "../../test/suites/object_store_asks.ts";
import { MemoryObjectStore } from "../memory.ts";
import { forwardStore } from "./layer.ts";
import { timeoutLayer } from "./timeout.ts";

const IDLE = 1000;
const KEY = "a/00/l";
const never = () => new Promise<never>(() => {});
/** Lets everything run that can. */
const settle = () => new Promise((resolve) => setTimeout(resolve, 0));

async function timed(changes: Partial<ObjectStore> = {}) {
  const clock = new ManualClock();
  const memory = new MemoryObjectStore();
  await memory.put(KEY, bytesSource(pattern(600_000)));
  const store = timeoutLayer({ clock, idleMs: IDLE })(forwardStore(memory, changes));
  return { clock, memory, store };
}

/** Moves the clock in steps, so that timers that look again get to do so. */
async function pass(clock: ManualClock, ms: number): Promise<void> {
  for (let i = 0; i < 10; i++) {
    await settle();
    clock.advance(ms / 10);
  }
  await settle();
}

const HANGING: [string, Partial<ObjectStore>, (store: ObjectStore) => Promise<unknown>][] = [
  ["get", { get: never }, (store) => store.get(KEY)],
  ["put", { put: never }, (store) => store.put(KEY, bytesSource(text("x")))],
  ["stat", { stat: never }, (store) => store.stat([KEY])],
  ["delete", { delete: never }, (store) => store.delete([KEY])],
  [
    "list",
    { list: () => ({ [Symbol.asyncIterator]: () => ({ next: never }) }) },
    (store) => keys(store),
  ],
];

for (const [name, changes, call] of HANGING) {
  Deno.test(`timeoutLayer gives up a ${name} that ignores its signal, as a temporary timeout`, async () => {
    const { clock, store } = await timed(changes);
    const failures: CacheError[] = [];
    const done = call(store).catch((error) => failures.push(error));
    await pass(clock, IDLE - 10);
    assert.equal(failures.length, 0, "not before its time");
    await pass(clock, 20);
    await done;
    assert.equal(failures[0]?.kind, "timeout");
    assert.equal(failures[0]?.retry, "temporary");
    assert.equal(clock.sleeping, 0);
  });
  Deno.test(`timeoutLayer lets a ${name} be given up that ignores its signal`, async () => {
    const { clock, store: layered } = await timed(changes);
    const abort = new AbortController();
    const { signal } = abort;
    const store = forwardStore(layered, {
      get: (key) => layered.get(key, { signal }),
      put: (key, source) => layered.put(key, source, { signal }),
      stat: (keys) => layered.stat(keys, { signal }),
      delete: (keys) => layered.delete(keys, { signal }),
      list: () => layered.list({ signal }),
    });
    const done = call(store);
    abort.abort("enough");
    await rejectsWith(done, "enough");
    assert.equal(clock.sleeping, 0);
  });
}

Deno.test("timeoutLayer does not count the time of a slow source", async () => {
  const { clock, store } = await timed();
  const gate = Promise.withResolvers<void>();
  let turn = 0;
  const put = store.put("a/00/x", {
    size: 2,
    replayable: false,
    open: () =>
      new ReadableStream({
        async pull(controller) {
          if (turn++ === 1) await gate.promise;
          controller.enqueue(new Uint8Array(1));
          if (turn === 2) controller.close();
        },
      }, { highWaterMark: 0 }),
  });
  await pass(clock, 10 * IDLE);
  gate.resolve();
  assert.equal((await put).size, 2);
  assert.equal(clock.sleeping, 0);
});

Deno.test("timeoutLayer counts again when the source has given its bytes", async () => {
  const { clock, store } = await timed({
    async put(_key, source) {
      const reader = source.open().getReader();
      await reader.read();
      return await never();
    },
  });
  const source = badSource(text("x"), "hangs");
  const put = store.put("a/00/x", source);
  const rejected = rejectsKind(put, "timeout");
  await pass(clock, 3 * IDLE);
  await rejected;
});

Deno.test("timeoutLayer does not count the time of a slow reader, but of a stream that stalls", async () => {
  let stall = false;
  const cancelled: unknown[] = [];
  const body = (): ObjectBody => ({
    size: 3,
    total: 3,
    stream: () =>
      new ReadableStream({
        pull: (controller) => stall ? never() : controller.enqueue(new Uint8Array(1)),
        cancel: (reason) => void cancelled.push(reason),
      }, { highWaterMark: 0 }),
    cancel: () => Promise.resolve(),
  });
  const { clock, store } = await timed({ get: () => Promise.resolve(body()) });
  const reader = (await store.get(KEY))!.stream().getReader();
  await reader.read();
  await pass(clock, 10 * IDLE);
  await reader.read();
  stall = true;
  const rejected = rejectsKind(reader.read(), "timeout");
  await pass(clock, 2 * IDLE);
  await rejected;
  assert.equal(cancelled.length, 1, "the stream of the medium is closed");
  assert.equal(clock.sleeping, 0);
});

Deno.test("timeoutLayer lets a stream take as long as it likes while bytes arrive", async () => {
  const { clock, memory } = await timed();
  const slow = forwardStore(memory, {
    async get(key, options) {
      const body = (await memory.get(key, options))!;
      const reader = body.stream().getReader();
      return {
        ...body,
        stream: () =>
          new ReadableStream({
            async pull(controller) {
              await clock.sleep(IDLE - 100);
              const { done, value } = await reader.read();
              if (done) controller.close();
              else controller.enqueue(value);
            },
          }, { highWaterMark: 0 }),
      };
    },
  });
  const layered = timeoutLayer({ clock, idleMs: IDLE })(slow);
  const reading = layered.get(KEY).then((body) => readBody(body!));
  for (let i = 0; i < 10; i++) await pass(clock, IDLE);
  assert.equal((await reading).length, 600_000);
  assert.equal(clock.sleeping, 0);
});

Deno.test("timeoutLayer releases its timer with the stream: read, cancelled, unread", async () => {
  const { clock, store } = await timed();
  await readBody((await store.get(KEY))!);
  await (await store.get(KEY))!.cancel();
  await (await store.get(KEY))!.stream().cancel();
  const body = (await store.get(KEY))!;
  assert.equal(clock.sleeping, 1);
  await body.cancel();
  assert.equal(clock.sleeping, 0);
});

Deno.test("timeoutLayer closes a body that comes too late", async () => {
  const gate = Promise.withResolvers<ObjectBody>();
  const { clock, store } = await timed({ get: () => gate.promise });
  const rejected = rejectsKind(store.get(KEY), "timeout");
  await pass(clock, 2 * IDLE);
  await rejected;
  let closed = false;
  gate.resolve({
    size: 1,
    total: 1,
    stream: () => new ReadableStream(),
    cancel() {
      closed = true;
      return Promise.resolve();
    },
  });
  await settle();
  assert.ok(closed);
});
