/**
 * A writer that kills itself: `<dir> <work> <point> <nth>`. Prints a line for everything that was
 * acknowledged, at once.
 */
import { fromHex, sha256 } from "../../core/digest.ts";
import type { LogRecord } from "../../core/record.ts";
import { chunk, chunks, openTestStore } from "./pack_store.ts";

const [dir, work, point, nth] = Deno.args as [string, string, string, string];
const encoder = new TextEncoder();
let left = Number(nth);

function say(line: string): void {
  Deno.stdout.writeSync(encoder.encode(`${line}\n`));
}

/** A log record that gives one of eight names a value. */
function note(value: number): LogRecord {
  const id = fromHex(String(value % 8).padStart(64, "0"));
  return { kind: "entry", id, body: encoder.encode(String(value)) };
}

const evicts = work === "evict";
/** Bytes of a chunk. */
const size = evicts ? 20_000 : 3000;
await using store = await openTestStore(dir, {
  segmentSize: work === "squeeze" ? 40_000 : 100_000,
  compression: work === "squeeze" ? "zstd" : "none",
  maxSize: evicts ? 3_000_000 : undefined,
  faults(at) {
    if (at === point && --left === 0) Deno.kill(Deno.pid, "SIGKILL");
  },
});
const { writer, clock } = store;
let value = 0;
for (let round = 0; round < 6; round++) {
  const base = round * 100;
  const small = chunks(base, base + 20, size);
  await Promise.all([
    ...small.map(async (record, i) => {
      await writer.commitRecords(undefined, [record]);
      say(`chunk ${base + i} ${size}`);
    }),
    ...Array.from({ length: 5 }, async () => {
      const mine = value++;
      await writer.log.append([note(mine)]);
      say(`log ${mine}`);
    }),
  ]);
  const name = `upload-${round}`;
  await writer.append(name, chunks(base + 20, base + 40, size));
  await writer.append("never", [chunk(10_000 + round, size)]);
  await writer.append(name, chunks(base + 40, base + 50, size));
  await writer.commitRecords(name, []);
  for (let i = base + 20; i < base + 50; i++) say(`chunk ${i} ${size}`);
  if (work === "squeeze") {
    const text = encoder.encode("the same again and again ".repeat(100 + round));
    await writer.commitRecords(undefined, [{ kind: "chunk", id: sha256(text), body: text }]);
  }
  clock.advance(10_000);
  await writer.abort("never");
  if (round === 2) {
    // One value for each of the names, the last that was given.
    await writer.log.compact(Array.from({ length: 8 }, (_, i) => note(value - 8 + i)));
  }
  if (round === 3 && work === "plain") {
    // Every second chunk of two rounds goes: their packs are rewritten.
    const roots = [];
    for (let i = 0; i < 400; i++) {
      const record = chunk(i, size);
      const goes = i < 200 && i % 10 !== 0;
      if (goes) say(`gone ${i}`);
      else roots.push({ kind: record.kind, id: record.id });
    }
    await writer.gc({ roots, grace: 5_000 });
  }
  if (round === 4) await writer.seal();
  if (round >= 1) writer.touch("chunk", chunks(0, 10, size).map(({ id }) => id), clock.now());
}
await store[Symbol.asyncDispose]();
say("done");
