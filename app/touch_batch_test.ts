import assert from "node:assert/strict";
import type { Bytes } from "../core/digest.ts";
import { sha256 } from "../core/digest.ts";
import { FakeTime } from "../test/helpers/fake_time.ts";
import { TOUCH_SEND_MS, TouchBatch } from "./touch_batch.ts";

function id(number: number): Bytes {
  return sha256(new Uint8Array(new Uint32Array([number]).buffer));
}

function batch() {
  const sent: [string, Bytes[]][] = [];
  const touches = new TouchBatch<"chunk" | "entry">((name, ids) => sent.push([name, ids]));
  return { touches, sent };
}

Deno.test("TouchBatch sends each id once, by name, half a second after the first", () => {
  using time = new FakeTime();
  const { touches, sent } = batch();
  touches.add("chunk", [id(1), id(2)]);
  time.tick(TOUCH_SEND_MS - 1);
  touches.add("chunk", [id(2), id(3)]);
  touches.add("entry", [id(1)]);
  assert.deepEqual(sent, []);
  time.tick(1);
  assert.deepEqual(sent, [["chunk", [id(1), id(2), id(3)]], ["entry", [id(1)]]]);
  time.tick(10_000);
  assert.equal(sent.length, 2);
  touches.add("entry", [id(9)]);
  time.tick(TOUCH_SEND_MS);
  assert.deepEqual(sent.slice(2), [["entry", [id(9)]]]);
  assert.equal(time.pending, 0);
});

Deno.test("TouchBatch.flush sends at once, takes the timer away and sends nothing twice", () => {
  using time = new FakeTime();
  const { touches, sent } = batch();
  touches.flush();
  touches.add("chunk", [id(1)]);
  touches.flush();
  touches.flush();
  assert.deepEqual(sent, [["chunk", [id(1)]]]);
  assert.equal(time.pending, 0);
  touches.add("chunk", []);
  touches.flush();
  assert.equal(sent.length, 1);
});

Deno.test("TouchBatch gathers 20,000 ids of a name at most, and begins anew after sending", () => {
  using time = new FakeTime();
  const { touches, sent } = batch();
  const many = Array.from({ length: 20_100 }, (_, n) => id(n));
  touches.add("chunk", many);
  touches.add("entry", [id(1)]);
  time.tick(TOUCH_SEND_MS);
  assert.deepEqual(sent.map(([name, ids]) => [name, ids.length]), [["chunk", 20_000], [
    "entry",
    1,
  ]]);
  touches.add("chunk", many.slice(20_000));
  touches.flush();
  assert.equal(sent[2]![1].length, 100);
});
