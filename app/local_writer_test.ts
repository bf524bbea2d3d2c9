import assert from "node:assert/strict";
import type { CommitBatch } from "../core/chunk_store.ts";
import { CacheError, isKind } from "../core/errors.ts";
import { blob, draft, indexWorld, keyed } from "../test/suites/metadata_index_world.ts";
import type { Bytes } from "../core/digest.ts";
import type { DataRecord } from "../core/record.ts";
import { MemoryIndex } from "../index/memory.ts";
import { createLocalWriter } from "./local_writer.ts";
import type { EntryWriter, RecordWriter } from "./local_writer.ts";

const RECORD: DataRecord = { kind: "chunk", id: new Uint8Array(32), body: new Uint8Array(3) };
const NOTHING = { put: undefined, removed: 0 };

/** Packs and index that note what they are asked, in order, and fail where they are told. */
function world() {
  const { options } = indexWorld();
  const index: MemoryIndex = new MemoryIndex(options(() => index.visibility));
  const calls: string[] = [];
  const failures: Record<string, CacheError> = {};
  const open = new Set<string>();
  const note = (call: string, name: string) => {
    calls.push(call);
    if (failures[name]) throw failures[name];
  };
  const packs: RecordWriter = {
    async append(upload, records) {
      open.add(upload);
      note(`append ${upload} ${records.length}`, "append");
    },
    async commitRecords(upload, records) {
      if (upload !== undefined) open.delete(upload);
      note(`data ${upload} ${records.length}`, "data");
    },
    async abort(upload) {
      open.delete(upload);
      note(`abort ${upload}`, "abort");
    },
    touch: (kind, ids, at) => note(`touch ${kind} ${ids.length} ${at}`, "touch"),
  };
  const entries: EntryWriter = {
    async get(key) {
      if (failures["get"]) throw failures["get"];
      return await index.get(key);
    },
    async commit(step) {
      const { entries, remove, link, unlink } = step;
      note(
        `index ${entries.length} ${remove.length} ${link.length} ${unlink.length}`,
        "index",
      );
      return await index.commit(step);
    },
  };
  const port = createLocalWriter(packs, entries, { now: () => 42 });
  return { port, index, calls, failures, open };
}

Deno.test("createLocalWriter stores data before the index hears of it, in one call each", async () => {
  const { port, index, calls, open } = world();
  const body = blob("x");
  await port.append("u", [RECORD, RECORD]);
  const { put, removed } = await port.commit({
    upload: "u",
    records: [RECORD],
    link: [{ namespace: "default", blob: body }],
    entry: draft("k", { blobs: [body] }),
  });
  assert.deepEqual(calls, ["append u 2", "data u 1", "index 1 0 1 0"]);
  assert.deepEqual([put?.entry.key, put?.replaced, removed], ["k", undefined, 0]);
  assert.ok(await index.get(keyed("k")));
  assert.equal(open.size, 0);
});

Deno.test("createLocalWriter asks nobody who has nothing to do", async () => {
  const { port, calls } = world();
  const ask = async (batch: CommitBatch) => {
    const result = await port.commit(batch);
    return [result, calls.splice(0)];
  };
  assert.deepEqual(await ask({}), [NOTHING, []]);
  assert.deepEqual(await ask({ records: [], link: [], remove: [] }), [NOTHING, []]);
  assert.deepEqual(await ask({ upload: "u" }), [NOTHING, ["data u 0"]]);
  assert.deepEqual(await ask({ records: [RECORD] }), [NOTHING, ["data undefined 1"]]);
  const unlink = [{ namespace: "default", digest: blob("x").digest }];
  assert.deepEqual(await ask({ unlink }), [NOTHING, ["index 0 0 0 1"]]);
  assert.deepEqual(await ask({ remove: [keyed("k")] }), [NOTHING, ["index 0 1 0 0"]]);
});

Deno.test("createLocalWriter refuses a taken immutable key before it stores anything", async () => {
  const { port, index, calls, open } = world();
  await index.put(draft("k", { writer: "first" }));
  await port.append("u", [RECORD]);
  const entry = draft("k", { mutability: "immutable", writer: "second" });
  await assert.rejects(
    port.commit({ upload: "u", records: [RECORD], entry }),
    (error) => isKind(error, "conflict") && error.message.includes('"k"'),
  );
  assert.deepEqual(calls, ["append u 1", "abort u"]);
  assert.equal(open.size, 0, "the upload is over");
  assert.equal((await index.get(keyed("k")))?.writer, "first");
  await assert.rejects(port.commit({ entry }), (error) => isKind(error, "conflict"));
  const other = await port.commit({ entry: { ...entry, scope: "pr/1" } });
  assert.equal(other.put?.replaced, undefined);
});

Deno.test("createLocalWriter leaves index and old entry alone when the data can not be stored", async () => {
  const { port, index, calls, failures, open } = world();
  const body = blob("old");
  await port.commit({
    link: [{ namespace: "default", blob: body }],
    entry: draft("k", { blobs: [body] }),
  });
  calls.splice(0);
  const full = new CacheError("quota_exceeded", "Cannot write: no room");
  failures["data"] = full;
  await port.append("u", [RECORD]);
  await assert.rejects(
    port.commit({ upload: "u", remove: [keyed("k")], entry: draft("k", { writer: "new" }) }),
    full,
  );
  assert.deepEqual(calls, ["append u 1", "data u 0"]);
  assert.equal((await index.get(keyed("k")))?.blobs[0]?.digest, body.digest);
  assert.equal(open.size, 0);
});

Deno.test("createLocalWriter ends the upload whatever fails, and reports the first error", async () => {
  for (const where of ["get", "index"]) {
    const { port, failures, open } = world();
    const broken = new CacheError("unavailable", `Cannot reach the ${where}`);
    failures[where] = broken;
    await port.append("u", [RECORD]);
    const entry = draft("k", { mutability: "immutable" });
    await assert.rejects(port.commit({ upload: "u", entry }), broken);
    assert.equal(open.size, 0, `${where} left the upload open`);
  }
});

Deno.test("createLocalWriter notes uses at the time of its clock", () => {
  const { port, calls } = world();
  port.touch("recipe", [new Uint8Array(32) as Bytes]);
  assert.deepEqual(calls, ["touch recipe 1 42"]);
});
