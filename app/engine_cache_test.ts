import assert from "node:assert/strict";
import type { ByteSource } from "../core/bytes.ts";
import { bodyBytes, bytesSource } from "../core/bytes.ts";
import type { CommitBatch, WriterPort } from "../core/chunk_store.ts";
import { Counters } from "../core/counters.ts";
import { HOT_NOTE_MS } from "../core/limits.ts";
import { digestOf, EMPTY_DIGEST } from "../core/digest.ts";
import type { EntryKey } from "../core/entry.ts";
import { isKind } from "../core/errors.ts";
import { MemoryIndex } from "../index/memory.ts";
import { createCasStore } from "../store/cas/cas_store.ts";
import { MemoryChunkStore } from "../store/cas/memory_chunks.ts";
import { Blocks } from "../store/cas/blocks.ts";
import { idOf, Presence } from "../store/cas/presence.ts";
import { receive } from "../store/cas/receive.ts";
import { noise } from "../test/suites/blob_store_asks.ts";
import { draft, indexWorld, keyed, names } from "../test/suites/metadata_index_world.ts";
import { EngineCache } from "./engine_cache.ts";
import { createLocalWriter } from "./local_writer.ts";

const LIMIT = 2_000_000;
const text = (of: string) => new TextEncoder().encode(of);

/** A cache over records and entries in memory. */
function world() {
  const store = new MemoryChunkStore();
  const presence = new Presence(store);
  const blocks = new Blocks({ losses: () => store.losses() });
  const index: MemoryIndex = new MemoryIndex({
    ...indexWorld().options(() => store),
    // As in the real stack: visible, and all bytes here.
    async present(namespace, blobs) {
      const sizes = store.find(namespace, blobs.map(({ digest }) => digest));
      const whole = await presence.whole(blobs);
      return blobs.every((blob, n) => blob.size === 0 || (sizes[n] === blob.size && whole[n]));
    },
  });
  const batches: CommitBatch[] = [];
  const local = createLocalWriter({
    append: (upload, records) => store.append(upload, records),
    commitRecords: async (upload, records) => {
      await store.commit({ ...(upload === undefined ? {} : { upload }), records });
    },
    abort: (upload) => store.abort(upload),
    touch: () => {},
  }, {
    get: (key) => index.get(key),
    async commit(step) {
      await store.commit({ link: step.link, unlink: step.unlink });
      return await index.commit({ entries: step.entries, remove: step.remove });
    },
  }, { now: () => 1 });
  const port: WriterPort = {
    ...local,
    commit(batch) {
      batches.push(batch);
      return local.commit(batch);
    },
  };
  const counters = new Counters();
  const touched: string[] = [];
  const now = { ms: 0 };
  let opened = 0;
  const cache = new EngineCache({
    absence: () => () => false,
    entries: index,
    port,
    counters,
    openBlobs(namespace) {
      opened++;
      return createCasStore({
        namespace,
        chunks: store,
        visibility: store,
        presence,
        blocks,
        port,
        maxBlobSize: LIMIT,
      });
    },
    receive: (source, { signal }) =>
      receive(source, { port, upload: crypto.randomUUID(), limit: LIMIT, signal }),
    touchEntries: (keys) => void touched.push(...keys.map((key) => `${key.scope}/${key.key}`)),
    touchBody: ({ digest }) => void touched.push(digest),
    now: () => now.ms,
    totals: () => ({ ...index.totals(), chunks: store.names().length, stored_bytes: store.size }),
  });
  const lookup = (key: string, scopes = ["main"]) => {
    const { scope: _scope, ...rest } = keyed(key);
    return { ...rest, scopes };
  };
  return {
    store,
    index,
    cache,
    batches,
    counters,
    touched,
    now,
    lookup,
    opened: () => opened,
  };
}

