import assert from "node:assert/strict";
import type { ChunkSource } from "../../core/chunk_store.ts";
import type { Bytes } from "../../core/digest.ts";
import { rejectsKind, rejectsWith } from "../../test/suites/object_store_asks.ts";
import { singleFlight } from "./single_flight.ts";

const ID = new Uint8Array(32);
const BODY = new Uint8Array([1, 2, 3]);
const REASON = new Error("the caller left");

/** A source whose reads end when the test says so. */
function slowSource() {
  const reads: (PromiseWithResolvers<Bytes | undefined> & { signal: AbortSignal })[] = [];
  const inner: ChunkSource = {
    has: (_kind, ids) => ids.map(() => true),
    read(_kind, _id, options) {
      const read = { ...Promise.withResolvers<Bytes | undefined>(), signal: options!.signal! };
      read.signal.addEventListener("abort", () => read.reject(read.signal.reason));
      reads.push(read);
      return read.promise;
    },
    hold: () => ({ join: () => BODY, [Symbol.dispose]() {} }),
    losses: () => 3,
    async [Symbol.asyncDispose]() {},
  };
  return { reads, source: singleFlight(inner) };
}

Deno.test("singleFlight joins reads of one record, and of no other", async () => {
  const { reads, source } = slowSource();
  const other = new Uint8Array(32).fill(1);
  const all = [source.read("chunk", ID), source.read("chunk", ID), source.read("recipe", ID)];
  all.push(source.read("chunk", other));
  assert.equal(reads.length, 3);
  for (const read of reads) read.resolve(BODY);
  assert.deepEqual(await Promise.all(all), [BODY, BODY, BODY, BODY]);
  const again = source.read("chunk", ID);
  assert.equal(reads.length, 4);
  reads[3]!.resolve(undefined);
  assert.equal(await again, undefined);
  assert.deepEqual([source.has("chunk", [ID]), source.losses()], [[true], 3]);
});

Deno.test("singleFlight lets one leave at once, and the other get its bytes", async () => {
  const { reads, source } = slowSource();
  const abort = new AbortController();
  const leaving = source.read("chunk", ID, { signal: abort.signal });
  const staying = source.read("chunk", ID);
  abort.abort(REASON);
  await rejectsWith(Promise.resolve(leaving), REASON);
  assert.equal(reads[0]!.signal.aborted, false);
  reads[0]!.resolve(BODY);
  assert.equal(await staying, BODY);
});

Deno.test("singleFlight gives the read up when the last one left, and begins anew", async () => {
  const { reads, source } = slowSource();
  const abort = new AbortController();
  const { signal } = abort;
  const both = [source.read("chunk", ID, { signal }), source.read("chunk", ID, { signal })];
  abort.abort(REASON);
  for (const read of both) await rejectsWith(Promise.resolve(read), REASON);
  assert.equal(reads[0]!.signal.aborted, true);
  const next = source.read("chunk", ID);
  assert.equal(reads.length, 2);
  reads[1]!.resolve(BODY);
  assert.equal(await next, BODY);
  await rejectsWith(Promise.resolve(source.read("chunk", ID, { signal })), REASON);
  assert.equal(reads.length, 2);
});

Deno.test("singleFlight fails all that wait when the read fails; the next reads anew", async () => {
  const { reads, source } = slowSource();
  const all = [source.read("chunk", ID), source.read("chunk", ID)].map((p) => Promise.resolve(p));
  reads[0]!.reject(REASON);
  for (const read of all) await rejectsWith(read, REASON);
  const next = source.read("chunk", ID);
  reads[1]!.resolve(BODY);
  assert.equal(await next, BODY);
});

Deno.test("singleFlight.hold() is corrupt at the first record that is not here", async () => {
  const { reads, source } = slowSource();
  using held = source.hold("chunk", [{ id: ID, length: 3 }]);
  const all = Promise.resolve(held.join(0, 1));
  await Promise.resolve();
  reads[0]!.resolve(undefined);
  await rejectsKind(all, "corrupt");
});
