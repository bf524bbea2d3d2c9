import assert from "node:assert/strict";
import { Counters } from "../core/counters.ts";
import type { Entry, EntryKey } from "../core/entry.ts";
import { HOT_BODIES_BYTES, HOT_BODY_BYTES, HOT_FOR_MS, HOT_NOTE_MS } from "../core/limits.ts";
import { FoundEntries, nameOf } from "./found_entries.ts";

const KEY: EntryKey = { namespace: "default", scope: "main", protocol: "kv", key: "k" };

function world() {
  const counters = new Counters();
  const state = { entry: entryOf(1) as Entry | undefined, asked: 0, now: 0, during: () => {} };
  const found = new FoundEntries({
    entries: {
      async get(key) {
        state.asked++;
        const { entry } = state;
        await Promise.resolve();
        state.during();
        return entry && { ...entry, ...key };
      },
    },
    counters,
    now: () => state.now,
  });
  return { counters, state, found };
}

function entryOf(sequence: number): Entry {
  const stamp = { epoch: 0, hlc: 0n, device: "0", valueHash: "0" };
  return {
    ...KEY,
    content: "opaque",
    blobs: [],
    tags: [],
    writer: "",
    created: 0,
    cost: 0,
    inputs: {},
    headers: {},
    stamp,
    sequence,
    used: 0,
  };
}

Deno.test("FoundEntries asks once while nothing changes, and again after a change or a loss", async () => {
  const { counters, state, found } = world();
  for (let n = 0; n < 3; n++) assert.equal((await found.get(KEY))?.sequence, 1);
  assert.equal(state.asked, 1);
  state.entry = entryOf(2);
  counters.noteChange(nameOf(KEY));
  assert.equal((await found.get(KEY))?.sequence, 2);
  for (const lost of ["losses", "unlinks"] as const) {
    state.entry = entryOf(3);
    await found.get(KEY);
    state.entry = undefined;
    counters.add(lost);
    assert.equal(await found.get(KEY), undefined, lost);
  }
});

Deno.test("FoundEntries keeps what others' changes do not concern", async () => {
  const { counters, state, found } = world();
  await found.get(KEY);
  for (let n = 0; n < 50; n++) counters.noteChange(nameOf({ ...KEY, key: `other ${n}` }));
  await found.get(KEY);
  assert.equal(state.asked, 1);
});

Deno.test("FoundEntries never remembers a miss, nor what changed while it was looked up", async () => {
  const { counters, state, found } = world();
  state.entry = undefined;
  assert.equal(await found.get(KEY), undefined);
  for (
    const change of [
      () => counters.noteChange(nameOf(KEY)),
      () => counters.add("losses"),
      () => counters.add("unlinks"),
    ]
  ) {
    state.entry = entryOf(1);
    state.during = () => void change();
    await found.get(KEY);
    state.during = () => {};
    state.entry = entryOf(2);
    assert.equal((await found.get(KEY))?.sequence, 2, "an old entry was remembered");
    counters.noteChange(nameOf(KEY));
  }
});

Deno.test("FoundEntries keeps identities apart", async () => {
  const { state, found } = world();
  await found.get(KEY);
  for (
    const other of [{ namespace: "other" }, { scope: "pr/1" }, { protocol: "x" }, { key: "l" }]
  ) {
    const before = state.asked;
    await found.get({ ...KEY, ...other });
    assert.equal(state.asked, before + 1, JSON.stringify(other));
  }
});

Deno.test("FoundEntries reads anew after its time, and tells of a use once each time", async () => {
  const { state, found } = world();
  const uses = async () => {
    const entry = await found.get(KEY);
    assert.ok(entry);
    return found.uses(entry)(state.now);
  };
  assert.deepEqual([await uses(), await uses()], [true, false]);
  state.now = HOT_NOTE_MS - 1;
  assert.equal(await uses(), false);
  state.now = HOT_NOTE_MS;
  assert.deepEqual([await uses(), await uses()], [true, false], "and again after a while");
  state.now = HOT_FOR_MS - 1;
  await uses();
  assert.equal(state.asked, 1);
  state.now = HOT_FOR_MS;
  assert.deepEqual([await uses(), await uses()], [true, false]);
  assert.equal(state.asked, 2);
});

Deno.test("A body is kept with its entry, and goes with it", async () => {
  const { counters, state, found } = world();
  const body = new Uint8Array([1, 2, 3]);
  const kept = async () => {
    const entry = await found.get(KEY);
    assert.ok(entry);
    const before = found.body(entry);
    if (!before) found.keepBody(entry, body);
    return [before, entry] as const;
  };
  assert.equal((await kept())[0], undefined);
  const [again, entry] = await kept();
  assert.deepEqual(again, body);
  counters.add("unlinks");
  assert.equal(found.body(entry), undefined, "hidden, and still handed out");
  await kept();
  counters.noteChange(nameOf(KEY));
  assert.equal((await kept())[0], undefined, "the body of what was replaced");
  state.now = HOT_FOR_MS;
  assert.equal((await kept())[0], undefined, "never read again");
});

Deno.test("Bodies have a limit each and together, and hold no larger memory", async () => {
  const { found } = world();
  const large = await found.get({ ...KEY, key: "large" });
  assert.ok(large);
  found.keepBody(large, new Uint8Array(HOT_BODY_BYTES + 1));
  assert.equal(found.body(large), undefined);
  const part = await found.get({ ...KEY, key: "part" });
  assert.ok(part);
  found.keepBody(part, new Uint8Array(1000).subarray(10, 20));
  assert.equal(found.body(part)?.buffer.byteLength, 10);
  const entries: Entry[] = [];
  for (let n = 0; n <= HOT_BODIES_BYTES / HOT_BODY_BYTES; n++) {
    const entry = await found.get({ ...KEY, key: `${n}` });
    assert.ok(entry);
    found.keepBody(entry, new Uint8Array(HOT_BODY_BYTES));
    entries.push(entry);
  }
  const held = entries.filter((entry) => found.body(entry)).length;
  assert.equal(held, HOT_BODIES_BYTES / HOT_BODY_BYTES);
  assert.equal(found.body(entries[0]!), undefined, "the oldest goes first");
});
