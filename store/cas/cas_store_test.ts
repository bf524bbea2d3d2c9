/** What only a store over chunks can lose, and how it fails: the rest is in the suite. */
import assert from "node:assert/strict";
import { decodePart, decodeRecipe } from "../../codec/recipe.ts";
import { bytesSource, streamSource } from "../../core/bytes.ts";
import type { DataRecord } from "../../core/record.ts";
import type { CommitBatch } from "../../core/chunk_store.ts";
import type { Bytes } from "../../core/digest.ts";
import { digestOf } from "../../core/digest.ts";
import { CacheError } from "../../core/errors.ts";
import {
  assertHolds,
  assertMissing,
  inParts,
  MIB,
  noise,
  read,
} from "../../test/suites/blob_store_asks.ts";
import { rejectsKind, rejectsWith } from "../../test/suites/object_store_asks.ts";
import { createCasStore } from "./cas_store.ts";
import { MemoryChunkStore } from "./memory_chunks.ts";
import { Blocks } from "./blocks.ts";
import { idOf, Presence } from "./presence.ts";

const LARGE = noise(2 * MIB, 1);
/** Has parts: above 255 chunks. */
const HUGE = noise(24 * MIB, 2);
const FULL = new CacheError("quota_exceeded", "Cannot write: the disk is full");

function open(more: { maxBlobSize?: number; verifyReads?: boolean } = {}) {
  const port = new MemoryChunkStore();
  const presence = new Presence(port);
  const blocks = new Blocks({ losses: () => port.losses() });
  const world = {
    chunks: port,
    port,
    presence,
    blocks,
    visibility: port,
    maxBlobSize: 2 ** 30,
    ...more,
  };
  return { port, store: createCasStore({ namespace: "a", ...world }) };
}

const put = (store: ReturnType<typeof open>["store"], bytes: Bytes) =>
  store.put(digestOf(bytes), streamSource(inParts(bytes, [300_000]), bytes.length));

async function chunksOf(port: MemoryChunkStore, bytes: Bytes): Promise<Bytes[]> {
  const recipe = decodeRecipe(port.read("recipe", idOf(digestOf(bytes)))!);
  if (recipe.level === 1) return recipe.entries.map(({ id }) => id.slice());
  return recipe.entries.flatMap(({ id, length }) =>
    decodePart(port.read("recipe", id)!, length).map((entry) => entry.id.slice())
  );
}

Deno.test("A lost chunk, first, middle or last, makes a blob a miss in every answer", async () => {
  for (const bytes of [noise(100), noise(300_000), LARGE, HUGE]) {
    const small = bytes.length <= 256 * 1024;
    const { port, store } = open();
    await put(store, bytes);
    const ids = small ? [idOf(digestOf(bytes))] : await chunksOf(port, bytes);
    const [first, last] = [ids[0]!, ids.at(-1)!];
    for (const id of [first, ids[Math.floor(ids.length / 2)]!, last]) {
      const digest = digestOf(bytes);
      assert.notEqual((await store.stat([digest]))[0], undefined);
      port.lose("chunk", id);
      assert.deepEqual(await store.stat([digest]), [undefined], "seen whole before the loss");
      assert.deepEqual(await Array.fromAsync(store.list()), []);
      if (small || id === first) assert.equal(await store.get(digest), undefined);
      await put(store, bytes);
      await assertHolds(store, bytes);
    }
    assert.deepEqual(port.leftovers(), []);
  }
});

Deno.test("A lost root, or a lost part, makes a blob a miss, and a new put heals it", async () => {
  const { port, store } = open();
  for (const lost of ["root", "first part"]) {
    await put(store, HUGE);
    await assertHolds(store, HUGE);
    const root = idOf(digestOf(HUGE));
    const recipe = decodeRecipe(port.read("recipe", root)!);
    assert.equal(recipe.level, 2);
    port.lose("recipe", lost === "root" ? root : recipe.entries[0]!.id);
    await assertMissing(store, HUGE);
  }
  await put(store, HUGE);
  await assertHolds(store, HUGE);
});