Deno.test("EngineCache.put stores body and entry in one commit, and body gives it back", async () => {
  for (const size of [0, 10, 300_000, 1_500_000]) {
    const { cache, batches, store, lookup } = world();
    const bytes = noise(size, 3);
    const { entry, replaced } = await cache.put(draft("k"), bytesSource(bytes));
    assert.equal(batches.length, 1, "one durable step");
    assert.equal(replaced, undefined);
    const found = await cache.find(lookup("k"));
    assert.deepEqual(found?.blobs, entry.blobs);
    assert.equal(entry.blobs[0]?.size, size);
    const body = await cache.body(found!);
    assert.equal(digestOf(await bodyBytes(body!, size)), digestOf(bytes));
    assert.deepEqual(store.leftovers(), []);
  }
});

Deno.test("EngineCache.put puts the body in front of further blobs and tells what it replaced", async () => {
  const { cache } = world();
  const further = await cache.blobs("default").put(undefined, bytesSource(text("log")));
  const first = await cache.put(draft("k", { blobs: [further] }), bytesSource(text("one")));
  const second = await cache.put(draft("k"), bytesSource(text("two")));
  assert.deepEqual(first.entry.blobs[1], further);
  assert.deepEqual(second.replaced?.blobs, first.entry.blobs);
  const empty = await cache.put(draft("e"), bytesSource(new Uint8Array(0)));
  assert.deepEqual(empty.entry.blobs, [{ digest: EMPTY_DIGEST, size: 0 }]);
});

Deno.test("EngineCache.put that fails leaves no entry and no upload behind", async () => {
  const { cache, store, lookup } = world();
  const sources: [string, ByteSource][] = [
    ["too_large", bytesSource(noise(LIMIT + 1))],
    ["invalid_argument", { ...bytesSource(noise(600_000)), size: 600_001 }],
  ];
  for (const [kind, source] of sources) {
    await assert.rejects(cache.put(draft("k"), source), (error) => isKind(error, kind as never));
  }
  const given = AbortSignal.abort(new DOMException("enough", "AbortError"));
  await assert.rejects(
    cache.put(draft("k"), bytesSource(noise(600_000)), { signal: given }),
    { message: "enough" },
  );
  assert.equal(await cache.find(lookup("k")), undefined);
  const taken = draft("i", { mutability: "immutable" });
  await cache.put(taken, bytesSource(text("first")));
  await assert.rejects(
    cache.put(taken, bytesSource(noise(600_000))),
    (error) => isKind(error, "conflict"),
  );
  assert.deepEqual(store.leftovers(), []);
  const kept = await cache.body((await cache.find(lookup("i")))!);
  assert.deepEqual(kept?.bytes, text("first"));
});

Deno.test("EngineCache.find takes the first scope that has the key, counts and notes the use", async () => {
  const { cache, counters, touched, lookup } = world();
  for (const scope of ["main", "pr/1"]) {
    await cache.put(draft("k", { scope }), bytesSource(text(scope)));
  }
  await cache.put(draft("only-main"), bytesSource(text("x")));
  const scopes = ["pr/2", "pr/1", "main"];
  assert.equal((await cache.find(lookup("k", scopes)))?.scope, "pr/1");
  assert.equal((await cache.find(lookup("k", ["main", "pr/1"])))?.scope, "main");
  assert.equal((await cache.find(lookup("only-main", scopes)))?.scope, "main");
  assert.equal(await cache.find(lookup("k", [])), undefined);
  assert.equal(await cache.find(lookup("nobody", scopes)), undefined);
  assert.deepEqual(touched, ["pr/1/k", "main/k", "main/only-main"]);
  assert.deepEqual([counters.get("hits"), counters.get("misses")], [3, 2]);
  const { hits, misses, entries, chunks } = await cache.totals();
  assert.deepEqual([hits, misses, entries, chunks], [3, 2, 3, 3]);
});

