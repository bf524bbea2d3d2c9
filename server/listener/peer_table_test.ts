import assert from "node:assert/strict";
import fc from "fast-check";
import { peerId, PeerTable } from "./peer_table.ts";

Deno.test("peerId() gives different safe integers to different peers", () => {
  const ids = new Set<number>();
  for (let host = 0; host < 64; host++) {
    for (let port = 1024; port < 2048; port++) ids.add(peerId(`10.0.0.${host}`, port));
  }
  assert.equal(ids.size, 64 * 1024);
  for (const id of ids) assert.ok(Number.isSafeInteger(id) && id >= 0);
});

Deno.test("PeerTable counts requests under way as a plain map of counts does", () => {
  const call = fc.record({ begin: fc.boolean(), port: fc.integer({ min: 1, max: 6 }) });
  fc.assert(fc.property(fc.array(call, { maxLength: 60 }), (calls) => {
    const table = new PeerTable();
    const model = new Map<number, number>();
    const slots = new Map<number, number[]>();
    for (const { begin, port } of calls) {
      const id = peerId("::1", port);
      const open = slots.get(id) ?? [];
      slots.set(id, open);
      if (begin) open.push(table.begin(id));
      else if (open.length > 0) table.end(open.pop()!, id);
      else continue;
      model.set(id, open.length);
    }
    for (const [id, inFlight] of model) {
      assert.deepEqual(table.facts(id), { inFlight, last: 0, stranger: false });
    }
  }));
});

Deno.test("PeerTable is the same table in every view of one buffer", () => {
  const one = new PeerTable();
  const two = new PeerTable(one.buffer);
  const id = peerId("127.0.0.1", 4000);
  const slot = one.begin(id);
  one.advance(1000);
  assert.deepEqual(two.facts(id), { inFlight: 1, last: 0, stranger: false });
  two.end(slot, id);
  assert.deepEqual(one.facts(id), { inFlight: 0, last: 10, stranger: false });
  const again = one.begin(id);
  one.advance(1000);
  two.end(again, id, true);
  assert.deepEqual(one.facts(id), { inFlight: 0, last: 20, stranger: true });
  one.forget(new Set(), 20);
  assert.deepEqual(one.facts(id), { inFlight: 0, last: 20, stranger: true });
  one.begin(id);
  assert.deepEqual(one.facts(id), { inFlight: 1, last: 20, stranger: false });
  const other = peerId("127.0.0.1", 4001);
  assert.equal(two.facts(other), undefined);
  for (const stranger of [true, false]) {
    one.note(other, stranger);
    assert.deepEqual(two.facts(other), { inFlight: 0, last: 20, stranger });
  }
});

Deno.test("PeerTable.forget() keeps who is present and who came since", () => {
  const table = new PeerTable();
  const [gone, here, fresh] = [1, 2, 3].map((port) => peerId("::1", port));
  table.begin(gone!);
  table.begin(here!);
  table.advance(2000);
  table.begin(fresh!);
  table.forget(new Set([here!]), table.now);
  assert.equal(table.facts(gone!), undefined);
  assert.ok(table.facts(here!));
  assert.ok(table.facts(fresh!));
});

Deno.test("PeerTable.end() leaves a slot alone that somebody else has got since", () => {
  const table = new PeerTable();
  const old = peerId("::1", 7);
  const slot = table.begin(old);
  table.advance(1000);
  table.forget(new Set(), table.now);
  // Numbers of one bucket: the next one takes the slot that has become free.
  const next = old + 4096 * 0x1000;
  assert.equal(table.begin(next), slot);
  table.end(slot, old);
  assert.equal((table.facts(next) as { inFlight: number }).inFlight, 1);
});

Deno.test("PeerTable says full, not stranger, when a bucket has no room", () => {
  const table = new PeerTable();
  const ids = Array.from({ length: 9 }, (_, at) => 5 + at * 4096);
  const slots = ids.map((id) => table.begin(id));
  assert.equal(slots[8], 0);
  assert.equal(table.facts(ids[8]!), "full");
  assert.ok(typeof table.facts(ids[0]!) === "object");
  table.end(slots[8]!, ids[8]!);
});

Deno.test("PeerTable.lead() lets one view sweep until it resigns or is replaced", () => {
  const one = new PeerTable();
  const two = new PeerTable(one.buffer);
  assert.equal(one.lead(), true);
  assert.equal(two.lead(), false);
  one.resign();
  assert.equal(two.lead(), true);
  one.seize();
  assert.equal(two.lead(), false);
});
