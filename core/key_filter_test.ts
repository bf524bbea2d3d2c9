import assert from "node:assert/strict";
import { KeyFilter } from "./key_filter.ts";
import { sha256 } from "./digest.ts";

const idOf = (name: string) => sha256(new TextEncoder().encode(name));

Deno.test("KeyFilter never excludes an id that was added, on whichever view", () => {
  const writer = KeyFilter.create(0);
  const reader = new KeyFilter(writer.buffer);
  writer.complete();
  for (let n = 0; n < 50_000; n++) {
    const id = idOf(`entry ${n}`);
    writer.add(id);
    assert.ok(!reader.excludes(id), `entry ${n}`);
  }
  for (let n = 0; n < 50_000; n++) assert.ok(!reader.excludes(idOf(`entry ${n}`)), `entry ${n}`);
});

Deno.test("KeyFilter excludes nothing before it is complete", () => {
  const filter = KeyFilter.create(0);
  assert.ok(!filter.excludes(idOf("never written")));
  filter.complete();
  assert.ok(filter.excludes(idOf("never written")));
});

Deno.test("KeyFilter excludes nearly everything that was not added, as full as it was made for", () => {
  const filter = KeyFilter.create(0);
  // The bits of 2 ids per 32 it has room for, twice as dense as after a start with so many.
  for (let n = 0; n < 200_000; n++) filter.add(idOf(`entry ${n}`));
  filter.complete();
  let mistaken = 0;
  for (let n = 0; n < 20_000; n++) if (!filter.excludes(idOf(`other ${n}`))) mistaken++;
  assert.ok(mistaken <= 40, `${mistaken} of 20,000 look as if they were here`);
});
