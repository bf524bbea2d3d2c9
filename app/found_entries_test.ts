import assert from "node:assert/strict";
import { Counters } from "../core/counters.ts";
import type { Entry, EntryKey } from "../core/entry.ts";
import { FoundEntries } from "./found_entries.ts";

const KEY: EntryKey = { namespace: "default", scope: "main", protocol: "kv", key: "k" };

function world() {
  const counters = new Counters();
  const state = { entry: entryOf(1) as Entry | undefined, asked: 0, during: () => {} };
  const found = new FoundEntries({
    async get() {
      state.asked++;
      const { entry } = state;
      await Promise.resolve();
      state.during();
      return entry;
    },
  }, counters);
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

Deno.test("FoundEntries asks once while nothing changes, and again after a commit or a loss", async () => {
  const { counters, state, found } = world();
  for (let n = 0; n < 3; n++) assert.equal((await found.get(KEY))?.sequence, 1);
  assert.equal(state.asked, 1);
  state.entry = entryOf(2);
  counters.add("index_changes");
  assert.equal((await found.get(KEY))?.sequence, 2);
  state.entry = undefined;
  counters.add("losses");
  assert.equal(await found.get(KEY), undefined);
});

Deno.test("FoundEntries never remembers a miss, nor what changed while it was looked up", async () => {
  const { counters, state, found } = world();
  state.entry = undefined;
  assert.equal(await found.get(KEY), undefined);
  state.entry = entryOf(1);
  state.during = () => counters.add("index_changes");
  assert.equal((await found.get(KEY))?.sequence, 1);
  state.during = () => {};
  state.entry = entryOf(2);
  assert.equal((await found.get(KEY))?.sequence, 2, "an old entry was remembered");
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
