import assert from "node:assert/strict";
import { READS_PER_TURN } from "../../core/limits.ts";
import { ReadTurns } from "./read_turns.ts";

const turn = () => new Promise<void>((resolve) => setImmediate(resolve));

/** `count` readers that ask at once; tells which of them have had their turn. */
function ask(turns: ReadTurns, count: number, reads = 1): number[] {
  const went: number[] = [];
  for (let n = 0; n < count; n++) {
    const wait = turns.take(reads);
    if (wait) void wait.then(() => went.push(n));
    else went.push(n);
  }
  return went;
}

Deno.test("a few reads go at once, the others in later turns, in the order in which they came", async () => {
  const went = ask(new ReadTurns(), 2 * READS_PER_TURN + 1);
  const first = Array.from({ length: READS_PER_TURN }, (_, n) => n);
  assert.deepEqual(went, first);
  await turn();
  assert.deepEqual(went, [...first, ...first.map((n) => n + READS_PER_TURN)]);
  await turn();
  assert.equal(went.at(-1), 2 * READS_PER_TURN);
});

Deno.test("one that comes while others wait goes behind them", async () => {
  const turns = new ReadTurns();
  const went = ask(turns, 2 * READS_PER_TURN);
  await turn();
  const late = ask(turns, 1);
  assert.equal(went.length, 2 * READS_PER_TURN);
  assert.deepEqual(late, []);
  await turn();
  assert.deepEqual(late, [0]);
});

Deno.test("who needs more than a turn has left goes all the same, and the others wait longer", async () => {
  const turns = new ReadTurns();
  const went = ask(turns, 3, READS_PER_TURN + 1);
  assert.deepEqual(went, [0]);
  await turn();
  assert.deepEqual(went, [0, 1]);
  await turn();
  assert.deepEqual(went, [0, 1, 2]);
});

Deno.test("after a turn in which nobody read nothing is left to happen, and the next reader goes at once", async () => {
  const turns = new ReadTurns();
  for (let round = 0; round < 3; round++) {
    assert.equal(ask(turns, 1).length, 1);
    await turn();
    await turn();
  }
});
