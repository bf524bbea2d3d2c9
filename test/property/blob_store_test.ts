/** Random lists of calls on chunks and on whole blobs in memory: equal answers, equal errors. */
import fc from "fast-check";
import assert from "node:assert/strict";
import type { BlobStore } from "../../core/blob_store.ts";
import { bytesSource, collect, streamSource } from "../../core/bytes.ts";
import type { ByteSource } from "../../core/bytes.ts";
import type { Bytes } from "../../core/digest.ts";
import { digestOf } from "../../core/digest.ts";
import { CacheError } from "../../core/errors.ts";
import { createCasStore } from "../../store/cas/cas_store.ts";
import { createMemoryBlobWorld, MemoryBlobStore } from "../../store/cas/memory_blobs.ts";
import { MemoryChunkStore } from "../../store/cas/memory_chunks.ts";
import { Blocks } from "../../store/cas/blocks.ts";
import { idOf, Presence } from "../../store/cas/presence.ts";
import { inParts, noise } from "../suites/blob_store_asks.ts";

/** Few blobs, so that calls meet; no two share a chunk, so that a loss is of one alone. */
const BLOBS = [0, 1, 5000, 262_144, 262_145, 700_000, 1_200_000].map((n) => noise(n, n + 1));

type Operation =
  | { readonly type: "put"; n: number; as: number; said: number; form: "bytes" | "stream" }
  | { readonly type: "get"; n: number; start: number; length: number | undefined }
  | { readonly type: "stat" | "delete"; which: number[] }
  | { readonly type: "lose"; n: number }
  | { readonly type: "list"; after: number };

const n = fc.nat(BLOBS.length - 1);
const operation: fc.Arbitrary<Operation & { space: "a" | "b" }> = fc.tuple(
  fc.constantFrom("a" as const, "a" as const, "b" as const),
  fc.oneof(
    {
      weight: 3,
      arbitrary: fc.record({
        type: fc.constant("put" as const),
        n,
        as: fc.constantFrom(0, 0, 0, 0, 1, 2),
        said: fc.constantFrom(0, 0, 0, 0, 0, 1, -1, NaN),
        form: fc.constantFrom("bytes" as const, "stream" as const),
      }),
    },
    {
      weight: 3,
      arbitrary: fc.record({
        type: fc.constant("get" as const),
        n,
        start: fc.oneof(
          fc.constantFrom(0, 1, 262_143, 262_144, 262_145),
          fc.nat(300_000),
          fc.nat(1_300_000),
        ),
        length: fc.option(fc.oneof(fc.nat(10), fc.nat(1_300_000)), { nil: undefined }),
      }),
    },
    fc.record({ type: fc.constantFrom("stat", "delete"), which: fc.array(n, { maxLength: 4 }) }),
    fc.record({ type: fc.constant("lose" as const), n }),
    fc.record({ type: fc.constant("list" as const), after: n }),
  ),
).map(([space, call]) => ({ ...call, space }));

function sourceOf(bytes: Bytes, call: Operation & { type: "put" }): ByteSource {
  const size = Number.isNaN(call.said) ? undefined : bytes.length + call.said;
  if (call.form === "bytes") return { ...bytesSource(bytes), size: size ?? bytes.length };
  return streamSource(inParts(bytes, [70_001]), size);
}

async function answer(store: BlobStore, call: Operation): Promise<unknown> {
  switch (call.type) {
    case "put": {
      const bytes = BLOBS[call.n]!;
      // Another digest than its own, but none that is here: a store may believe that one unread.
      const wanted = call.as === 1 ? digestOf(noise(3, 999)) : digestOf(bytes);
      return await store.put(call.as === 2 ? undefined : wanted, sourceOf(bytes, call));
    }
    case "get": {
      const { start, length } = call;
      const range = length === undefined ? undefined : { start, end: start + length };
      const body = await store.get(digestOf(BLOBS[call.n]!), { range });
      if (!body) return undefined;
      const bytes = body.bytes ?? await collect(body.stream(), body.size);
      return [body.size, body.total, body.bytes !== undefined, digestOf(bytes)];
    }
    case "stat":
      return await store.stat(call.which.map((at) => digestOf(BLOBS[at]!)));
    case "delete":
      return await store.delete(call.which.map((at) => digestOf(BLOBS[at]!)));
    case "list":
      return await Array.fromAsync(store.list({ after: digestOf(BLOBS[call.after]!) }));
    case "lose":
      return undefined;
    default:
      return call satisfies never;
  }
}

async function outcome(store: BlobStore, call: Operation): Promise<unknown> {
  try {
    return await answer(store, call);
  } catch (thrown) {
    if (thrown instanceof CacheError) return `error ${thrown.kind}`;
    throw thrown;
  }
}

Deno.test("Blobs over chunks answer as whole blobs in memory, whatever is put, lost and deleted", () =>
  fc.assert(
    fc.asyncProperty(
      fc.array(operation, { minLength: 10, maxLength: 40, size: "max" }),
      async (calls) => {
        await using port = new MemoryChunkStore();
        const presence = new Presence(port);
        const blocks = new Blocks({ losses: () => port.losses() });
        const open = (namespace: string) =>
          createCasStore({
            namespace,
            chunks: port,
            port,
            presence,
            blocks,
            visibility: port,
            maxBlobSize: 1_000_000,
          });
        const world = createMemoryBlobWorld(1_000_000);
        for (const [at, call] of calls.entries()) {
          if (call.type === "lose") {
            const digest = digestOf(BLOBS[call.n]!);
            // All of its records are its own: what is left of it is useless, but must do no harm.
            port.lose(BLOBS[call.n]!.length > 262_144 ? "recipe" : "chunk", idOf(digest));
            world.stored.delete(digest);
            continue;
          }
          const got = await outcome(open(call.space), call);
          const want = await outcome(new MemoryBlobStore(call.space, world), call);
          assert.deepEqual(got, want, `call ${at}: ${JSON.stringify(call)}`);
        }
        assert.deepEqual(port.leftovers(), []);
      },
    ),
    { numRuns: 150 },
  ));
