import assert from "node:assert/strict";
import fc from "fast-check";
import { ManualClock } from "../../core/clock.ts";
import type { Kernel } from "./kernel.ts";
import { peerId, PeerTable } from "./peer_table.ts";
import { Reaper } from "./reaper.ts";
import type { ReaperOptions } from "./reaper.ts";

/** A kernel of which the test says who is connected. */
class FakeKernel implements Kernel {
  readonly open = new Map<number, { host: string; port: number }>();
  cutInodes: number[] = [];
  readonly cuts = true;
  sockets() {
    return {
      connections: [...this.open].map(([inode, peer]) => ({ inode, ...peer })),
      listening: [],
    };
  }
  cut(inodes: ReadonlySet<number>): number {
    for (const inode of inodes) this.open.delete(inode);
    this.cutInodes.push(...inodes);
    return inodes.size;
  }
  [Symbol.dispose]() {}
}

function setUp(options: Partial<ReaperOptions> = {}) {
  const kernel = new FakeKernel();
  const clock = new ManualClock();
  const table = new PeerTable();
  const all = {
    local: { hostname: "127.0.0.1", port: 8080 },
    headerTimeoutMs: 15_000,
    idleMs: 600_000,
    maxConnections: 100,
    maxPerAddress: 100,
    clock,
    ...options,
  };
  const reaper = new Reaper(kernel, table, all);
  const sweep = (ms: number) => {
    clock.advance(ms);
    const result = reaper.sweep();
    if (!result) return undefined;
    const { open, silent, idle, crowded } = result;
    return { open, silent, idle, crowded };
  };
  const join = (inode: number, port = inode, host = "10.0.0.1") =>
    kernel.open.set(inode, { host, port });
  const ask = (port: number, host = "10.0.0.1") => table.begin(peerId(host, port));
  const answer = (slot: number, port: number) => table.end(slot, peerId("10.0.0.1", port));
  return { kernel, clock, table, reaper, all, sweep, join, ask, answer };
}

Deno.test("Reaper ends a connection without a whole header after the time limit, not before", () => {
  const { kernel, sweep, join } = setUp();
  join(1);
  sweep(0);
  assert.deepEqual(sweep(14_999), { open: 1, silent: 0, idle: 0, crowded: 0 });
  assert.deepEqual(sweep(1), { open: 0, silent: 1, idle: 0, crowded: 0 });
  assert.deepEqual(kernel.cutInodes, [1]);
});

Deno.test("Reaper ends a stranger's connection as a silent one, counted from its last request", () => {
  const { kernel, table, sweep, join, ask } = setUp();
  join(1);
  join(2);
  sweep(0);
  sweep(10_000);
  for (const port of [1, 2]) table.end(ask(port), peerId("10.0.0.1", port), port === 1);
  assert.deepEqual(sweep(14_900), { open: 2, silent: 0, idle: 0, crowded: 0 });
  assert.deepEqual(sweep(100), { open: 1, silent: 1, idle: 0, crowded: 0 });
  assert.deepEqual(kernel.cutInodes, [1]);
});

Deno.test("Reaper never ends a connection with a request under way, however long it takes", () => {
  const { kernel, sweep, join, ask, answer } = setUp({ maxConnections: 0, maxPerAddress: 0 });
  join(1);
  const slot = ask(1);
  for (let look = 0; look < 100; look++) sweep(60_000);
  assert.deepEqual(kernel.cutInodes, []);
  answer(slot, 1);
  sweep(2_000);
  assert.deepEqual(kernel.cutInodes, [1]);
});

Deno.test("Reaper lets a connection stand idle for its time after the last request", () => {
  const { sweep, join, ask, answer } = setUp();
  join(1);
  sweep(0);
  answer(ask(1), 1);
  assert.equal(sweep(590_000)?.idle, 0);
  answer(ask(1), 1);
  assert.equal(sweep(20_000)?.open, 1);
  assert.equal(sweep(590_000)?.idle, 1);
});

Deno.test("Reaper takes a new connection from a port that asked before for a stranger", () => {
  const { kernel, sweep, join, ask, answer } = setUp();
  join(1, 5000);
  sweep(0);
  answer(ask(5000), 5000);
  sweep(2_000);
  sweep(2_000);
  kernel.open.delete(1);
  join(2, 5000); // between two looks, so that the port was never seen to be gone
  sweep(2_000);
  assert.equal(sweep(15_000)?.silent, 1);
});

