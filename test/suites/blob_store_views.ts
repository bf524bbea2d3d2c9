/** Cases of the blob store suite: what namespaces see of each other, and what is stored once. */
import assert from "node:assert/strict";
import { DEFAULT_CHUNKER } from "../../codec/chunker.ts";
import { Chunker } from "../../codec/chunk_stream.ts";
import { chunkIdOf } from "../../codec/entry_id.ts";
import { RecipeBuilder } from "../../codec/recipe_builder.ts";
import { concat } from "../../core/bytes.ts";
import type { Bytes } from "../../core/digest.ts";
import { digestOf, sha256 } from "../../core/digest.ts";
import type { Cases } from "./blob_store.ts";
import { assertHolds, assertMissing, FORMS, KIB, MIB, noise } from "./blob_store_asks.ts";
import { badSource, rejectsKind, text } from "./object_store_asks.ts";

const SMALL = text("shared");
const LARGE = noise(1_500_000, 21);

export const VIEW_CASES: Cases = {
  "shows a blob in no other namespace": async (c) => {
    for (const bytes of [SMALL, LARGE]) {
      await c.put(bytes);
      await assertMissing(c.other, bytes, c.knobs.lists);
      await assertHolds(c.store, bytes);
    }
  },
  "says nothing about a blob of another namespace, not even its size": async (c) => {
    const digest = await c.put(LARGE);
    for (const start of [0, LARGE.length, LARGE.length + 1]) {
      assert.equal(await c.other.get(digest, { range: { start, end: start + 1 } }), undefined);
    }
  },
  "believes nobody who only names a blob of another namespace": async (c) => {
    for (const bytes of [SMALL, LARGE]) {
      const digest = await c.put(bytes);
      await rejectsKind(c.other.put(digest, c.source(text("guess"))), "invalid_argument");
      await assertMissing(c.other, bytes, c.knobs.lists);
    }
  },
  "reads in full what a second namespace puts, and stores it once": async (c) => {
    for (const bytes of [SMALL, LARGE]) {
      const digest = await c.put(bytes);
      const stored = c.subject.storedBytes?.();
      let read = 0;
      const inner = FORMS["sized stream"]!(bytes);
      const counted = inner.open().pipeThrough(
        new TransformStream<Bytes, Bytes>({
          transform(part, controller) {
            read += part.length;
            controller.enqueue(part);
          },
        }),
      );
      const source = { size: bytes.length, replayable: false, open: () => counted };
      await c.other.put(digest, source);
      assert.equal(read, bytes.length);
      assert.equal(c.subject.storedBytes?.(), stored);
      await assertHolds(c.other, bytes);
      await assertHolds(c.store, bytes);
    }
  },
  "takes a blob out of one namespace and leaves it in the other": async (c) => {
    for (const bytes of [SMALL, LARGE]) {
      const digest = await c.put(bytes);
      await c.other.put(digest, c.source(bytes));
      await c.store.delete([digest]);
      await assertMissing(c.store, bytes, c.knobs.lists);
      await assertHolds(c.other, bytes);
      await c.store.delete([digest]);
      await assertHolds(c.other, bytes);
    }
  },
  "serves bytes that look like a recipe, and never reads them as one": async (c) => {
    // The recipe of a large blob that is not here, stored as a blob by itself.
    const recipe = recipeOf(LARGE);
    await c.put(recipe);
    await assertHolds(c.store, recipe);
    await assertMissing(c.store, LARGE, c.knobs.lists);
  },
  "keeps a blob and the blob of its recipe's bytes apart": async (c) => {
    const recipe = recipeOf(LARGE);
    for (const order of [[LARGE, recipe], [recipe, LARGE]]) {
      for (const bytes of order) await c.put(bytes);
      await assertHolds(c.store, LARGE);
      await assertHolds(c.store, recipe);
      await c.store.delete([digestOf(order[0]!)]);
      await assertMissing(c.store, order[0]!, c.knobs.lists);
      await assertHolds(c.store, order[1]!);
      await c.store.delete([digestOf(order[1]!)]);
    }
  },
  "does not take a stored recipe of other chunks for the blob it names": async (c) => {
    // Bytes that say: I am the blob LARGE, and these are my chunks, which hold something else.
    const forged = recipeOf(noise(LARGE.length, 22), LARGE);
    await c.put(noise(LARGE.length, 22));
    await c.put(forged);
    await assertMissing(c.store, LARGE, c.knobs.lists);
    await c.put(LARGE);
    await assertHolds(c.store, LARGE);
    await assertHolds(c.store, forged);
  },
  "serves a large blob that begins as a recipe": async (c) => {
    const bytes = concat([recipeOf(LARGE), noise(600 * KIB, 23)]);
    await c.put(bytes);
    await assertHolds(c.store, bytes);
  },
  "stores a chunk of a large blob once, also as a blob of its own": async (c) => {
    await c.put(LARGE);
    const [chunk] = new Chunker().push(LARGE);
    await c.put(chunk!);
    await assertHolds(c.store, chunk!);
    await c.store.delete([digestOf(chunk!)]);
    await assertHolds(c.store, LARGE);
  },
  "stores little more for a file with one byte put in at its head": async (c) => {
    const file = noise(2 * MIB, 24);
    await c.put(file);
    const before = c.subject.storedBytes?.();
    const longer = concat([new Uint8Array([7]), file]);
    await c.put(longer);
    await assertHolds(c.store, longer);
    const after = c.subject.storedBytes?.();
    if (before === undefined || after === undefined || !c.knobs.chunks) return;
    assert.ok(after - before < 300 * KIB, `${after - before} new bytes`);
  },
  "keeps chunks that a given up upload shared": async (c) => {
    const longer = concat([LARGE, noise(MIB, 25)]);
    const abort = new AbortController();
    const source = badSource(longer, "hangs");
    const given = c.other.put(digestOf(longer), source, { signal: abort.signal });
    await Promise.race([source.atEnd, given]);
    await c.put(LARGE);
    abort.abort(new Error("the caller left"));
    await assert.rejects(given, /the caller left/);
    await assertHolds(c.store, LARGE);
    await assertMissing(c.other, longer, c.knobs.lists);
  },
};

/** The root recipe of a blob, in the name of `as`. */
function recipeOf(bytes: Bytes, as = bytes): Bytes {
  const builder = new RecipeBuilder(DEFAULT_CHUNKER);
  const chunker = new Chunker(DEFAULT_CHUNKER);
  for (const chunk of [...chunker.push(bytes), ...chunker.flush()]) {
    builder.add(chunkIdOf(sha256(chunk)), chunk.length);
  }
  const { root, parts } = builder.finish(digestOf(as));
  if (parts.length > 0) throw new RangeError("Cannot use the blob: its recipe has parts");
  return root;
}
