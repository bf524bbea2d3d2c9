/** Random lists of calls on a pack store and on a Map: both must say the same. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { MemoryObjectStore } from "../../store/memory.ts";
import { longOr } from "../helpers/long.ts";
import { tempDir } from "../helpers/temp.ts";
import { assertInvariants } from "./pack_invariants.ts";
import { chunk, openTestStore } from "./pack_store.ts";
import type { TestStore } from "./pack_store.ts";

/** Chunks that are worked with, their sizes, and the names of uploads. */
const CHUNKS = 30;
const SIZES = [40, 100, 700, 5000, 21_000];
const UPLOADS = ["a", "b", "c"];

type Call =
  | { do: "append"; upload: string; chunks: number[] }
  | { do: "commit"; upload: string | undefined; chunks: number[] }
  | { do: "abort"; upload: string }
  | { do: "log"; values: number[] }
  | { do: "together"; lists: number[][] }
  | { do: "gc"; keep: number[] }
  | { do: "compactLog" | "seal" | "reopen" | "loseTables" | "crash" }
  | { do: "touch"; chunks: number[] };

const some = fc.array(fc.nat(CHUNKS - 1), { maxLength: 6 });
const upload = fc.constantFrom(...UPLOADS);
const call: fc.Arbitrary<Call> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ do: fc.constant("append" as const), upload, chunks: some }) },
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constant("commit" as const),
      upload: fc.option(upload, { nil: undefined }),
      chunks: some,
    }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("abort" as const), upload }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("log" as const), values: some }) },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant("together" as const),
      lists: fc.array(some, { maxLength: 5 }),
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("gc" as const), keep: some }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("touch" as const), chunks: some }) },
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constantFrom("compactLog", "seal", "reopen", "loseTables", "crash" as const),
    }) as fc.Arbitrary<Call>,
  },
);

const make = (number: number) => chunk(number, number === 0 ? 0 : SIZES[number % SIZES.length]);

/** What a store should hold. */
class Model {
  readonly kept = new Set<number>();
  readonly uploads = new Map<string, Set<number>>();
  log: number[] = [];
  /** Uncommitted or removed ones may come back when segments are read again: they are whole. */
  readonly maybe = new Set<number>();
}

interface Run {
  store: TestStore;
  readonly model: Model;
  readonly dir: string;
  readonly far: MemoryObjectStore | undefined;
  readonly compression: "none" | "zstd";
}

function options(run: Pick<Run, "far" | "compression">) {
  const { far, compression } = run;
  return { segmentSize: 60_000, compression, ...(far ? { objects: far } : {}) };
}

async function play(run: Run, call: Call): Promise<void> {
  const { model, store: { writer, clock } } = run;
  switch (call.do) {
    case "append": {
      await writer.append(call.upload, call.chunks.map(make));
      const held = model.uploads.get(call.upload) ?? new Set();
      for (const number of call.chunks) held.add(number);
      model.uploads.set(call.upload, held);
      return;
    }
    case "commit": {
      await writer.commitRecords(call.upload, call.chunks.map(make));
      for (const number of call.chunks) model.kept.add(number);
      if (call.upload === undefined) return;
      for (const number of model.uploads.get(call.upload) ?? []) model.kept.add(number);
      model.uploads.delete(call.upload);
      return;
    }
    case "abort":
      await writer.abort(call.upload);
      for (const number of model.uploads.get(call.upload) ?? []) model.maybe.add(number);
      model.uploads.delete(call.upload);
      return;
    case "together":
      await Promise.all(call.lists.map((list) => writer.commitRecords(undefined, list.map(make))));
      for (const number of call.lists.flat()) model.kept.add(number);
      return;
    case "log": {
      const body = (value: number) => new Uint8Array([value]);
      const { id } = make(0);
      await writer.log.append(
        call.values.map((value) => ({ kind: "entry", id, body: body(value) })),
      );
      model.log.push(...call.values);
      return;
    }
    case "compactLog": {
      const keep = model.log.filter((value) => value % 2 === 0);
      const { id } = make(0);
      await writer.log.compact(
        keep.map((value) => ({ kind: "entry", id, body: new Uint8Array([value]) })),
      );
      model.log = keep;
      return;
    }
    case "gc": {
      clock.advance(1_000_000);
      const roots = call.keep.map((number) => ({ kind: "chunk" as const, id: make(number).id }));
      await writer.gc({ roots, grace: 10_000 });
      const stay = new Set([...call.keep, ...[...model.uploads.values()].flatMap((u) => [...u])]);
      for (const number of [...model.kept]) {
        if (stay.has(number)) continue;
        model.kept.delete(number);
        model.maybe.add(number);
      }
      return;
    }
    case "touch":
      writer.touch("chunk", call.chunks.map((number) => make(number).id), clock.now());
      return;
    case "seal":
      return await writer.seal();
    default:
      return await reopen(run, call.do);
  }
}

