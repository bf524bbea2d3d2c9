/** Random lists of calls on a folder and in memory: equal answers, equal kinds of errors. */
import fc from "fast-check";
import assert from "node:assert/strict";
import { bytesSource, streamSource } from "../../core/bytes.ts";
import type { ByteRange, ByteSource } from "../../core/bytes.ts";
import { toHex } from "../../core/digest.ts";
import { CacheError } from "../../core/errors.ts";
import type { ObjectStore } from "../../core/object_store.ts";
import { openFsStore } from "../../store/fs/fs_store.ts";
import { composeObjectStore } from "../../store/layer/compose.ts";
import { limitLayer } from "../../store/layer/limit.ts";
import { prefixLayer } from "../../store/layer/prefix.ts";
import { MemoryObjectStore } from "../../store/memory.ts";
import { listFiles, tempDir } from "../helpers/temp.ts";
import { badSource, pattern, readBody } from "../suites/object_store_asks.ts";

type Operation =
  | {
    readonly type: "put";
    key: string;
    size: number;
    said: number;
    form: "bytes" | "stream" | "fails";
  }
  | { readonly type: "get"; key: string; range: ByteRange | undefined }
  | { readonly type: "stat" | "delete"; keys: string[] }
  | { readonly type: "list"; prefix: string; after: string; limit: number };

/** Few keys, so that calls meet; some are no keys at all. */
const PARTS = {
  area: ["a", "a-b", "a_", "b0"],
  hex: ["00", "0f", "f0"],
  name: ["x", "x.y", "x-y", "z"],
};
const goodKey = fc.tuple(
  fc.constantFrom(...PARTS.area),
  fc.constantFrom(...PARTS.hex),
  fc.constantFrom(...PARTS.name),
).map((parts) => parts.join("/"));
const badKey = fc.constantFrom(
  "",
  "a",
  "a/00",
  "a/00/",
  "a/00/..",
  "a/00/x/y",
  "../00/x",
  "A/00/x",
);
const key = fc.oneof({ weight: 20, arbitrary: goodKey }, { weight: 1, arbitrary: badKey });
/** Beginnings of keys, and beginnings with something behind. */
const partOfKey = fc.tuple(goodKey, fc.nat(9), fc.constantFrom("", "", "0", "-", "/", "~"))
  .map(([key, length, end]) => key.slice(0, length) + end);

const size = fc.oneof(fc.constantFrom(0, 1, 65_536, 65_537, 300_000), fc.nat(2000));
const operation: fc.Arbitrary<Operation> = fc.oneof(
  fc.record({
    type: fc.constant("put" as const),
    key,
    size,
    said: fc.constantFrom(0, 0, 0, 0, 0, 1, -1),
    form: fc.constantFrom("bytes", "stream", "stream", "fails"),
  }),
  fc.record({
    type: fc.constant("get" as const),
    key,
    range: fc.option(fc.record({ start: fc.nat(2100), end: fc.nat(3000) }), { nil: undefined }),
  }),
  fc.record({ type: fc.constantFrom("stat", "delete"), keys: fc.array(key, { maxLength: 4 }) }),
  fc.record({
    type: fc.constant("list" as const),
    prefix: fc.oneof(fc.constant(""), partOfKey),
    after: fc.oneof(fc.constant(""), partOfKey, goodKey),
    limit: fc.integer({ min: 1, max: 50 }),
  }),
);

function sourceOf({ size, said, form }: Operation & { type: "put" }): ByteSource {
  const bytes = pattern(size, size);
  const told = size + said;
  if (form === "bytes") return { ...bytesSource(bytes), size: told };
  if (form === "stream") return streamSource(bytesSource(bytes).open(), told);
  return badSource(bytes, { throws: new CacheError("cancelled", "Cannot read: gone") });
}

/** What a store answers, without the times, which differ. */
async function answer(store: ObjectStore, call: Operation): Promise<unknown> {
  switch (call.type) {
    case "put": {
      const { key, size } = await store.put(call.key, sourceOf(call));
      return { key, size };
    }
    case "get": {
      const body = await store.get(call.key, { range: call.range });
      if (!body) return undefined;
      const inline = body.bytes !== undefined;
      const { total } = body;
      return { total, inline, bytes: toHex(await readBody(body)) };
    }
    case "stat":
      return (await store.stat(call.keys)).map((info) => info && [info.key, info.size]);
    case "delete":
      return await store.delete(call.keys);
    case "list": {
      const found: unknown[] = [];
      for await (const { key, size } of store.list({ prefix: call.prefix, after: call.after })) {
        found.push([key, size]);
        if (found.length === call.limit) break;
      }
      return found;
    }
    default:
      return call satisfies never;
  }
}

/** The answer, or the kind of the error. */
async function outcome(store: ObjectStore, call: Operation): Promise<unknown> {
  try {
    return await answer(store, call);
  } catch (error) {
    if (!(error instanceof CacheError)) throw error;
    return { kind: error.kind, retry: error.retry };
  }
}

async function assertSameAnswers(
  a: ObjectStore,
  b: ObjectStore,
  calls: Operation[],
): Promise<void> {
  for (const call of calls) assert.deepEqual(await outcome(a, call), await outcome(b, call));
  const all: Operation = { type: "list", prefix: "", after: "", limit: 1000 };
  assert.deepEqual(await outcome(a, all), await outcome(b, all));
}

const RUNS = { numRuns: 120 };

Deno.test("a folder answers every list of calls as memory does, and holds nothing else", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(operation, { maxLength: 25 }), async (calls) => {
      await using dir = await tempDir();
      const fs = await openFsStore(dir.path);
      await assertSameAnswers(fs, new MemoryObjectStore(), calls);
      const listed = (await Array.fromAsync(fs.list())).map(({ key }) => key);
      assert.deepEqual(await listFiles(dir.path), listed.sort());
    }),
    RUNS,
  );
});

Deno.test("prefix and limit change no answer", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(operation, { maxLength: 25 }), async (calls) => {
      const layers = [limitLayer({ concurrency: 1 }), prefixLayer("p-")];
      const store = composeObjectStore(new MemoryObjectStore(), layers);
      await assertSameAnswers(store, new MemoryObjectStore(), calls);
    }),
    RUNS,
  );
});
