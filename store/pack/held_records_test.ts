import assert from "node:assert/strict";
import fc from "fast-check";
import { recordKey } from "./places.ts";
import { HeldRecords } from "./held_records.ts";
import type { HeldState } from "./held_records.ts";

/** Ids of which many share a bucket, and some all but their last byte. */
function idOf(number: number): Uint8Array<ArrayBuffer> {
  const id = new Uint8Array(32).fill(number % 3);
  new DataView(id.buffer).setUint32(28, number);
  return id;
}

Deno.test("HeldRecords finds, keeps and forgets as a map does, and gives rows again", () => {
  const call = fc.record({
    number: fc.integer({ min: 0, max: 300 }),
    kind: fc.constantFrom("chunk" as const, "recipe" as const),
    remove: fc.boolean(),
    state: fc.constantFrom<HeldState>("new", "pending", "kept"),
  });
  fc.assert(
    fc.property(fc.array(call, { maxLength: 600, size: "max" }), (calls) => {
      const records = new HeldRecords();
      const model = new Map<string, { row: number; state: HeldState; offset: number }>();
      for (const { number, kind, remove, state } of calls) {
        const id = idOf(number);
        const key = recordKey(kind, id);
        const known = model.get(key);
        assert.equal(records.find(kind, id), known?.row);
        if (!known) {
          const row = records.add(kind, id, state);
          const offset = number * 2 ** 33;
          records.setPlace(row, { segment: number, offset, stored: 1, raw: 2, codec: 1 });
          model.set(key, { row, state, offset });
        } else if (remove) {
          records.remove(known.row);
          model.delete(key);
        } else {
          records.setState(known.row, state);
          known.state = state;
        }
        assert.equal(records.size, model.size);
      }
      assert.deepEqual(
        [...records.rows()].sort(),
        [...model.values()].map(({ row }) => row).sort(),
      );
      for (const [key, { row, state, offset }] of model) {
        assert.equal(recordKey(records.kind(row), records.id(row)), key);
        assert.equal(records.state(row), state);
        assert.equal(records.place(row).offset, offset);
        assert.equal(records.standsIn(row, records.place(row).segment, offset), true);
        assert.equal(records.standsIn(row, records.place(row).segment, offset + 1), false);
      }
    }),
    { numRuns: 60 },
  );
});

Deno.test("HeldRecords takes 100,000 records, and gives their memory back", () => {
  const records = new HeldRecords();
  const rows = Array.from({ length: 100_000 }, (_, number) => {
    const id = crypto.getRandomValues(new Uint8Array(32));
    new DataView(id.buffer).setUint32(28, number);
    return records.add("chunk", id, "new");
  });
  assert.equal(new Set(rows).size, 100_000);
  for (const row of rows) assert.equal(records.find("chunk", records.id(row)), row);
  for (const row of rows) records.remove(row);
  assert.deepEqual([records.size, [...records.rows()].length], [0, 0]);
  assert.equal(records.add("chunk", idOf(1), "new"), 0);
});
