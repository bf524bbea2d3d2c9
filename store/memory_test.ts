import assert from "node:assert/strict";
import { bytesSource, streamSource } from "../core/bytes.ts";
import { ManualClock } from "../core/clock.ts";
import { isKind } from "../core/errors.ts";
import { CASE_COUNT, objectStoreSuite } from "../test/suites/object_store.ts";
import { MemoryObjectStore } from "./memory.ts";

objectStoreSuite("memory", () => Promise.resolve({ store: new MemoryObjectStore() }));

Deno.test("the suite of object stores has not lost its cases", () => {
  assert.ok(CASE_COUNT >= 60, `${CASE_COUNT} cases`);
});

Deno.test("MemoryObjectStore tells the time of its clock", async () => {
  const clock = new ManualClock(5000);
  const store = new MemoryObjectStore({ clock });
  assert.equal((await store.put("a/00/x", bytesSource(new Uint8Array(1)))).modified, 5000);
  clock.advance(10);
  assert.equal((await store.put("a/00/x", bytesSource(new Uint8Array(1)))).modified, 5010);
});

Deno.test("MemoryObjectStore is full at its capacity and keeps the old object", async () => {
  const store = new MemoryObjectStore({ capacity: 100 });
  await store.put("a/00/x", bytesSource(new Uint8Array(60)));
  await store.put("a/00/y", bytesSource(new Uint8Array(40)));
  const source = streamSource(new Response(new Uint8Array(41)).body!);
  await assert.rejects(store.put("a/00/y", source), (error) => isKind(error, "quota_exceeded"));
  assert.equal((await store.stat(["a/00/y"]))[0]?.size, 40);
  await store.put("a/00/x", bytesSource(new Uint8Array(1)));
  await store.put("a/00/y", bytesSource(new Uint8Array(99)));
});
