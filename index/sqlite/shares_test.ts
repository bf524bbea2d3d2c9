import assert from "node:assert/strict";
import fc from "fast-check";
import type { EntryKey } from "../../core/entry.ts";
import { blob, draft, indexWorld, keyed, scanned } from "../../test/suites/metadata_index_world.ts";
import { openWriter } from "../../test/suites/open_index.ts";
import type { IndexWriter } from "../contract.ts";
import { MemoryLog } from "../memory_log.ts";

/** Steps of a run: what is done, to which key, with which body. */
const STEPS = fc.array(
  fc.record({
    what: fc.constantFrom(
      "put",
      "put",
      "put",
      "remove",
      "letGo",
      "pin",
      "unpin",
      "unlink",
      "compact",
    ),
    namespace: fc.constantFrom("a", "b"),
    scope: fc.constantFrom("main", "pr/1"),
    key: fc.constantFrom("x", "y", "z"),
    body: fc.constantFrom("1", "22", "333", "4444"),
  }),
  { maxLength: 40 },
);

/** What the numbers must be, counted anew from all entries and all blobs that are seen. */
async function counted(index: IndexWriter) {
  const namespaces = index.namespaces().map((namespace) => {
    const blobs = index.visibility.list(namespace, undefined, 1000);
    const bytes = blobs.reduce((sum, { size }) => sum + size, 0);
    return { namespace, blobs: blobs.length, bytes };
  });
  const spaces = new Map<string, { entries: number; bytes: number }>();
  for (const item of await scanned(index, { incomplete: true })) {
    if (item.type !== "entry") continue;
    const { namespace, scope, blobs } = item.entry;
    const at = `${namespace} ${scope}`;
    const { entries, bytes } = spaces.get(at) ?? { entries: 0, bytes: 0 };
    const more = blobs.reduce((sum, { size }) => sum + size, 0);
    spaces.set(at, { entries: entries + 1, bytes: bytes + more });
  }
  return { namespaces: sorted(namespaces), spaces };
}

/** The same as the index tells it, without spaces that hold nothing. */
function told(index: IndexWriter) {
  const { namespaces, spaces } = index.shares();
  const held = spaces.filter(({ entries, bytes }) => entries !== 0 || bytes !== 0)
    .map(({ namespace, scope, entries, bytes }) => {
      assert.deepEqual(index.spaceShare(namespace, scope), { namespace, scope, entries, bytes });
      return [`${namespace} ${scope}`, { entries, bytes }] as const;
    });
  for (const share of namespaces) {
    assert.deepEqual(index.namespaceShare(share.namespace), share);
  }
  return { namespaces: sorted(namespaces), spaces: new Map(held) };
}

function sorted<T extends { readonly namespace: string }>(rows: readonly T[]): T[] {
  return [...rows].sort((a, b) => a.namespace < b.namespace ? -1 : 1);
}

function pinned(index: IndexWriter): string[] {
  return index.pins().map(({ key, by }) => `${key.namespace} ${key.scope} ${key.key} ${by}`).sort();
}

Deno.test("shares of namespaces and scopes, and pins, are what a count says, also after a rebuild", async () => {
  await fc.assert(
    fc.asyncProperty(STEPS, async (steps) => {
      const world = indexWorld();
      const log = new MemoryLog();
      const index = await openWriter(world, { path: ":memory:", log });
      const pins = new Set<string>();
      for (const { what, namespace, scope, key, body } of steps) {
        const at: EntryKey = keyed(key, { namespace, scope });
        const name = `${namespace} ${scope} ${key} anne`;
        const one = blob(body);
        if (what === "put") {
          const entry = draft(key, { ...at, blobs: [one] });
          await index.commit({ link: [{ namespace, blob: one }], entries: [entry] });
        } else if (what === "unlink") {
          await index.commit({ unlink: [{ namespace, digest: one.digest }] });
        } else if (what === "compact") {
          await index.compact({ force: true });
        } else {
          const { kept, removed } = await index.commit({ [what]: [at], by: "anne" });
          if (what === "pin" && kept) pins.add(name);
          else if (kept || removed) pins.delete(name);
        }
      }
      const want = await counted(index);
      assert.deepEqual(told(index), want);
      assert.deepEqual(pinned(index), [...pins].sort());
      await index[Symbol.asyncDispose]();
      const again = await openWriter(world, { path: ":memory:", log });
      assert.deepEqual(told(again).spaces, want.spaces);
      assert.deepEqual(pinned(again), [...pins].sort());
      assert.deepEqual(world.reports, []);
      await again[Symbol.asyncDispose]();
    }),
    { numRuns: 40 },
  );
});

Deno.test("IndexWriter.commit() lets an entry go without a tombstone, and only the version it was told", async () => {
  const world = indexWorld();
  const log = new MemoryLog();
  await using index = await openWriter(world, { path: ":memory:", log });
  const { entry } = await index.put(draft("k"));
  await index.put(draft("k"));
  assert.equal(
    (await index.commit({ letGo: [{ ...keyed("k"), sequence: entry.sequence }] })).kept,
    undefined,
  );
  assert.equal((await index.commit({ letGo: [keyed("k")] })).kept, 1);
  assert.deepEqual(await scanned(index, { tombstones: true, incomplete: true }), []);
  // An older peer's version of it may come back: nothing says that it was deleted.
  await index.put(draft("k"));
  assert.equal(index.totals().entries, 1);
});

Deno.test("IndexWriter.sample() gives all of a few, and about as many as asked of many", async () => {
  const world = indexWorld();
  await using index = await openWriter(world, { path: ":memory:", log: new MemoryLog() });
  const entries = Array.from({ length: 60 }, (_, n) => {
    return draft(`k${n}`, { scope: n % 3 === 0 ? "pr/1" : "main", blobs: [blob(`${n}`)] });
  });
  await index.commit({
    entries,
    link: entries.map(({ namespace, blobs }) => ({ namespace, blob: blobs[0]! })),
  });
  const all = index.sample("default", ["main", "pr/1"], 60);
  assert.equal(new Set(all.map(({ key }) => key.key)).size, 60);
  assert.equal(index.sample("default", ["pr/1", "none"], 60).length, 20);
  const some = index.sample("default", ["main", "pr/1"], 30);
  assert.equal(new Set(some.map(({ key }) => key.key)).size, 30, "each once");
  assert.deepEqual(some.filter(({ key }) => key.scope === "main").length, 20);
});