Deno.test("Reaper forgets who has left, so that the table does not fill", () => {
  const { kernel, table, sweep, join, ask, answer } = setUp();
  join(1, 5000);
  answer(ask(5000), 5000);
  sweep(1_000);
  sweep(1_000);
  kernel.open.clear();
  sweep(1_000);
  assert.equal(table.facts(peerId("10.0.0.1", 5000)), undefined);
});

Deno.test("Reaper makes room among the silent first, longest silence first, then the longest idle", () => {
  const { kernel, sweep, join, ask, answer } = setUp({ maxConnections: 3 });
  join(1);
  answer(ask(1), 1);
  sweep(0);
  join(2);
  answer(ask(2), 2);
  sweep(1_000);
  join(3); // silent for longer
  sweep(1_000);
  assert.deepEqual(kernel.cutInodes, []);
  join(4);
  join(5);
  ask(5);
  sweep(1_000);
  assert.deepEqual(kernel.cutInodes, [3, 4]);
  join(6);
  ask(6);
  sweep(1_000);
  assert.deepEqual(kernel.cutInodes, [3, 4, 1]);
});

Deno.test("Reaper keeps one address from taking all places", () => {
  const { kernel, sweep, join } = setUp({ maxPerAddress: 2 });
  for (const inode of [1, 2, 3, 4]) join(inode);
  join(5, 5, "10.0.0.2");
  assert.deepEqual(sweep(0), { open: 3, silent: 0, idle: 0, crowded: 2 });
  assert.ok(kernel.open.has(5));
});

Deno.test("Reaper.relieve() goes down to what is to be kept, at once and on any thread", () => {
  const { kernel, reaper, join, ask } = setUp();
  for (let inode = 1; inode <= 10; inode++) join(inode);
  ask(3);
  reaper.relieve(4);
  assert.equal(kernel.open.size, 4);
  assert.ok(kernel.open.has(3));
});

Deno.test("Reaper sweeps in one thread, and another takes over when that one is silent", () => {
  const { kernel, table, all, sweep, join } = setUp();
  const other = new Reaper(kernel, new PeerTable(table.buffer), all);
  join(1);
  sweep(0);
  assert.equal(other.sweep(), undefined);
  sweep(1_000);
  assert.equal(other.sweep(), undefined);
  assert.equal(other.sweep(), undefined);
  assert.equal(other.sweep(), undefined);
  assert.equal(other.sweep()?.open, 1);
  assert.equal(sweep(1_000), undefined);
});

Deno.test("Reaper ends no busy connection and leaves no late stranger, whatever happens", () => {
  const step = fc.record({
    what: fc.constantFrom("join", "ask", "answer", "leave", "sweep"),
    peer: fc.integer({ min: 1, max: 8 }),
    ms: fc.integer({ min: 1, max: 9_000 }),
  });
  fc.assert(fc.property(fc.array(step, { maxLength: 80 }), (steps) => {
    const { kernel, clock, sweep, join, ask, answer } = setUp({ maxConnections: 5 });
    let inode = 0;
    const open = new Map<
      number,
      { inode: number; slots: number[]; since: number; asked: boolean }
    >();
    for (const { what, peer, ms } of steps) {
      const one = open.get(peer);
      if (what === "join" && !one) {
        join(++inode, peer);
        open.set(peer, { inode, slots: [], since: clock.monotonic(), asked: false });
      } else if (what === "ask" && one) {
        one.slots.push(ask(peer));
        one.asked = true;
      } else if (what === "answer" && one?.slots.length) answer(one.slots.pop()!, peer);
      else if (what === "leave" && one && one.slots.length === 0) {
        kernel.open.delete(one.inode);
        open.delete(peer);
      } else if (what === "sweep") {
        sweep(ms);
        for (const [port, known] of open) {
          const there = kernel.open.has(known.inode);
          if (!there) assert.equal(known.slots.length, 0, "a busy connection was ended");
          if (!there) open.delete(port);
        }
      }
    }
    sweep(1);
    sweep(15_000);
    for (const known of open.values()) {
      // One that never asked is gone; one sweep more for the port of somebody who asked before.
      if (!known.asked && kernel.open.has(known.inode)) sweep(15_000);
      if (!known.asked) assert.ok(!kernel.open.has(known.inode), "a stranger stays");
    }
  }));
});