async function reopen(run: Run, how: "reopen" | "loseTables" | "crash"): Promise<void> {
  const { model, dir } = run;
  const { clock } = run.store;
  let crashed: Uint8Array<ArrayBuffer> | undefined;
  // The tables as a crash would leave them: not closed, and behind what the segments have.
  if (how === "crash") {
    await run.store.writer.commitRecords(undefined, []);
    run.store.writer.shared.db.exec("PRAGMA wal_checkpoint(TRUNCATE)");
    crashed = await Deno.readFile(`${dir}/packs.sqlite`);
  }
  await run.store[Symbol.asyncDispose]();
  if (how === "loseTables") await Deno.remove(`${dir}/packs.sqlite`);
  if (crashed) await Deno.writeFile(`${dir}/packs.sqlite`, crashed);
  for (const held of model.uploads.values()) for (const number of held) model.maybe.add(number);
  model.uploads.clear();
  run.store = await openTestStore(dir, { ...options(run), clock });
}

async function compare({ store, model }: Run): Promise<void> {
  for (let number = 0; number < CHUNKS; number++) {
    const { id, body } = make(number);
    const read = await store.reader.read("chunk", id);
    const [here] = store.reader.has("chunk", [id]);
    assert.equal(here, read !== undefined);
    if (model.kept.has(number)) assert.deepEqual(read, body, `chunk ${number}`);
    else if (read !== undefined) {
      assert.ok(model.maybe.has(number), `chunk ${number} was never committed`);
      assert.deepEqual(read, body);
    }
  }
  const values: number[] = [];
  for await (const { record } of store.writer.log.scan()) values.push(record.body[0]!);
  assert.deepEqual(values, model.log);
}

for (const medium of ["folder", "far"] as const) {
  for (const compression of ["none", "zstd"] as const) {
    Deno.test(`PackWriter: ${medium}, ${compression}: any list of calls gives what a Map gives`, async () => {
      await fc.assert(
        fc.asyncProperty(fc.array(call, { maxLength: 25 }), async (calls) => {
          await using dir = await tempDir();
          const far = medium === "far" ? new MemoryObjectStore() : undefined;
          const store = await openTestStore(dir.path, options({ far, compression }));
          const run: Run = { store, model: new Model(), dir: dir.path, far, compression };
          try {
            for (const call of calls) {
              await play(run, call);
              await compare(run);
            }
            await run.store.writer.abort("a");
            await run.store.writer.seal();
            await compare(run);
            await assertInvariants(run.store, far ? undefined : dir.path);
            assert.equal(run.store.writer.stats().quarantined, 0);
            const bad = run.store.events.filter(({ type }) =>
              type === "failed" || type === "damage" || type === "pack_lost"
            );
            assert.deepEqual(bad, []);
          } finally {
            await run.store[Symbol.asyncDispose]();
          }
        }),
        { numRuns: longOr(40, 12) },
      );
    });
  }
}
