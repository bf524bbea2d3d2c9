import assert from "node:assert/strict";
import { bytesSource, collect } from "../core/bytes.ts";
import { ManualClock } from "../core/clock.ts";
import { digestOf } from "../core/digest.ts";
import { fakeEnvironment } from "../test/helpers/fake_environment.ts";
import { countedSource, Progress } from "./progress.ts";

const MIB = 1024 * 1024;

Deno.test("Progress.line shows share, rate and the time that is left", () => {
  const clock = new ManualClock();
  const progress = new Progress(fakeEnvironment({ clock }), "file", 8 * MIB);
  clock.advance(2000);
  progress.add(2 * MIB);
  assert.equal(
    progress.line(clock.monotonic()),
    "file  [======                  ] 25 %  2.00 MiB  1.00 MiB/s  6.0 s left",
  );
  progress.add(6 * MIB);
  assert.equal(
    progress.line(clock.monotonic()),
    "file  [========================] 100 %  8.00 MiB  4.00 MiB/s  0 ms left",
  );
});

Deno.test("Progress.line knows no share of an unknown whole, and survives more than the whole", () => {
  const clock = new ManualClock();
  const unknown = new Progress(fakeEnvironment({ clock }), "-", undefined);
  const empty = new Progress(fakeEnvironment({ clock }), "-", 0);
  const over = new Progress(fakeEnvironment({ clock }), "-", 10);
  assert.equal(over.line(0), `-  [${" ".repeat(24)}] 0 %  0 B  0 B/s`);
  clock.advance(1000);
  for (const one of [unknown, empty, over]) one.add(20);
  assert.equal(unknown.line(1000), "-  20 B  20 B/s");
  assert.equal(empty.line(1000), "-  20 B  20 B/s");
  assert.ok(over.line(1000).endsWith("] 100 %  20 B  20 B/s  0 ms left"), over.line(1000));
});

Deno.test("Progress draws at most ten times a second and takes its line away", () => {
  const clock = new ManualClock();
  const environment = fakeEnvironment({ clock, interactive: true });
  {
    using progress = new Progress(environment, "f", 1000);
    for (let n = 0; n < 100; n++) {
      progress.add(10);
      clock.advance(5);
    }
    const drawn = environment.err.split("\r\x1b[K").slice(1);
    assert.equal(drawn.length, 5);
    assert.match(drawn.at(-1)!, /^f {2}\[=+ *\] 81 %/);
  }
  assert.ok(environment.err.endsWith("\r\x1b[K"));
  assert.ok(!environment.err.includes("\n"));
});

Deno.test("Progress writes nothing without a terminal, and nothing if nothing was drawn", () => {
  const clock = new ManualClock();
  const environments = [
    fakeEnvironment({ clock, interactive: false }),
    fakeEnvironment({ clock, interactive: true }),
  ];
  {
    using progress = new Progress(environments[0]!, "f", 1000);
    progress.add(500);
    clock.advance(1000);
    progress.add(500);
    using _idle = new Progress(environments[1]!, "f", 1000);
  }
  for (const { out, err } of environments) assert.equal(out + err, "");
});

Deno.test("countedSource counts what is read, keeps size and bytes, and passes a cancel on", async () => {
  const clock = new ManualClock();
  const bytes = new Uint8Array(600_000).fill(7);
  const progress = new Progress(fakeEnvironment({ clock }), "f", bytes.length);
  const source = countedSource(bytesSource(bytes), progress);
  assert.deepEqual([source.size, source.replayable], [bytes.length, true]);
  // What has no bytes to show at once is read as a stream, so that it is counted.
  assert.equal(source.bytes, undefined);
  assert.equal(digestOf(await collect(source.open(), bytes.length)), digestOf(bytes));
  assert.match(progress.line(1000), / 100 % /);
  const { promise, resolve } = Promise.withResolvers<unknown>();
  const cancelled = countedSource({
    size: undefined,
    replayable: false,
    open: () =>
      new ReadableStream({
        pull: (controller) => controller.enqueue(bytes.slice(0, 10)),
        cancel: resolve,
      }),
  }, progress).open();
  await cancelled.cancel("enough");
  assert.equal(await promise, "enough");
});
