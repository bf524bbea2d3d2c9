import assert from "node:assert/strict";
import fc from "fast-check";
import type { Bytes } from "../core/digest.ts";
import { digestOf, sha256 } from "../core/digest.ts";
import { CacheError, isKind } from "../core/errors.ts";
import { DEFAULT_CHUNKER } from "./chunker.ts";
import { decodePart, decodeRecipe, PART_ENTRIES } from "./recipe.ts";
import type { RecipeEntry } from "./recipe.ts";
import { RecipeBuilder } from "./recipe_builder.ts";
import { placeEntries, walkRecipe } from "./recipe_walk.ts";

const corrupt = (thrown: unknown) => isKind(thrown, "corrupt");
const DIGEST = digestOf(new Uint8Array(1));

/** Chunks whose ids come from a counter. */
function chunks(count: number, from = 0): RecipeEntry[] {
  return Array.from({ length: count }, (_, i) => {
    const id = sha256(new TextEncoder().encode(`chunk ${from + i}`));
    return { id, length: 1000 + (from + i) % 7 };
  });
}

function build(entries: readonly RecipeEntry[], chunker = true) {
  const builder = new RecipeBuilder(chunker ? DEFAULT_CHUNKER : undefined);
  const parts = new Map<string, Bytes>();
  const order: string[] = [];
  const keep = (part: { id: Bytes; body: Bytes }) => {
    assert.deepEqual(part.id, sha256(part.body));
    parts.set(part.id.toHex(), part.body);
    order.push(part.id.toHex());
  };
  for (const { id, length } of entries) builder.add(id, length).forEach(keep);
  const built = builder.finish(DIGEST);
  built.parts.forEach(keep);
  return { root: built.root, parts, order, size: builder.size };
}

async function walk(
  { root, parts }: { root: Bytes; parts: Map<string, Bytes> },
  range?: { start: number; end: number },
) {
  return await Array.fromAsync(
    walkRecipe(decodeRecipe(root), (id) => parts.get(id.toHex()), range),
  );
}

Deno.test("walkRecipe() gives the chunks that RecipeBuilder was given", async (t) => {
  for (const count of [1, 2, 255, 256, 257, 300, 5000]) {
    await t.step(`${count} chunks`, async () => {
      const entries = chunks(count);
      const built = build(entries);
      const recipe = decodeRecipe(built.root);
      assert.equal(recipe.level, count < 256 ? 1 : 2);
      assert.equal(built.parts.size === 0, count < 256);
      assert.deepEqual(recipe.chunker, DEFAULT_CHUNKER);
      assert.equal(recipe.digest, DIGEST);
      assert.equal(recipe.size, built.size);
      const walked = await walk(built);
      assert.deepEqual(walked.map(({ id, length }) => ({ id, length })), entries);
      assert.deepEqual(walked, [...placeEntries(entries, 0, { start: 0, end: Infinity })]);
    });
  }
});

Deno.test("RecipeBuilder keeps the sizes of parts and lists them in order", () => {
  const { root, parts, order } = build(chunks(20_000));
  const recipe = decodeRecipe(root);
  assert.deepEqual(recipe.entries.map((entry) => entry.id.toHex()), order);
  const counts = recipe.entries.map((entry) =>
    decodePart(parts.get(entry.id.toHex())!, entry.length).length
  );
  assert.ok(counts.slice(0, -1).every((n) => n >= PART_ENTRIES.min && n <= PART_ENTRIES.max));
  const average = 20_000 / counts.length;
  assert.ok(average > 110 && average < 145, `${average} chunks in a part`);
});

Deno.test("RecipeBuilder cuts a list of one chunk over and over at the largest part", () => {
  const [one] = chunks(1);
  const id = one!.id.slice();
  id.set([1, 0, 0, 0]);
  const built = build(Array.from({ length: 1100 }, () => ({ id, length: 5 })));
  assert.deepEqual(decodeRecipe(built.root).entries.map((part) => part.length), [2560, 2560, 380]);
});

Deno.test("RecipeBuilder changes few parts when chunks are put in at the head", () => {
  const old = build(chunks(5000));
  const changed = build([...chunks(3, 900_000), ...chunks(5000)]);
  const fresh = changed.order.filter((id) => !old.parts.has(id));
  assert.ok(fresh.length <= 8, `${fresh.length} of ${changed.order.length} parts changed`);
});

