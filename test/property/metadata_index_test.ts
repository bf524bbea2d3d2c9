/** SQLite against memory: any list of calls, with restarts and deleted files in between. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { encodeEntry, encodeTombstone } from "../../codec/entry_record.ts";
import { noSeal } from "../../codec/seal.ts";
import { isKind } from "../../core/errors.ts";
import type { LogRecord } from "../../core/record.ts";
import type { EntryIndex, IndexBatch, IndexWriter } from "../../index/contract.ts";
import { MemoryIndex } from "../../index/memory.ts";
import { MemoryLog } from "../../index/memory_log.ts";
import { tempDir } from "../helpers/temp.ts";
import { blob, draft, indexWorld, keyed, scanned } from "../suites/metadata_index_world.ts";
import { openReader, openWriter } from "../suites/open_index.ts";

const NAMESPACES = ["a", "b"];
const SCOPES = ["main", "pr/1"];
const BLOBS = ["x", "y", "zz"].map(blob);

const identity = fc.record({
  namespace: fc.constantFrom(...NAMESPACES),
  scope: fc.constantFrom(...SCOPES),
  protocol: fc.constantFrom("p", "q"),
  key: fc.constantFrom("", "k", "k\0", "k/1", "\uff5e", "😀"),
});
const linkable = fc.record({
  namespace: fc.constantFrom(...NAMESPACES),
  blob: fc.constantFrom(...BLOBS),
});
const batch: fc.Arbitrary<IndexBatch> = fc.record({
  entries: fc.array(
    fc.record({
      key: identity,
      blobs: fc.subarray(BLOBS),
      mutability: fc.constantFrom("immutable" as const, "replaceable" as const),
      cost: fc.nat(3),
    }).map(({ key, ...rest }) => draft("", { ...key, ...rest })),
    { maxLength: 3 },
  ),
  remove: fc.array(identity, { maxLength: 2 }),
  link: fc.array(linkable, { maxLength: 3 }),
  unlink: fc.array(
    linkable.map(({ namespace, blob: { digest } }) => ({ namespace, digest })),
    { maxLength: 1 },
  ),
});
const step = fc.oneof(
  { weight: 10, arbitrary: fc.record({ do: fc.constant("commit" as const), batch }) },
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constant("together" as const),
      batches: fc.array(batch, { minLength: 2, maxLength: 4 }),
    }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("jump" as const), ms: fc.integer() }) },
  { weight: 2, arbitrary: fc.constant({ do: "reopen" as const }) },
  { weight: 1, arbitrary: fc.constant({ do: "delete the file" as const }) },
  { weight: 1, arbitrary: fc.constant({ do: "snapshot" as const }) },
  { weight: 1, arbitrary: fc.constant({ do: "crash" as const }) },
  { weight: 1, arbitrary: fc.constant({ do: "compact" as const }) },
);

Deno.test("IndexWriter answers as MemoryIndex does, through restarts and lost files", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 25 }), async (steps) => {
      await using dir = await tempDir();
      const path = dir.join("index.sqlite");
      const world = indexWorld();
      const log = new MemoryLog();
      const memory: MemoryIndex = new MemoryIndex(world.options(() => memory.visibility));
      let sqlite: IndexWriter = await openWriter(world, { path, log });
      let compacted = false;
      let snapshot = false;
      try {
        for (const one of steps) {
          switch (one.do) {
            case "commit":
              assert.deepEqual(await outcome(sqlite, one.batch), await outcome(memory, one.batch));
              break;
            case "together": {
              const found = await Promise.all(one.batches.map((each) => outcome(sqlite, each)));
              for (const [at, each] of one.batches.entries()) {
                assert.deepEqual(found[at], await outcome(memory, each));
              }
              break;
            }
            case "jump":
              world.clock.jump(one.ms % 10_000);
              break;
            case "compact":
              compacted = await sqlite.compact({ force: true });
              snapshot = false; // a compaction makes the file durable first
              break;
            case "snapshot":
              await Deno.copyFile(path, dir.join("copy"));
              await Deno.copyFile(`${path}-wal`, dir.join("copy-wal"));
              snapshot = true;
              break;
            case "crash":
              if (!snapshot) break;
              snapshot = false;
              // The file as it was then, never closed: what a power cut may leave.
              await sqlite[Symbol.asyncDispose]();
              await Deno.rename(dir.join("copy"), path);
              await Deno.rename(dir.join("copy-wal"), `${path}-wal`);
              sqlite = await openWriter(world, { path, log });
              break;
            case "reopen":
            case "delete the file":
              await sqlite[Symbol.asyncDispose]();
              // Sequences of a compacted log start anew, so only an untouched one can be compared.
              if (one.do === "delete the file" && !compacted) await Deno.remove(path);
              sqlite = await openWriter(world, { path, log });
              break;
            default:
              one satisfies never;
          }
        }
        await assertSame(sqlite, memory);
        await using reader = openReader(world, path, sqlite.filter);
        assert.deepEqual(reader.totals(), memory.totals());
        assert.deepEqual(
          await Array.fromAsync(reader.scan({ incomplete: true, tombstones: true })),
          await scanned(memory, { incomplete: true, tombstones: true }),
        );
        await sqlite[Symbol.asyncDispose]();
        await Deno.remove(path);
        sqlite = await openWriter(world, { path, log });
        await assertSame(sqlite, memory, compacted ? "order" : "exact");
        assert.deepEqual(
          world.reports.filter(({ kind }) => kind !== "not_found"),
          [],
          "but of the lost file",
        );
      } finally {
        await sqlite[Symbol.asyncDispose]();
      }
    }),
    { numRuns: 60 },
  );
});

Deno.test("summarize() depends on the set of versions alone, not on their order", async () => {
  const version = fc.record({
    key: identity,
    cost: fc.nat(3),
    ms: fc.integer({ min: 1, max: 50 }),
    device: fc.constantFrom("aaaaaaaaaaaaaaaa", "bbbbbbbbbbbbbbbb"),
    epoch: fc.nat(1),
    alive: fc.boolean(),
  });
  const both = fc.array(version, { maxLength: 30 }).chain((versions) =>
    fc.tuple(fc.constant(versions), fc.shuffledSubarray(versions, { minLength: versions.length }))
  );
  await fc.assert(
    fc.asyncProperty(both, async ([one, other]) => {
      const world = indexWorld();
      const context = { keys: world.keys, seal: noSeal };
      const records = (versions: typeof one) =>
        versions.map(({ key, cost, ms, device, epoch, alive }): LogRecord => {
          const stamp = { epoch, hlc: BigInt(ms) * 65_536n, device };
          if (!alive) return encodeTombstone(key, stamp, context).record;
          return encodeEntry(draft("", { ...key, cost }), stamp, context).record;
        });
      const rebuilt = async (versions: typeof one) => {
        const log = new MemoryLog();
        await log.append(records(versions));
        return await openWriter(world, { path: ":memory:", log });
      };
      await using a = await rebuilt(one);
      await using b = await rebuilt(other);
      for (const namespace of NAMESPACES) {
        for (const scope of SCOPES) {
          for (const prefix of ["", ..."0123456789abcdef"]) {
            assert.deepEqual(
              await a.summarize(namespace, scope, prefix),
              await b.summarize(namespace, scope, prefix),
            );
          }
        }
      }
      await assertSame(a, b, "set");
    }),
    { numRuns: 60 },
  );
});

/** What a commit did, or the kind of its refusal. */
async function outcome(index: EntryIndex, one: IndexBatch): Promise<unknown> {
  try {
    return await index.commit(one);
  } catch (error) {
    if (isKind(error, "conflict")) return error.kind;
    throw error;
  }
}

