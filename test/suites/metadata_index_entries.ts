/** Rules of the index suite: single entries, their versions and uses. */
import assert from "node:assert/strict";
import { compareStamps } from "../../core/entry.ts";
import { MAX_REPLACEMENTS } from "../../index/contract.ts";
import type { IndexCase } from "./metadata_index.ts";
import {
  blob,
  draft,
  keyed,
  keysOf,
  putWhole,
  refused,
  scanned,
  settle,
} from "./metadata_index_world.ts";

/** See `INDEX_CASES`. */
export const ENTRY_CASES: Readonly<Record<string, IndexCase>> = {
  "get() of an unknown key is undefined": async (index) => {
    assert.equal(await index.get(keyed("nothing")), undefined);
  },
  "put() then get() gives every fact back": async (index, world) => {
    const body = blob("body");
    const facts = draft("k", {
      content: "action-result",
      blobs: [body, blob("second"), { ...blob("large"), size: 5_000_000_000 }],
      tags: ["b", "a", "ü😀"],
      writer: "ci \u0000 token",
      cost: 1234,
      inputs: { "src/a.ts": "x", ["__proto__"]: "y" },
      headers: { "x-artifact-tag": "t" },
    });
    const { entry, replaced } = await putWhole(index, facts);
    const { mutability: _, ...rest } = facts;
    assert.equal(replaced, undefined);
    assert.deepEqual({ ...entry, stamp: 0, sequence: 0, used: 0 }, {
      ...rest,
      stamp: 0,
      sequence: 0,
      used: 0,
    });
    assert.equal(entry.stamp.device, world.device);
    assert.equal(entry.stamp.epoch, 0);
    assert.equal(entry.stamp.hlc >= BigInt(world.clock.now()) * 65_536n, true);
    assert.match(entry.stamp.valueHash, /^[0-9a-f]{64}$/);
    assert.equal(entry.sequence, 1);
    assert.equal(entry.used, 0);
    assert.deepEqual(await index.get(keyed("k")), entry);
  },
  "put() keeps identities apart that a joined string would mix": async (index) => {
    const keys = [
      keyed("c", { scope: "a/b" }),
      keyed("b/c", { scope: "a" }),
      keyed("c", { scope: "a", protocol: "b" }),
      keyed("c", { namespace: "other", scope: "a/b" }),
    ];
    for (const [at, key] of keys.entries()) await index.put(draft("", { ...key, cost: at }));
    for (const [at, key] of keys.entries()) assert.equal((await index.get(key))?.cost, at);
    assert.equal(index.totals().entries, 4);
  },
  "get() of a well-formed key never finds one with a lone surrogate": async (index) => {
    await index.put(draft("\ufffd"));
    assert.equal(await index.get(keyed("\ud800")), undefined);
    assert.equal(await index.delete([keyed("\ud800")]), 0);
    assert.notEqual(await index.get(keyed("\ufffd")), undefined);
  },
  "get() is a miss until every blob is visible": async (index) => {
    const [a, b] = [blob("a"), blob("b")];
    await index.put(draft("k", { blobs: [a, b] }));
    assert.equal(await index.get(keyed("k")), undefined);
    await index.commit({ link: [{ namespace: "default", blob: a }] });
    assert.equal(await index.get(keyed("k")), undefined);
    await index.commit({ link: [{ namespace: "default", blob: b }] });
    assert.equal((await index.get(keyed("k")))?.key, "k");
  },
  "get() is a miss while bytes are lost, and a hit when they are back": async (index, world) => {
    const body = blob("a");
    await putWhole(index, draft("k", { blobs: [body] }));
    world.lost.add(body.digest);
    assert.equal(await index.get(keyed("k")), undefined);
    world.lost.delete(body.digest);
    assert.equal((await index.get(keyed("k")))?.key, "k");
  },
  "get() is a miss when only another namespace sees the blob": async (index) => {
    const body = blob("a");
    await putWhole(index, draft("k", { namespace: "other", blobs: [body] }));
    await index.put(draft("k", { blobs: [body] }));
    assert.equal(await index.get(keyed("k")), undefined);
    assert.equal((await index.get(keyed("k", { namespace: "other" })))?.key, "k");
  },
  "put() of a replaceable entry replaces and tells what was there": async (index) => {
    const first = await putWhole(index, draft("k", { blobs: [blob("1")] }));
    const second = await putWhole(index, draft("k", { blobs: [blob("2")] }));
    assert.deepEqual(second.replaced, first.entry);
    assert.equal(second.entry.sequence, 2);
    assert.equal(compareStamps(second.entry.stamp, first.entry.stamp) > 0, true);
    assert.deepEqual(await index.get(keyed("k")), second.entry);
    assert.equal(index.totals().entries, 1);
  },
  "put() of identical content still is a replacement": async (index) => {
    const first = await index.put(draft("k"));
    const second = await index.put(draft("k"));
    assert.equal(second.entry.stamp.valueHash, first.entry.stamp.valueHash);
    assert.deepEqual(second.replaced, first.entry);
    assert.equal(second.entry.sequence, 2);
    assert.equal((await index.replacements(keyed("k"))).length, 1);
  },
  "put() tells an incomplete entry as replaced too": async (index) => {
    const { entry } = await index.put(draft("k", { blobs: [blob("never linked")] }));
    assert.deepEqual((await index.put(draft("k"))).replaced, entry);
  },
  "put() of an immutable entry over a complete one is a conflict": async (index) => {
    const { entry } = await putWhole(index, draft("k", { blobs: [blob("1")] }));
    await refused("conflict", () => index.put(draft("k", { mutability: "immutable", cost: 9 })));
    assert.deepEqual(await index.get(keyed("k")), entry);
    assert.equal((await index.put(draft("other"))).entry.sequence, 2);
    assert.deepEqual(await index.replacements(keyed("k")), []);
  },
  "put() of an immutable entry takes the place of an incomplete one": async (index, world) => {
    const body = blob("1");
    await putWhole(index, draft("k", { blobs: [body] }));
    world.lost.add(body.digest);
    const { entry } = await index.put(draft("k", { mutability: "immutable", cost: 9 }));
    assert.equal((await index.get(keyed("k")))?.cost, 9);
    assert.equal(entry.sequence, 2);
  },
  "put() of an immutable entry works over a tombstone": async (index) => {
    await index.put(draft("k"));
    await index.delete([keyed("k")]);
    const { entry, replaced } = await index.put(draft("k", { mutability: "immutable" }));
    assert.equal(replaced, undefined);
    assert.deepEqual(await index.get(keyed("k")), entry);
    assert.deepEqual(await index.replacements(keyed("k")), []);
  },
  "put() stamps grow within one millisecond": async (index) => {
    const first = await index.put(draft("k"));
    const second = await index.put(draft("k"));
    assert.equal(second.entry.stamp.hlc, first.entry.stamp.hlc + 1n);
  },
  "put() stamps go on when the clock jumps back": async (index, world) => {
    const first = await index.put(draft("k"));
    world.clock.jump(-86_400_000);
    const second = await index.put(draft("k"));
    assert.equal(second.entry.stamp.hlc > first.entry.stamp.hlc, true);
    assert.equal(second.entry.stamp.hlc - first.entry.stamp.hlc < 65_536n, true);
  },
  "put() refuses what cannot be stored, and keeps nothing": async (index) => {
    const wrong = [
      draft("\ud800"),
      draft("k".repeat(1025)),
      draft("k", { namespace: "Upper" }),
      draft("k", { namespace: "" }),
      draft("k", { scope: "../x" }),
      draft("k", { protocol: "a b" }),
      draft("k", { created: -1 }),
      draft("k", { cost: 0.5 }),
      draft("k", { blobs: [{ ...blob("a"), size: 1.5 }] }),
      draft("k", { blobs: [{ ...blob("a"), size: -1 }] }),
      draft("k", { tags: Array.from({ length: 65 }, (_, at) => `t${at}`) }),
    ];
    for (const one of wrong) await refused("invalid_argument", () => index.put(one));
    assert.deepEqual(await scanned(index, { tombstones: true, incomplete: true }), []);
    assert.equal((await index.put(draft("k"))).entry.sequence, 1);
  },
  "put() does not see later changes of the caller's objects": async (index) => {
    const tags = ["a"];
    const blobs = [blob("1")];
    const { entry } = await putWhole(index, draft("k", { tags, blobs }));
    tags.push("b");
    blobs.pop();
    assert.deepEqual(entry.tags, ["a"]);
    assert.deepEqual((await index.get(keyed("k")))?.blobs, [blob("1")]);
  },
  "put() and get() with an aborted signal reject with its reason": async (index) => {
    const signal = AbortSignal.abort(new Error("enough"));
    await assert.rejects(index.put(draft("k"), { signal }), /enough/);
    await assert.rejects(index.get(keyed("k"), { signal }), /enough/);
    await assert.rejects(index.delete([keyed("k")], { signal }), /enough/);
    assert.deepEqual(await keysOf(index), []);
  },
  "put() takes an entry with thousands of blobs": async (index) => {
    const blobs = Array.from({ length: 5000 }, (_, at) => blob(`blob ${at}`));
    await putWhole(index, draft("k", { blobs }));
    assert.deepEqual((await index.get(keyed("k")))?.blobs, blobs);
    assert.equal(index.totals().blobs, 5000);
  },
  "delete() leaves a tombstone with a sequence": async (index) => {
    const { entry } = await index.put(draft("k"));
    assert.equal(await index.delete([keyed("k")]), 1);
    assert.equal(await index.get(keyed("k")), undefined);
    const [item] = await scanned(index, { tombstones: true });
    assert.equal(item?.type, "tombstone");
    const { tombstone } = item as Extract<typeof item, { type: "tombstone" }>;
    assert.deepEqual({ ...tombstone, stamp: 0 }, { ...keyed("k"), sequence: 2, stamp: 0 });
    assert.equal(compareStamps(tombstone.stamp, entry.stamp) > 0, true);
  },
  "delete() counts what is there, each once, complete or not": async (index) => {
    await index.put(draft("a"));
    await index.put(draft("b", { blobs: [blob("missing")] }));
    await index.put(draft("c"));
    await index.delete([keyed("c")]);
    const keys = ["a", "b", "c", "a", "nothing"].map((key) => keyed(key));
    assert.equal(await index.delete(keys), 2);
    assert.equal(await index.delete(keys), 0);
    assert.equal(await index.delete([]), 0);
    assert.equal((await index.put(draft("d"))).entry.sequence, 7);
  },
  "put() over a tombstone brings the key back": async (index) => {
    await index.put(draft("k"));
    await index.delete([keyed("k")]);
    const { entry, replaced } = await index.put(draft("k"));
    assert.equal(replaced, undefined);
    assert.equal(entry.sequence, 3);
    assert.deepEqual(await index.get(keyed("k")), entry);
    assert.equal((await scanned(index, { tombstones: true })).length, 1);
  },
  "replacements() keeps the newest, newest first": async (index) => {
    const bodies = Array.from({ length: MAX_REPLACEMENTS + 3 }, (_, at) => blob(`v${at}`));
    for (const [at, body] of bodies.entries()) {
      await index.put(draft("k", { blobs: [body], writer: `w${at}`, created: 1000 + at }));
    }
    const found = await index.replacements(keyed("k"));
    assert.equal(found.length, MAX_REPLACEMENTS);
    for (const [back, one] of found.entries()) {
      const at = bodies.length - 1 - back;
      assert.deepEqual(one, {
        before: bodies[at - 1]?.digest,
        after: bodies[at]?.digest,
        writer: `w${at}`,
        at: 1000 + at,
      });
    }
    assert.deepEqual(await index.replacements(keyed("other")), []);
  },
  "touch() is stored within a second, and an older use changes nothing": async (index, world) => {
    await index.put(draft("k"));
    index.touch([keyed("k"), keyed("unknown"), keyed("\ud800")], 5000);
    index.touch([keyed("k")], 4000);
    await settle(world);
    assert.equal((await index.get(keyed("k")))?.used, 5000);
    index.touch([keyed("k")], 3000);
    await settle(world);
    assert.equal((await index.get(keyed("k")))?.used, 5000);
    index.touch([keyed("k")], 9000);
    await settle(world);
    assert.equal((await index.get(keyed("k")))?.used, 9000);
    assert.equal(await index.get(keyed("unknown")), undefined);
  },
  "touch() outlives a replacement and changes no sequence": async (index, world) => {
    await index.put(draft("k"));
    index.touch([keyed("k")], 5000);
    await settle(world);
    const { entry } = await index.put(draft("k"));
    assert.equal(entry.used, 5000);
    assert.equal(entry.sequence, 2);
    assert.deepEqual(await index.get(keyed("k")), entry);
  },
  "dispose() twice is fine, and every call after it is refused": async (index) => {
    await index.put(draft("k"));
    await index[Symbol.asyncDispose]();
    await index[Symbol.asyncDispose]();
    await refused("unavailable", () => index.get(keyed("k")));
    await refused("unavailable", () => index.put(draft("k")));
    await refused("unavailable", () => index.delete([keyed("k")]));
    await refused("unavailable", () => scanned(index));
    await refused("unavailable", () => index.summarize("default", "main", ""));
    await refused("unavailable", async () => index.totals());
    await refused("unavailable", async () => index.visibility.find("default", []));
    index.touch([keyed("k")], 1);
  },
  "dispose() waits for what was begun": async (index) => {
    const puts = Array.from({ length: 20 }, (_, at) => index.put(draft(`k${at}`)));
    await index[Symbol.asyncDispose]();
    const outcomes = await Promise.all(puts);
    assert.equal(outcomes.at(-1)?.entry.sequence, 20);
  },
};
