import assert from "node:assert/strict";
import { Background } from "../core/background.ts";
import { IndexRoom } from "./index_room.ts";

const MIB = 1024 * 1024;

/** A store of 100 MiB with 10,000 entries, its index a fifth of the limit. */
function world() {
  const background = new Background((error) => assert.fail(error));
  const state = { bytes: 20 * MIB, entries: 10_000, losses: 500, forgot: 0 };
  const lines: string[] = [];
  const parts = {
    maxSize: 100 * MIB as number | undefined,
    background,
    bytes: () => state.bytes,
    entries: () => state.entries,
    losses: () => state.losses,
    forget: () => {
      state.forgot++;
      return Promise.resolve({ entries: 3, blobs: 4 });
    },
    report: (line: string) => void lines.push(line),
  };
  return { state, lines, background, parts };
}

Deno.test("IndexRoom forgets when the index is large and much was lost since the last time", async () => {
  const { state, lines, background, parts } = world();
  const room = new IndexRoom(parts);
  const look = async () => {
    room.look();
    room.look();
    await background[Symbol.asyncDispose]();
    return state.forgot;
  };
  assert.equal(await look(), 0, "what was lost before the start is known already");
  state.losses += 2499;
  assert.equal(await look(), 0, "less than a quarter of the entries");
  state.losses += 1;
  assert.equal(await look(), 1, "once, however often it is looked at meanwhile");
  assert.equal(await look(), 1);
  state.losses += 5000;
  state.bytes = 12 * MIB;
  assert.equal(await look(), 1, "a small index may keep them");
  state.bytes = 13 * MIB;
  assert.equal(await look(), 2);
  assert.match(lines[0]!, /forgot 3 entries and 4 blobs/);
});

Deno.test("IndexRoom never forgets in a store without a limit", () => {
  const { state, parts } = world();
  const room = new IndexRoom({ ...parts, maxSize: undefined });
  state.losses = 1_000_000;
  room.look();
  assert.equal(state.forgot, 0);
});