Deno.test("RecipeBuilder makes a recipe without a chunker for a blob that somebody else cut", () => {
  assert.equal(decodeRecipe(build(chunks(3), false).root).chunker, undefined);
  assert.throws(() => new RecipeBuilder(undefined).add(new Uint8Array(32), 0), RangeError);
  assert.throws(() => new RecipeBuilder(undefined).add(new Uint8Array(31), 1), RangeError);
});

Deno.test("walkRecipe() gives exactly the chunks of a range and reads only their parts", async () => {
  for (const count of [40, 2000]) {
    const entries = chunks(count);
    const built = build(entries);
    const all = await walk(built);
    await fc.assert(
      fc.asyncProperty(fc.nat(built.size + 5), fc.nat(9000), async (start, length) => {
        const range = { start, end: start + length };
        const want = all.filter((chunk) =>
          length > 0 && chunk.offset < range.end && chunk.offset + chunk.length > start
        );
        assert.deepEqual(await walk(built, range), want);
      }),
      { numRuns: 50 },
    );
  }
  const built = build(chunks(2000));
  const read: string[] = [];
  const recipe = decodeRecipe(built.root);
  const readPart = (id: Bytes) => {
    read.push(id.toHex());
    return Promise.resolve(built.parts.get(id.toHex()));
  };
  await Array.fromAsync(walkRecipe(recipe, readPart, { start: 0, end: 1 }));
  assert.deepEqual(read, [built.order[0]]);
});

Deno.test("walkRecipe() says corrupt when a part is missing or is another", async () => {
  const built = build(chunks(400));
  const other = built.parts.get(built.order.at(-1)!)!;
  await assert.rejects(walk({ root: built.root, parts: new Map() }), corrupt);
  const parts = new Map(built.parts).set(built.order[0]!, other);
  await assert.rejects(walk({ root: built.root, parts }), corrupt);
});

Deno.test("decodeRecipe() refuses wrong fields, sums and lengths", () => {
  const one = build(chunks(5)).root;
  const two = build(chunks(300)).root;
  const change = (bytes: Bytes, at: number, value: number) => {
    const copy = bytes.slice();
    copy[at] = value;
    return copy;
  };
  for (const at of [0, 5, 6, 7, 11, 15, 19, 24, 31, 64, 68, 72 + 32, 72 + 35]) {
    assert.throws(() => decodeRecipe(change(one, at, 0xe7)), corrupt, `level 1, byte ${at}`);
  }
  assert.throws(() => decodeRecipe(change(two, 72 + 32, 1)), corrupt);
  assert.throws(() => decodeRecipe(change(two, 72 + 39, 1)), corrupt);
  assert.throws(() => decodeRecipe(change(one, 4, 2)), (thrown) => isKind(thrown, "unsupported"));
  for (let end = 0; end < one.length; end++) {
    assert.throws(() => decodeRecipe(one.slice(0, end)), corrupt);
  }
  assert.throws(() => decodeRecipe(new Uint8Array([...one, 0])), corrupt);
  const builder = new RecipeBuilder(DEFAULT_CHUNKER);
  builder.add(new Uint8Array(32), DEFAULT_CHUNKER.max + 1);
  assert.throws(() => decodeRecipe(builder.finish(DIGEST).root), corrupt);
});

Deno.test("decodeRecipe() and decodePart() take any bytes without another kind of error", () => {
  const good = [build(chunks(3)).root, build(chunks(260)).root];
  const part = [...build(chunks(300)).parts.values()][0]!;
  const onlyCacheErrors = (decode: () => unknown) => {
    try {
      decode();
    } catch (thrown) {
      assert.ok(thrown instanceof CacheError, String(thrown));
      assert.ok(thrown.kind === "corrupt" || thrown.kind === "unsupported");
    }
  };
  fc.assert(fc.property(
    fc.constantFrom(...good, part),
    fc.array(fc.tuple(fc.nat(), fc.nat(255)), { maxLength: 4 }),
    fc.nat(40),
    (bytes, edits, cut) => {
      const bad = bytes.slice(0, bytes.length - cut);
      for (const [at, value] of edits) bad[at % Math.min(bad.length, 120)] = value;
      onlyCacheErrors(() => decodeRecipe(bad));
      onlyCacheErrors(() => decodePart(bad, 10_000));
    },
  ));
  fc.assert(fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
    onlyCacheErrors(() => decodeRecipe(new Uint8Array(bytes)));
  }));
});
