import assert from "node:assert/strict";
import fc from "fast-check";
import type { Bytes } from "./digest.ts";
import { sha256 } from "./digest.ts";
import { KnownBlobs, KnownBlobsWriter } from "./known_blobs.ts";

const idOf = (n: number): Bytes => sha256(new TextEncoder().encode(`blob ${n}`));
const IDS = Array.from({ length: 40 }, (_, n) => idOf(n));

/** What stands on the disk: who sees which blob, and which chunks are there. */
interface World {
  readonly seen: Set<string>;
  readonly located: Set<number>;
}

const name = (namespace: number, blob: number) => `${namespace} ${blob}`;

/** One change, which the table is told at once. */
function change(world: World, table: KnownBlobsWriter, [kind, namespace, blob]: Change): void {
  const id = IDS[blob]!;
  switch (kind) {
    case "show":
      world.seen.add(name(namespace, blob));
      return table.show(namespace, id, blob % 7 === 0);
    case "hide":
      world.seen.delete(name(namespace, blob));
      return table.hide(namespace, id);
    case "locate":
      world.located.add(blob);
      return table.locate(id);
    case "lose":
      world.located.delete(blob);
      return table.lose(id);
  }
}

type Change = ["show" | "hide" | "locate" | "lose", number, number];
const changes = fc.array(
  fc.tuple(
    fc.constantFrom("show", "hide", "locate", "lose"),
    fc.integer({ min: 1, max: 3 }),
    fc.integer({ min: 0, max: 39 }),
  ) as fc.Arbitrary<Change>,
  { maxLength: 120 },
);

/** Reads the rows of a world that may be older than the table, in the order of a table on disk. */
function learn(table: KnownBlobsWriter, { seen, located }: World): void {
  for (const row of seen) {
    const [namespace, blob] = row.split(" ").map(Number) as [number, number];
    table.learnShown(namespace, IDS[blob]!, blob % 7 === 0);
  }
  for (const blob of located) table.learnLocated(IDS[blob]!);
}

Deno.test("KnownBlobs is never wrong, whatever was there before and came while it learned", () => {
  fc.assert(
    fc.property(changes, changes, changes, (before, meanwhile, after) => {
      const world: World = { seen: new Set(), located: new Set() };
      for (const one of before) change(world, new KnownBlobsWriter(0), one);
      const table = new KnownBlobsWriter(0);
      const known = new KnownBlobs(table.buffer);
      // Rows as they were before the changes that the table hears of: the tables may lag behind.
      const old = { seen: new Set(world.seen), located: new Set(world.located) };
      for (const one of meanwhile) change(world, table, one);
      assert.equal(known.ask(1, IDS[0]!), "unknown", "it has not learned all");
      assert.ok(IDS.every((id) => !table.lacks(id) && !table.isUnseen(id)), "nor does the writer");
      learn(table, old);
      table.complete();
      for (const one of after) change(world, table, one);
      for (const [blob, id] of IDS.entries()) {
        // Not the other way round: "told before the row was read" may say less than the rows.
        if (table.lacks(id)) assert.ok(!world.located.has(blob), `chunk ${blob} is here`);
        const seen = [1, 2, 3].some((namespace) => world.seen.has(name(namespace, blob)));
        if (table.isUnseen(id)) assert.ok(!seen, `blob ${blob} is seen`);
      }
      for (let namespace = 1; namespace <= 3; namespace++) {
        for (const [blob, id] of IDS.entries()) {
          const answer = known.ask(namespace, id);
          const here = world.seen.has(name(namespace, blob)) && world.located.has(blob);
          if (answer === "unknown") continue;
          assert.equal(answer, here ? "here" : "missing", `namespace ${namespace}, blob ${blob}`);
        }
      }
    }),
    { numRuns: 300 },
  );
});

Deno.test("KnownBlobs knows what one namespace sees, and asks for what several do", () => {
  const table = new KnownBlobsWriter(0);
  const known = new KnownBlobs(table.buffer);
  table.complete();
  const id = idOf(1);
  assert.ok(table.lacks(id) && table.isUnseen(id), "it was never here");
  table.locate(id);
  assert.ok(!table.lacks(id) && table.isUnseen(id));
  assert.equal(known.ask(1, id), "missing", "nobody sees it");
  table.show(1, id, false);
  assert.equal(known.ask(1, id), "here");
  assert.equal(known.ask(2, id), "missing");
  table.show(2, id, false);
  assert.ok(!table.isUnseen(id));
  assert.equal(known.ask(1, id), "unknown");
  table.show(1, idOf(2), true);
  assert.equal(known.ask(1, idOf(2)), "unknown", "it has a recipe, whose chunks must be looked at");
  table.lose(id);
  table.show(3, idOf(3), false);
  assert.equal(known.ask(3, idOf(3)), "missing", "seen, but evicted");
});

/** Ids that cost nothing to make. */
function manyIds(count: number): (n: number) => Bytes {
  const ids = new Uint8Array(count * 32);
  for (let at = 0; at < ids.length; at += 65_536) {
    crypto.getRandomValues(ids.subarray(at, at + 65_536));
  }
  return (n) => ids.subarray(n * 32, (n + 1) * 32);
}

Deno.test("KnownBlobs keeps all it knows when it grows, and answers on a view made before", () => {
  const table = new KnownBlobsWriter(0);
  const known = new KnownBlobs(table.buffer);
  table.complete();
  const bytes = table.buffer.byteLength;
  const id = manyIds(100_000);
  for (let n = 0; n < 100_000; n++) {
    table.locate(id(n));
    table.show(1, id(n), false);
    // Some of them go again: they must not fill the table.
    if (n % 4 === 1) table.lose(id(n));
    if (n % 8 === 1) table.hide(1, id(n));
  }
  assert.ok(table.buffer.byteLength > bytes);
  let wrong = 0;
  for (let n = 0; n < 100_000; n++) {
    if (known.ask(1, id(n)) !== (n % 4 === 1 ? "missing" : "here")) wrong++;
  }
  assert.equal(wrong, 0);
});

Deno.test("KnownBlobs is as large as what is here, not as what ever was", () => {
  const table = new KnownBlobsWriter(0);
  table.complete();
  const id = manyIds(150_000);
  for (let n = 0; n < 150_000; n++) {
    table.locate(id(n));
    table.lose(id(n));
  }
  assert.ok(table.buffer.byteLength <= 4 * 65_536 * 4 + 64);
});
