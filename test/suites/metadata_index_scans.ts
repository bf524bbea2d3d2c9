/** Rules of the index suite: order, filters, summaries. */
import assert from "node:assert/strict";
import { entryId, itemId } from "../../codec/entry_id.ts";
import { sha256, toHex } from "../../core/digest.ts";
import type { EntryKey } from "../../core/entry.ts";
import type { ScanOptions } from "../../core/metadata_index.ts";
import { SummarySet } from "../../core/summary/summary_set.ts";
import type { IndexCase } from "./metadata_index.ts";
import { blob, draft, keyed, keysOf, names, putWhole, scanned } from "./metadata_index_world.ts";

/** Identities in the order that a scan has to give. */
const ORDERED: readonly EntryKey[] = [
  keyed("z", { namespace: "a" }),
  keyed("a", { scope: "main" }),
  keyed("b", { scope: "main", protocol: "other" }),
  keyed("a", { scope: "pr/1" }),
  keyed("a", { scope: "pr/1", protocol: "q" }),
  keyed("a", { scope: "pr/2" }),
  keyed("a", { namespace: "z" }),
].toSorted((a, b) => path(a) < path(b) ? -1 : 1);

function path({ namespace, scope, protocol, key }: EntryKey): string {
  return [namespace, scope, protocol, key].join("\u0000"); // all ASCII: code units are bytes here
}

function shown({ namespace, scope, protocol, key }: EntryKey): string {
  return `${namespace}/${scope}/${protocol}/${key}`;
}

