import assert from "node:assert/strict";
import { bytesSource } from "../../core/bytes.ts";
import type { ByteSource } from "../../core/bytes.ts";
import {
  keys,
  pattern,
  read,
  readBody,
  rejectsWith,
  text,
} from "../../test/suites/object_store_asks.ts";
import { MemoryObjectStore } from "../memory.ts";
import { limitLayer, limitStore, Slots } from "./limit.ts";

const LARGE = 600_000;

/** A source that gives its byte when it is told to. */
function gatedSource(): ByteSource & { go(): void } {
  const { promise, resolve } = Promise.withResolvers<void>();
  return {
    size: 1,
    replayable: false,
    go: resolve,
    open: () =>
      new ReadableStream({
        async pull(controller) {
          await promise;
          controller.enqueue(new Uint8Array(1));
          controller.close();
        },
      }, { highWaterMark: 0 }),
  };
}

async function limited(total: number) {
  const memory = new MemoryObjectStore();
  await memory.put("a/00/l", bytesSource(pattern(LARGE)));
  await memory.put("a/00/s", bytesSource(text("small")));
  const slots = new Slots(total);
  return { slots, store: limitStore(memory, slots) };
}

/** Lets everything run that can. */
const settle = () => new Promise((resolve) => setTimeout(resolve, 0));

Deno.test("limitLayer lets the next one in, in order, when one is done", async () => {
  const { store, slots } = await limited(2);
  const done: number[] = [];
  const sources = [0, 1, 2, 3].map(gatedSource);
  const puts = sources.map(async (source, i) => {
    await store.put(`a/00/p${i}`, source);
    done.push(i);
  });
  await settle();
  assert.deepEqual([slots.used, slots.waiting], [2, 2]);
  sources[2]!.go();
  sources[3]!.go();
  await settle();
  assert.deepEqual(done, [], "those in line have not begun");
  sources[1]!.go();
  await settle();
  assert.deepEqual(done, [1, 2, 3]);
  sources[0]!.go();
  await Promise.all(puts);
  assert.deepEqual([slots.used, slots.waiting], [0, 0]);
});

Deno.test("limitLayer holds a slot until the stream has ended", async () => {
  const { store, slots } = await limited(1);
  for (const end of ["read", "cancelled", "unread", "aborted"]) {
    const abort = new AbortController();
    const body = (await store.get("a/00/l", { signal: abort.signal }))!;
    assert.equal(slots.used, 1, end);
    const other = store.stat(["a/00/s"]);
    await settle();
    assert.equal(slots.waiting, 1, end);
    if (end === "read") await readBody(body);
    else if (end === "cancelled") await body.stream().cancel();
    else if (end === "unread") await body.cancel();
    else {
      const reader = body.stream().getReader();
      abort.abort();
      await assert.rejects(reader.read());
    }
    assert.equal((await other)[0]?.size, 5, end);
    assert.equal(slots.used, 0, end);
  }
});

Deno.test("limitLayer gives the slot back at once for misses, small bodies and failures", async () => {
  const { store, slots } = await limited(1);
  await store.get("a/00/s");
  await store.get("a/00/missing");
  await assert.rejects(store.get("no key"));
  await assert.rejects(store.get("a/00/s", { range: { start: 9, end: 10 } }));
  await assert.rejects(store.put("a/00/x", { ...bytesSource(text("x")), size: 5 }));
  assert.equal(slots.used, 0);
});

Deno.test("limitLayer lets a waiting call be given up, and loses no slot by it", async () => {
  const { store, slots } = await limited(1);
  const body = (await store.get("a/00/l"))!;
  const abort = new AbortController();
  const waiting = store.stat(["a/00/s"], { signal: abort.signal });
  const behind = store.stat(["a/00/s"]);
  await settle();
  abort.abort("enough");
  await rejectsWith(waiting, "enough");
  assert.deepEqual([slots.used, slots.waiting], [1, 1]);
  await body.cancel();
  await behind;
  assert.deepEqual([slots.used, slots.waiting], [0, 0]);
});

Deno.test("limitLayer lets a list with one slot remove what it lists", async () => {
  const { store, slots } = await limited(1);
  for await (const { key } of store.list()) await store.delete([key]);
  assert.deepEqual(await keys(store), []);
  assert.equal(slots.used, 0);
});

Deno.test("limitLayer shares its slots between the stores it wraps", async () => {
  const layer = limitLayer({ concurrency: 1 });
  const [a, b] = [layer(new MemoryObjectStore()), layer(new MemoryObjectStore())];
  await a.put("a/00/l", bytesSource(pattern(LARGE)));
  const body = (await a.get("a/00/l"))!;
  let answered = false;
  const other = b.stat(["a/00/x"]).then(() => answered = true);
  await settle();
  assert.ok(!answered);
  await body.cancel();
  await other;
  assert.equal((await read(a, "a/00/l"))?.length, LARGE);
});

for (const total of [0, -1, 1.5, NaN, Infinity]) {
  Deno.test(`limitLayer refuses ${total} slots`, () => {
    assert.throws(() => limitLayer({ concurrency: total }), TypeError);
  });
}