Deno.test("EngineCache.find goes on to the next scope when the bytes of the first are gone", async () => {
  const { cache, store, lookup } = world();
  const lost = await cache.put(draft("k", { scope: "pr/1" }), bytesSource(text("lost")));
  await cache.put(draft("k"), bytesSource(text("kept")));
  store.lose("chunk", idOf(lost.entry.blobs[0]!.digest));
  assert.equal((await cache.find(lookup("k", ["pr/1", "main"])))?.scope, "main");
  assert.equal(await cache.body(lost.entry), undefined);
});

Deno.test("EngineCache.link needs every blob here, in this namespace and of this size", async () => {
  const { cache, lookup } = world();
  const blobs = cache.blobs("default");
  const small = await blobs.put(undefined, bytesSource(text("small")));
  const large = await blobs.put(undefined, bytesSource(noise(700_000)));
  const { replaced } = await cache.link(draft("k", { blobs: [large, small] }));
  assert.equal(replaced, undefined);
  assert.deepEqual((await cache.find(lookup("k")))?.blobs, [large, small]);
  const elsewhere = await cache.blobs("other").put(undefined, bytesSource(text("elsewhere")));
  for (const wrong of [elsewhere, { ...small, size: 4 }, { ...large, size: 700_001 }]) {
    await assert.rejects(
      cache.link(draft("w", { blobs: [small, wrong] })),
      (error) => isKind(error, "precondition_failed") && error.message.includes(wrong.digest),
    );
  }
  assert.equal(await cache.find(lookup("w")), undefined);
  await cache.link(draft("empty", { blobs: [{ digest: EMPTY_DIGEST, size: 0 }] }));
  const body = await cache.body((await cache.find(lookup("empty")))!);
  assert.equal(body?.size, 0);
});

Deno.test("EngineCache.remove and scan reach exactly what is named; removing nothing asks nobody", async () => {
  const { cache, index, batches } = world();
  for (const key of ["a", "b", "c"]) await cache.put(draft(key), bytesSource(text(key)));
  batches.splice(0);
  assert.equal(await cache.remove([]), 0);
  assert.equal(batches.length, 0);
  const keys: EntryKey[] = [keyed("a"), keyed("c"), keyed("nobody")];
  assert.equal(await cache.remove(keys), 2);
  assert.deepEqual(await names(index), ["default/main/plain/b"]);
  const seen = await Array.fromAsync(cache.scan({ prefix: "b" }));
  assert.equal(seen.length, 1);
});

Deno.test("EngineCache.blobs opens one store a namespace, and forgets them all before there are too many", async () => {
  const { cache, opened } = world();
  assert.equal(cache.blobs("a"), cache.blobs("a"));
  assert.notEqual(cache.blobs("a"), cache.blobs("b"));
  assert.equal(opened(), 2);
  for (let n = 0; n < 3000; n++) cache.blobs(`n${n}`);
  assert.equal(opened(), 3002);
  const bytes = text("still works");
  const { digest } = await cache.blobs("a").put(undefined, bytesSource(bytes));
  await cache[Symbol.asyncDispose]();
  assert.deepEqual((await cache.blobs("a").get(digest))?.bytes, bytes);
});

Deno.test("What is answered from memory is told as used, entry and body, again and again", async () => {
  const { cache, touched, now, lookup } = world();
  const { entry: { blobs: [blob] } } = await cache.put(draft("k"), bytesSource(text("body")));
  const found = await cache.find(lookup("k"));
  await cache.body(found!);
  const hold = cache.hold(lookup("k"), found!)!;
  touched.length = 0;
  for (now.ms of [HOT_NOTE_MS - 1, HOT_NOTE_MS, HOT_NOTE_MS + 1]) assert.ok(hold(now.ms));
  assert.deepEqual(touched, ["main/k", blob!.digest], "once in its time");
  now.ms = 2 * HOT_NOTE_MS;
  assert.ok(cache.recall(lookup("k"))?.entry);
  assert.deepEqual(touched.slice(2), ["main/k", blob!.digest]);
});