Deno.test("A small read of a blob with a lost chunk is a miss, elsewhere it is served", async () => {
  const { port, store } = open();
  await put(store, LARGE);
  port.lose("chunk", (await chunksOf(port, LARGE)).at(-1)!);
  const digest = digestOf(LARGE);
  assert.equal((await read(store, digest, { start: 0, end: 100 }))?.length, 100);
  const range = { start: LARGE.length - 1, end: LARGE.length };
  assert.ok(await store.get(digest, { range }) === undefined);
});

Deno.test("A chunk lost during a streamed read breaks the stream, and no wrong byte came", async () => {
  const { port, store } = open();
  await put(store, LARGE);
  const ids = await chunksOf(port, LARGE);
  const reader = (await store.get(digestOf(LARGE)))!.stream().getReader();
  let at = 0;
  const readOn = async () => {
    while (true) {
      const { done, value } = await reader.read();
      if (done) return;
      assert.deepEqual(value, LARGE.slice(at, at + value.length));
      at += value.length;
      if (ids.length > 0) port.lose("chunk", ids.splice(Math.floor(ids.length / 2), 1)[0]!);
    }
  };
  await rejectsKind(readOn(), "corrupt");
  assert.ok(at > 0 && at < LARGE.length);
});

Deno.test("Wrong bytes of a chunk are never handed out whole when reads are verified", async () => {
  for (const bytes of [noise(5000), noise(400_000, 8), LARGE]) {
    const { port, store } = open({ verifyReads: true });
    await put(store, bytes);
    const small = bytes.length <= 256 * 1024;
    const id = small ? idOf(digestOf(bytes)) : (await chunksOf(port, bytes)).at(-1)!;
    const body = port.read("chunk", id)!;
    port.lose("chunk", id);
    body[0]! ^= 1;
    await port.commit({ records: [{ kind: "chunk", id, body }] });
    const digest = digestOf(bytes);
    const range = { start: bytes.length - 1, end: bytes.length };
    assert.ok(await store.get(digest, { range }) === undefined);
    const found = await store.get(digest);
    if (bytes.length <= MIB) {
      // Not `equal`: it would print the whole body.
      assert.ok(found === undefined, "it was handed out");
      continue;
    }
    let came = 0;
    await rejectsKind(
      (async () => {
        for await (const part of found!.stream()) came += part.length;
      })(),
      "corrupt",
    );
    assert.ok(came < bytes.length, "who counts bytes would take it for the whole");
  }
});

Deno.test("A failed append rejects the put, ends its upload, and leaves nothing", async () => {
  for (const failing of [1, 2, 5]) {
    const { port, store } = open();
    let appends = 0;
    const append = port.append.bind(port);
    port.append = async (upload, records) => {
      await append(upload, records);
      if (++appends === failing) throw FULL;
    };
    await rejectsWith(put(store, noise(8 * MIB, 3)), FULL);
    assert.deepEqual([port.leftovers(), port.names()], [[], []]);
    assert.deepEqual(await Array.fromAsync(store.list()), []);
  }
});

Deno.test("A failure of ending an upload does not hide why it ended", async () => {
  const { port, store } = open();
  port.append = () => Promise.reject(FULL);
  port.abort = () => Promise.reject(new Error("the writer is gone"));
  await rejectsWith(put(store, noise(8 * MIB, 3)), FULL);
});

Deno.test("A failed commit rejects the put, and the blob is not visible", async () => {
  for (const bytes of [noise(100), LARGE]) {
    const { port, store } = open();
    const commit = port.commit.bind(port);
    port.commit = async (batch) => {
      if (batch.upload !== undefined) await port.abort(batch.upload);
      throw FULL;
    };
    await rejectsWith(put(store, bytes), FULL);
    assert.deepEqual(port.leftovers(), []);
    await assertMissing(store, bytes);
    port.commit = commit;
    await put(store, bytes);
    await assertHolds(store, bytes);
  }
});

