import assert from "node:assert/strict";
import type { WriterPort } from "../../core/chunk_store.ts";
import type { DataRecord } from "../../core/record.ts";
import { UPLOAD_WINDOW_BYTES } from "../../core/limits.ts";
import { rejectsWith } from "../../test/suites/object_store_asks.ts";
import { UploadRuns } from "./upload_runs.ts";

const KIB = 1024;
const record = (size: number): DataRecord => ({
  kind: "chunk",
  id: new Uint8Array(32),
  body: new Uint8Array(size),
});

/** A writer that takes records when the test says so. */
function slowPort() {
  const waiting: PromiseWithResolvers<void>[] = [];
  const log: string[] = [];
  let underWay = 0;
  const port = {
    most: 0,
    append(_upload: string, records: readonly DataRecord[]) {
      const bytes = records.reduce((sum, { body }) => sum + body.length, 0);
      underWay += bytes;
      port.most = Math.max(port.most, underWay);
      log.push(`append ${records.length}`);
      const call = Promise.withResolvers<void>();
      waiting.push(call);
      return call.promise.finally(() => underWay -= bytes);
    },
    abort: (upload: string) => Promise.resolve(void log.push(`abort ${upload}`)),
  };
  return { port, waiting, log, runs: new UploadRuns(port as unknown as WriterPort, "u") };
}

/** Lets everything run that waits for nothing else. */
const settle = () => new Promise((resolve) => setTimeout(resolve, 0));

Deno.test("UploadRuns never has more than the window under way, with runs of any size", async () => {
  // Four runs of one MiB fill the window; then come some that are as large as a run can get.
  const sizes = [
    256,
    256,
    256,
    256,
    256,
    256,
    256,
    256,
    256,
    256,
    256,
    256,
    255,
    256,
    256,
    256,
    256,
  ];
  const { port, waiting, runs } = slowPort();
  let added = 0;
  const adding = (async () => {
    for (const size of [...sizes, ...sizes]) {
      await runs.add(record(size * KIB));
      added++;
    }
    return await runs.finish();
  })();
  await settle();
  assert.ok(added < sizes.length * 2, "it waits");
  while (added < sizes.length * 2) {
    waiting.shift()?.resolve();
    await settle();
  }
  for (const call of waiting) call.resolve();
  await adding;
  assert.ok(port.most <= UPLOAD_WINDOW_BYTES, `${port.most} bytes`);
  assert.ok(port.most > UPLOAD_WINDOW_BYTES / 2, "it uses the window");
});

Deno.test("UploadRuns sends a record that is larger than the window alone", async () => {
  const { waiting, log, runs } = slowPort();
  await runs.add(record(UPLOAD_WINDOW_BYTES * 2));
  const next = runs.add(record(UPLOAD_WINDOW_BYTES * 2));
  await settle();
  assert.deepEqual(log, ["append 1"]);
  waiting[0]!.resolve();
  await next;
  assert.deepEqual(log, ["append 1", "append 1"]);
  waiting[1]!.resolve();
  await runs.finish();
});

Deno.test("UploadRuns.finish() keeps little ones for the commit, and waits for the others", async () => {
  const few = slowPort();
  await few.runs.add(record(1000));
  assert.deepEqual(await few.runs.finish(), { records: [record(1000)] });
  assert.deepEqual(few.log, []);
  const many = slowPort();
  await many.runs.add(record(1024 * KIB));
  await many.runs.add(record(1));
  let finished = false;
  const finishing = many.runs.finish().finally(() => finished = true);
  await settle();
  assert.equal(finished, false);
  many.waiting[0]!.resolve();
  assert.deepEqual(await finishing, { upload: "u", records: [record(1)] });
});

Deno.test("UploadRuns tells a failed append to the next call, and aborts behind all of them", async () => {
  const { waiting, log, runs } = slowPort();
  const failure = new Error("full");
  await runs.add(record(1024 * KIB));
  await runs.add(record(1024 * KIB));
  waiting[0]!.reject(failure);
  await settle();
  await rejectsWith(runs.add(record(1024 * KIB)), failure);
  const aborting = runs.abort();
  await settle();
  assert.deepEqual(log, ["append 1", "append 1"]);
  waiting[1]!.resolve();
  await aborting;
  assert.deepEqual(log.at(-1), "abort u");
  await rejectsWith(runs.finish(), failure);
});

Deno.test("UploadRuns that is waiting for room hears of a failure", async () => {
  const { waiting, runs } = slowPort();
  for (let n = 0; n < 4; n++) await runs.add(record(1024 * KIB));
  const adding = runs.add(record(1024 * KIB));
  await settle();
  waiting[2]!.reject(new Error("full"));
  await assert.rejects(adding, /full/);
  for (const call of waiting) call.resolve();
  await runs.abort();
});

Deno.test("UploadRuns.abort() says nothing to a writer that never heard of it", async () => {
  const { log, runs } = slowPort();
  await runs.add(record(1000));
  await runs.abort();
  assert.deepEqual(log, []);
});

Deno.test("UploadRuns.abort() gives chunks back that have not left, and nothing else", async () => {
  const { runs, waiting } = slowPort();
  const sent = record(1024 * KIB);
  const held = record(KIB);
  const recipe: DataRecord = { ...record(KIB), kind: "recipe" };
  for (const one of [sent, held, recipe]) await runs.add(one);
  const aborted = runs.abort();
  waiting[0]!.resolve();
  await aborted;
  assert.deepEqual([sent, held, recipe].map(({ body }) => body.length), [1024 * KIB, 0, KIB]);
});