/** See `INDEX_CASES`. */
export const SCAN_CASES: Readonly<Record<string, IndexCase>> = {
  "scan() goes by namespace, scope, protocol, key": async (index) => {
    for (const key of ORDERED.toReversed()) await index.put(draft("", key));
    assert.deepEqual(await names(index), ORDERED.map(shown));
  },
  "scan() orders keys by their UTF-8 bytes": async (index) => {
    const keys = ["", "\0", "\0\0", "A", "a", "a\0", "a\0b", "ab", "é", "\uff5e", "😀", "😀a"];
    await index.commit({ entries: keys.toReversed().map((key) => draft(key)) });
    assert.deepEqual(await keysOf(index), keys);
  },
  "scan() gives the newest changes of all scopes first": async (index, world) => {
    const scopes = ["main", "pr/1"];
    const newest = { namespace: "default", scopes, protocol: "plain", order: "newest" } as const;
    for (let n = 0; n < 70; n++) {
      await index.put(draft(`k${n}`, { scope: scopes[n % 2]!, created: 1_000 - n }));
      // A clock that goes back makes nothing older.
      world.clock.jump(-60_000);
    }
    await index.put(draft("k70", { scope: "pr/2" }));
    await index.put(draft("k71", { protocol: "other" }));
    await index.put(draft("other"));
    const all = Array.from({ length: 70 }, (_, n) => `k${69 - n}`);
    assert.deepEqual(await keysOf(index, { ...newest, prefix: "k" }), all);
    assert.deepEqual(await keysOf(index, { ...newest, prefix: "k", limit: 2 }), ["k69", "k68"]);
    const main = await keysOf(index, { ...newest, scopes: ["main"], limit: 2 });
    assert.deepEqual(main, ["other", "k68"]);
    await index.put(draft("k3", { scope: "pr/1" }));
    await index.delete([keyed("k68")]);
    const now = await keysOf(index, { ...newest, prefix: "k", limit: 3, tombstones: true });
    assert.deepEqual(now, ["k3", "k69", "k67"]);
    assert.deepEqual(await keysOf(index, { ...newest, prefix: "\ud83d" }), []);
    await assert.rejects(keysOf(index, { order: "newest", prefix: "k" }), RangeError);
  },
  "scan() leaves incomplete entries out of the newest, unless they are asked for": async (
    index,
    world,
  ) => {
    await putWhole(index, draft("k1", { blobs: [blob("one")] }));
    await putWhole(index, draft("k2", { blobs: [blob("two")] }));
    world.lost.add(blob("two").digest);
    const newest = { namespace: "default", scopes: ["main"], protocol: "plain" } as const;
    assert.deepEqual(await keysOf(index, { ...newest, order: "newest", limit: 1 }), ["k1"]);
    const all = await keysOf(index, { ...newest, order: "newest", incomplete: true });
    assert.deepEqual(all, ["k2", "k1"]);
  },
  "scan() filters by writer and time, and limits what is left": async (index) => {
    const times = [1000, 2000, 3000, 4000];
    const entries = times.flatMap((created) =>
      ["anne", "bert"].map((writer) => draft(`${created} ${writer}`, { created, writer }))
    );
    await index.commit({ entries });
    const found = (options: ScanOptions) => keysOf(index, options);
    assert.deepEqual(await found({ writer: "bert", since: 3000 }), ["3000 bert", "4000 bert"]);
    assert.deepEqual(await found({ until: 2000 }), ["1000 anne", "1000 bert"]);
    assert.deepEqual(await found({ since: 2000, until: 3000 }), ["2000 anne", "2000 bert"]);
    assert.deepEqual(await found({ writer: "bert", limit: 2 }), ["1000 bert", "2000 bert"]);
    assert.deepEqual(await found({ writer: "bert", order: "sequence", limit: 1 }), ["1000 bert"]);
    assert.deepEqual(await found({ writer: "nobody" }), []);
  },
  "scan() filters by prefix": async (index) => {
    const keys = ["", "a", "a/", "a/\uffff", "a/😀", "a/b", "a0", "b"];
    await index.commit({ entries: keys.map((key) => draft(key)) });
    assert.deepEqual(await keysOf(index, { prefix: "a/" }), ["a/", "a/b", "a/\uffff", "a/😀"]);
    assert.deepEqual(await keysOf(index, { prefix: "a/😀" }), ["a/😀"]);
    assert.deepEqual(await keysOf(index, { prefix: "c" }), []);
    // Half of 😀: no key begins with it, whatever UTF-16 says.
    assert.deepEqual(await keysOf(index, { prefix: "a/\ud83d" }), []);
    assert.deepEqual(await keysOf(index, { prefix: "a", order: "sequence" }), keys.slice(1, 7));
  },
  "scan() filters by namespace, scopes and protocol": async (index) => {
    await index.commit({ entries: ORDERED.map((key) => draft("", key)) });
    const filters = [
      { namespace: "default" },
      { namespace: "none" },
      { scopes: ["pr/2", "pr/1", "pr/2"] },
      { scopes: ["pr/1"], protocol: "q" },
      { scopes: [] },
      { protocol: "other" },
      { namespace: "default", scopes: ["main", "zz"], protocol: "plain" },
      { namespace: "z", scopes: ["aa", "main"], prefix: "a" },
    ];
    for (const filter of filters) {
      const want = ORDERED.filter((key) =>
        (filter.namespace === undefined || key.namespace === filter.namespace) &&
        (filter.scopes === undefined || filter.scopes.includes(key.scope)) &&
        (filter.protocol === undefined || key.protocol === filter.protocol)
      ).map(shown);
      assert.deepEqual(await names(index, filter), want, JSON.stringify(filter));
      const bySequence = await names(index, { ...filter, order: "sequence" });
      assert.deepEqual(bySequence, want, `by sequence ${JSON.stringify(filter)}`);
    }
  },
  "scan() goes on behind any key, whether it is there or not": async (index) => {
    await index.commit({ entries: ORDERED.map((key) => draft("", key)) });
    for (const [at, after] of ORDERED.entries()) {
      assert.deepEqual(await names(index, { after }), ORDERED.slice(at + 1).map(shown));
      const missing = { ...after, key: `${after.key}!` };
      assert.deepEqual(await names(index, { after: missing }), ORDERED.slice(at + 1).map(shown));
    }
    const before = keyed("", { namespace: "0" });
    assert.equal((await names(index, { after: before, namespace: "z" })).length, 1);
    const past = keyed("", { namespace: "zz" });
    assert.deepEqual(await names(index, { after: past, namespace: "z" }), []);
  },
  "scan() in pages of any size gives everything once": async (index) => {
    await index.commit({ entries: ORDERED.map((key) => draft("", key)) });
    for (const limit of [1, 2, 3, 7, 8]) {
      const found: EntryKey[] = [];
      let page = await scanned(index, { limit });
      while (page.length > 0) {
        assert.equal(page.length <= limit, true);
        const entries = page.map((item) => item.type === "entry" ? item.entry : item.tombstone);
        found.push(...entries);
        page = await scanned(index, { limit, after: entries.at(-1) });
      }
      assert.deepEqual(found.map(shown), ORDERED.map(shown));
    }
  },
  "scan() by sequence gives each identity once, at its last change": async (index) => {
    for (const key of ["a", "b", "c"]) await index.put(draft(key));
    await index.delete([keyed("b")]);
    await index.put(draft("a"));
    assert.deepEqual(await keysOf(index, { order: "sequence" }), ["c", "a"]);
    const all = { order: "sequence", tombstones: true } as const;
    assert.deepEqual(await keysOf(index, all), ["c", "b", "a"]);
    assert.deepEqual(await keysOf(index, { ...all, afterSequence: 3 }), ["b", "a"]);
    assert.deepEqual(await keysOf(index, { ...all, afterSequence: 4, limit: 1 }), ["a"]);
    assert.deepEqual(await keysOf(index, { ...all, afterSequence: 5 }), []);
  },
  "scan() by sequence gives an entry that changes meanwhile once, in order": async (index) => {
    await index.commit({ entries: ["a", "b", "c"].map((key) => draft(key)) });
    const seen: { key: string; sequence: number }[] = [];
    for await (const item of index.scan({ order: "sequence" })) {
      if (item.type === "entry") seen.push(item.entry);
      if (seen.length === 1) await index.put(draft("b"));
    }
    assert.deepEqual(seen.map(({ key }) => key).sort(), ["a", "b", "c"]);
    const sequences = seen.map(({ sequence }) => sequence);
    assert.deepEqual(sequences, sequences.toSorted((a, b) => a - b));
  },
  "scan() leaves out tombstones and incomplete entries unless asked": async (index) => {
    await putWhole(index, draft("whole", { blobs: [blob("1")] }));
    await index.put(draft("broken", { blobs: [blob("2")] }));
    await index.put(draft("gone"));
    await index.delete([keyed("gone")]);
    const base = "default/main/plain";
    assert.deepEqual(await names(index), [`${base}/whole`]);
    assert.deepEqual(await names(index, { incomplete: true }), [`${base}/broken`, `${base}/whole`]);
    assert.deepEqual(await names(index, { tombstones: true }), [`${base}/gone†`, `${base}/whole`]);
  },
  "scan() counts against its limit only what it gives": async (index) => {
    for (let at = 0; at < 5; at++) await index.put(draft(`a${at}`, { blobs: [blob("missing")] }));
    await index.put(draft("b"));
    await index.put(draft("c"));
    assert.deepEqual(await keysOf(index, { limit: 1 }), ["b"]);
    assert.deepEqual(await keysOf(index, { limit: 0 }), []);
  },
  "scan() refuses a limit or sequence that is no count": async (index) => {
    await assert.rejects(scanned(index, { limit: -1 }), RangeError);
    await assert.rejects(scanned(index, { limit: 1.5 }), RangeError);
    await assert.rejects(scanned(index, { afterSequence: Number.NaN }), RangeError);
  },
  "scan() stops with the signal's reason": async (index) => {
    await index.commit({ entries: [draft("a"), draft("b")] });
    const control = new AbortController();
    const seen: string[] = [];
    await assert.rejects(async () => {
      for await (const item of index.scan({ signal: control.signal })) {
        seen.push(item.type);
        control.abort(new Error("enough"));
      }
    }, /enough/);
    assert.deepEqual(seen, ["entry"]);
  },
  "scan() over many rows keeps its order while others write": async (index) => {
    const count = 700;
    const key = (at: number) => `k${String(at).padStart(4, "0")}`;
    await index.commit({ entries: Array.from({ length: count }, (_, at) => draft(key(at))) });
    const seen: string[] = [];
    for await (const item of index.scan()) {
      if (item.type === "entry") seen.push(item.entry.key);
      if (seen.length === 10) await index.put(draft("a new one, behind us"));
    }
    assert.deepEqual(seen, Array.from({ length: count }, (_, at) => key(at)));
    const changes = await scanned(index, { order: "sequence" });
    assert.equal(changes.length, count + 1);
    const begun = index.scan({ order: "sequence" })[Symbol.asyncIterator]();
    await begun.next();
    await begun.return?.();
  },
  "summarize() of nothing is the hash of nothing": async (index) => {
    const empty = { count: 0, fingerprint: sha256(new Uint8Array(0)) };
    assert.deepEqual(await index.summarize("default", "main", ""), empty);
    await index.put(draft("k"));
    assert.deepEqual(await index.summarize("default", "other", ""), empty);
    assert.deepEqual(await index.summarize("other", "main", ""), empty);
  },
  "summarize() hashes the sorted item ids of a range, tombstones included": async (
    index,
    world,
  ) => {
    for (let at = 0; at < 60; at++) await index.put(draft(`k${at}`));
    await index.put(draft("elsewhere", { scope: "pr/1" }));
    await index.delete(["k1", "k2", "k3"].map((key) => keyed(key)));
    const items = (await scanned(index, { tombstones: true, scopes: ["main"] })).map((item) => {
      const version = item.type === "entry" ? item.entry : item.tombstone;
      return toHex(itemId(world.keys, entryId(world.keys, version), version.stamp));
    }).sort();
    assert.equal(items.length, 60);
    for (const prefix of ["", ..."0123456789abcdef", items[7]!.slice(0, 3), items[9]!]) {
      const inside = items.filter((item) => item.startsWith(prefix));
      assert.deepEqual(await index.summarize("default", "main", prefix), {
        count: inside.length,
        fingerprint: sha256(Uint8Array.fromHex(inside.join(""))),
      });
    }
  },
  "summarize() changes with every change": async (index) => {
    const prints = new Set<string>();
    const steps = [
      () => index.put(draft("a")),
      () => index.put(draft("a")),
      () => index.put(draft("b")),
      () => index.delete([keyed("a")]),
      () => index.put(draft("a")),
    ];
    for (const step of steps) {
      await step();
      prints.add(toHex((await index.summarize("default", "main", "")).fingerprint));
    }
    assert.equal(prints.size, steps.length);
  },
  "summary() is the one of a fresh set of item ids, tombstones included, and stays so": async (
    index,
    world,
  ) => {
    const before = await index.summary("default", "main");
    const nothing = toHex(new SummarySet().root());
    assert.equal(toHex(before.root()), nothing);
    for (let at = 0; at < 150; at++) await index.put(draft(`k${at}`));
    await index.put(draft("elsewhere", { scope: "pr/1" }));
    await index.put(draft("k0", { cost: 1 }));
    await index.delete([keyed("k1")]);
    const fresh = new SummarySet();
    for await (const item of index.scan({ tombstones: true, scopes: ["main"] })) {
      const version = item.type === "entry" ? item.entry : item.tombstone;
      fresh.add(itemId(world.keys, entryId(world.keys, version), version.stamp));
    }
    assert.equal(fresh.size, 150);
    for (const view of [before, await index.summary("default", "main")]) {
      assert.equal(toHex(view.root()), toHex(fresh.root()));
      assert.equal(view.count(""), 150);
      assert.equal(toHex(view.items("7")), toHex(fresh.items("7")));
      assert.equal(toHex(view.after(undefined, 33)), toHex(fresh.after(undefined, 33)));
      const last = fresh.after(undefined, 33).slice(-16);
      assert.equal(toHex(view.after(last, 500)), toHex(fresh.after(last, 500)));
    }
    assert.equal(toHex((await index.summary("other", "main")).root()), nothing);
  },
  "summary() leaves out tombstones that are older than the horizon": async (index, world) => {
    for (const key of ["a", "b", "c"]) await index.put(draft(key));
    const all = await index.summary("default", "main");
    await index.delete([keyed("a")]);
    world.clock.advance(1000);
    const horizon = BigInt(world.clock.now()) * 65_536n;
    world.clock.advance(1000);
    await index.delete([keyed("b")]);
    assert.equal(all.count(""), 3);
    const cut = await index.summary("default", "main", { horizon });
    assert.equal(cut.count(""), 2);
    assert.equal(toHex(all.root()), toHex(cut.root()));
    await index.put(draft("a"));
    assert.equal(cut.count(""), 3);
    // An older horizon brings nothing back.
    assert.equal((await index.summary("default", "main", { horizon: 1n })).count(""), 3);
  },
  "summary() stops with the signal's reason": async (index) => {
    await index.put(draft("a"));
    const signal = AbortSignal.abort(new Error("enough"));
    await assert.rejects(index.summary("default", "main", { signal }), /enough/);
  },
  "summarize() refuses a prefix that is no hex": async (index) => {
    for (const prefix of ["g", "A", "0x", "0".repeat(33)]) {
      await assert.rejects(index.summarize("default", "main", prefix), RangeError);
    }
  },
};