Deno.test("Records go to the writer as chunks, then the parts of them, then the root", async () => {
  const { port, store } = open();
  const all: DataRecord[] = [];
  let last: CommitBatch | undefined;
  const [append, commit] = [port.append.bind(port), port.commit.bind(port)];
  port.append = (upload, records) => {
    all.push(...records.map((record) => ({ ...record, body: record.body.slice() })));
    return append(upload, records);
  };
  port.commit = (batch) => {
    all.push(...batch.records!.map((record) => ({ ...record, body: record.body.slice() })));
    return commit(last = batch);
  };
  await put(store, HUGE);
  assert.deepEqual(last?.link, [{
    namespace: "a",
    blob: { digest: digestOf(HUGE), size: HUGE.length },
  }]);
  const root = all.pop()!;
  assert.deepEqual([root.kind, root.id], ["recipe", idOf(digestOf(HUGE))]);
  const known = new Set<string>();
  let covered = 0;
  for (const { kind, id, body } of all) {
    if (kind === "chunk") known.add(id.toHex());
    else {
      const entries = decodeRecipe(root.body).entries[covered++]!;
      assert.deepEqual(entries.id, id);
      for (const chunk of decodePart(body, entries.length)) assert.ok(known.has(chunk.id.toHex()));
    }
  }
  assert.equal(covered, decodeRecipe(root.body).entries.length);
});

Deno.test("CasStore.put() refuses more than the limit, said or found out, and keeps nothing", async () => {
  const { port, store } = open({ maxBlobSize: MIB });
  const bytes = noise(MIB + 1);
  for (const size of [undefined, bytes.length]) {
    await rejectsKind(store.put(undefined, streamSource(inParts(bytes), size)), "too_large");
  }
  await rejectsKind(store.put(undefined, bytesSource(bytes)), "too_large");
  for (const size of [NaN, -1, 0.5]) {
    const source = streamSource(inParts(bytes), size);
    await rejectsKind(store.put(undefined, source), "invalid_argument");
  }
  assert.deepEqual([port.leftovers(), port.names()], [[], []]);
});

Deno.test("CasStore.put() cancels a one-time stream that it does not need, or refuses unread", async () => {
  const { store } = open({ maxBlobSize: 4 * MIB });
  await put(store, LARGE);
  const cases = [[digestOf(LARGE), LARGE.length], [undefined, 9 * MIB]] as const;
  for (const [digest, size] of [...cases, [digestOf(LARGE), "aborted"]] as const) {
    let cancelled = 0;
    const stream = new ReadableStream<Bytes>({ cancel: () => void cancelled++ });
    const signal = size === "aborted" ? AbortSignal.abort() : undefined;
    const said = size === "aborted" ? undefined : size;
    await Promise.allSettled([store.put(digest, streamSource(stream, said), { signal })]);
    assert.equal(cancelled, 1, `size ${size}`);
  }
});

Deno.test("CasStore.get() tells the writer what was used, with ids of their own memory", async () => {
  const { port, store } = open();
  await put(store, HUGE);
  const used: [string, string][] = [];
  port.touch = (kind, ids) => {
    for (const id of ids) {
      assert.equal(id.buffer.byteLength, 32);
      used.push([kind, id.toHex()]);
    }
  };
  await read(store, digestOf(HUGE));
  const parts = decodeRecipe(port.read("recipe", idOf(digestOf(HUGE)))!).entries.length;
  assert.equal(used.filter(([kind]) => kind === "recipe").length, parts + 1);
  const chunks = used.filter(([kind]) => kind === "chunk").length;
  assert.equal(chunks, (await chunksOf(port, HUGE)).length);
});

Deno.test("A reader whose closing fails ends no process", async () => {
  const { port, store } = open();
  await put(store, LARGE);
  const body = (await store.get(digestOf(LARGE)))!;
  // The read of the next part of the recipe is under way when it is given up, and fails.
  port.read = () => {
    throw new Error("closing failed");
  };
  const reading = body.stream().getReader();
  await reading.cancel();
  // An unhandled rejection fails the test that is running when it is noticed.
  await new Promise((resolve) => setTimeout(resolve, 1));
});

Deno.test("CasStore.get() calls a lost blob a miss also where the range is past its end", async () => {
  for (const bytes of [noise(100), LARGE]) {
    const { port, store } = open();
    await put(store, bytes);
    const digest = digestOf(bytes);
    port.lose(bytes === LARGE ? "recipe" : "chunk", idOf(digest));
    const range = { start: bytes.length, end: bytes.length + 1 };
    assert.equal(await store.get(digest, { range }), undefined);
  }
});