async function assertSame(a: EntryIndex, b: EntryIndex, how: Sameness = "exact"): Promise<void> {
  assert.deepEqual(await state(a, how), await state(b, how));
}

/**
 * After a rebuild from a compacted log the order of changes stands, but not their numbers; after
 * the same versions came in another order not even that.
 */
type Sameness = "exact" | "order" | "set";

/** All that an index answers. */
async function state(index: EntryIndex, how: Sameness): Promise<unknown> {
  const plain = (item: Awaited<ReturnType<typeof scanned>>[number]) => {
    const version = item.type === "entry" ? item.entry : item.tombstone;
    return { type: item.type, ...version, ...(how === "exact" ? {} : { sequence: 0 }) };
  };
  const all = { incomplete: true, tombstones: true };
  const bySequence = { ...all, order: "sequence" } as const;
  return {
    totals: index.totals(),
    whole: (await scanned(index)).map(plain),
    all: (await scanned(index, all)).map(plain),
    changes: how !== "set" ? (await scanned(index, bySequence)).map(plain) : [],
    filtered: (await scanned(index, { ...all, scopes: ["pr/1"], prefix: "k" })).map(plain),
    visible: NAMESPACES.map((namespace) => index.visibility.list(namespace, undefined, 100)),
    found: NAMESPACES.map((namespace) =>
      index.visibility.find(namespace, BLOBS.map(({ digest }) => digest))
    ),
    replacements: how === "exact" ? await index.replacements(keyed("k", { namespace: "a" })) : [],
    roots: await Promise.all(
      NAMESPACES.flatMap((namespace) =>
        SCOPES.map(async (scope) => (await index.summary(namespace, scope)).root())
      ),
    ),
    summaries: await Promise.all(
      NAMESPACES.flatMap((namespace) =>
        SCOPES.flatMap((scope) =>
          ["", "0", "f"].map((prefix) => index.summarize(namespace, scope, prefix))
        )
      ),
    ),
  };
}
