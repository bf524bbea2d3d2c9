import assert from "node:assert/strict";
import { bytesSource } from "../../core/bytes.ts";
import { keys, read, rejectsKind, text } from "../../test/suites/object_store_asks.ts";
import { badSource } from "../../test/suites/object_store_asks.ts";
import { MemoryObjectStore } from "../memory.ts";
import { readOnlyLayer } from "./read_only.ts";

Deno.test("readOnlyLayer reads, and refuses every write with permission_denied", async () => {
  const memory = new MemoryObjectStore();
  await memory.put("a/00/x", bytesSource(text("kept")));
  const store = readOnlyLayer()(memory);
  const source = badSource(text("new"), "never ends");
  await rejectsKind(store.put("a/00/x", source), "permission_denied");
  await rejectsKind(store.put("a/00/y", bytesSource(text("new"))), "permission_denied");
  await rejectsKind(store.delete(["a/00/x"]), "permission_denied");
  await rejectsKind(store.delete([]), "permission_denied");
  assert.ok(!source.opened);
  assert.deepEqual(await read(store, "a/00/x"), text("kept"));
  assert.deepEqual((await store.stat(["a/00/x", "a/00/y"])).map((info) => info?.size), [
    4,
    undefined,
  ]);
  assert.deepEqual(await keys(store), ["a/00/x"]);
});
