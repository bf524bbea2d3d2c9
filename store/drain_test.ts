import assert from "node:assert/strict";
import { bytesSource } from "../core/bytes.ts";
import { isKind } from "../core/errors.ts";
import {
  badSource,
  pattern,
  rejectsKind,
  rejectsWith,
  text,
} from "../test/suites/object_store_asks.ts";
import { drain } from "./drain.ts";

const OPTIONS = { key: "a/00/x" };
const nothing = () => {};

Deno.test("drain hands on every byte in order and no empty chunk", async () => {
  const parts: number[] = [];
  const open = () =>
    ReadableStream.from(["ab", "", "c"].map(text)) as ReadableStream<Uint8Array<ArrayBuffer>>;
  const size = await drain(
    { size: 3, replayable: true, open },
    (chunk) => void parts.push(chunk.length),
    OPTIONS,
  );
  assert.deepEqual([size, parts], [3, [2, 1]]);
  assert.equal(await drain(bytesSource(new Uint8Array(0)), () => assert.fail("empty"), OPTIONS), 0);
});

Deno.test("drain lets no byte through that the source did not promise", async () => {
  let seen = 0;
  const source = badSource(pattern(100), "never ends", 500);
  await rejectsKind(
    drain(source, (chunk) => void (seen += chunk.length), OPTIONS),
    "invalid_argument",
  );
  assert.ok(seen <= 500, `${seen}`);
  assert.ok(source.cancelled);
});

Deno.test("drain stops at its limit, before it opens the source if the size is known", async () => {
  const options = { ...OPTIONS, maxSize: 99 };
  const told = badSource(pattern(100), "hangs", 100);
  await rejectsKind(drain(told, nothing, options), "too_large");
  assert.ok(!told.opened);
  const untold = badSource(pattern(100), "hangs");
  await rejectsKind(drain(untold, nothing, options), "too_large");
  assert.ok(untold.cancelled);
  await rejectsKind(drain(bytesSource(pattern(100)), nothing, options), "too_large");
});

Deno.test("drain cancels the source with the error of the sink", async () => {
  const own = new Error("disk");
  const source = badSource(pattern(100), "hangs");
  await rejectsWith(
    drain(source, () => {
      throw own;
    }, OPTIONS),
    own,
  );
  assert.ok(source.cancelled);
});

Deno.test("drain reports the first error though cancelling the source fails as well", async () => {
  const stream = new ReadableStream<Uint8Array<ArrayBuffer>>({
    pull: (controller) => controller.enqueue(new Uint8Array(9)),
    cancel: () => Promise.reject(new Error("second")),
  }, { highWaterMark: 0 });
  const call = drain({ size: 1, replayable: false, open: () => stream }, nothing, OPTIONS);
  await assert.rejects(call, (error) => isKind(error, "invalid_argument"));
  assert.ok(!stream.locked);
});
