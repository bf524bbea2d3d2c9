import assert from "node:assert/strict";
import { equalBytes } from "../../core/bytes.ts";
import type { LentParts } from "../../core/bytes.ts";
import type { Bytes } from "../../core/digest.ts";
import { digestOf } from "../../core/digest.ts";
import { bytesSource } from "../../core/bytes.ts";
import {
  BEGIN_READS,
  DOWNLOAD_HELD_BYTES,
  READ_BLOCK_BYTES,
  READS_PER_TURN,
} from "../../core/limits.ts";
import { rejectsKind } from "../../test/suites/object_store_asks.ts";
import { seededRandom } from "../../test/helpers/random.ts";
import { Blocks } from "./blocks.ts";
import { createCasStore } from "./cas_store.ts";
import { MemoryChunkStore } from "./memory_chunks.ts";
import { Presence } from "./presence.ts";

const random = seededRandom("VITTE_BLOB_READER_SEED");
const LONG = random.bytes(3_000_000);
const DIGEST = digestOf(LONG);

async function open(held = 0) {
  const port = new MemoryChunkStore();
  let read = 0;
  let holds = 0;
  const hold = port.hold.bind(port);
  port.hold = (kind, wanted) => {
    const held = hold(kind, wanted);
    holds++;
    const join: typeof held.join = (from, to, options) => {
      read += wanted.slice(from, to).reduce((sum, { length }) => sum + length, 0);
      return held.join(from, to, options);
    };
    const dispose = () => {
      holds--;
      held[Symbol.dispose]();
    };
    return { join, [Symbol.dispose]: dispose };
  };
  const blocks = new Blocks({ losses: () => port.losses(), held: () => held });
  const store = createCasStore({
    namespace: "a",
    chunks: port,
    visibility: port,
    presence: new Presence(port),
    blocks,
    port,
    maxBlobSize: 2 ** 30,
  });
  await store.put(DIGEST, bytesSource(LONG.slice()));
  const lend = async (range?: { start: number; end: number }) =>
    (await store.get(DIGEST, range ? { range } : {}))!.lend!();
  /** What readers have left behind: themselves, bytes that are kept, records that are held. */
  const leftovers = () => [blocks.readers, blocks.bytes, holds];
  return { port, store, lend, leftovers, read: () => read };
}

/** Copies each part before it asks for the next, as a runtime that sends does. */
async function drain(parts: LentParts): Promise<Bytes> {
  const all: Bytes[] = [];
  for (let part = await parts.read(); part; part = await parts.read()) all.push(part.slice());
  return new Uint8Array(await new Blob(all).arrayBuffer());
}

Deno.test("a lent part is given back when the next is asked for, not before", async () => {
  const { lend, leftovers } = await open();
  const parts = await lend();
  let at = 0;
  let before: Bytes | undefined;
  for (let part = await parts.read(); part; part = await parts.read()) {
    assert.equal(before?.length ?? 0, 0, "the one before is gone");
    assert.ok(equalBytes(part, LONG.subarray(at, at + part.length)));
    assert.ok(part.buffer.byteLength < 3 * READ_BLOCK_BYTES);
    at += part.length;
    before = part;
  }
  assert.equal(at, LONG.length);
  assert.equal(before!.length, 0, "the last one too");
  assert.deepEqual(leftovers(), [0, 0, 0]);
});

Deno.test("the parts of a stream are the reader's for good", async () => {
  const { store } = await open();
  const parts = await Array.fromAsync((await store.get(DIGEST))!.stream());
  assert.ok(parts.length > 5);
  assert.ok(equalBytes(new Uint8Array(await new Blob(parts).arrayBuffer()), LONG));
});

Deno.test("sixteen who read the same blob together cost one read of it", async () => {
  const { lend, read, leftovers } = await open();
  const before = read();
  const all = await Promise.all(Array.from({ length: 16 }, () => lend()));
  for (const bytes of await Promise.all(all.map(drain))) assert.ok(equalBytes(bytes, LONG));
  assert.equal(read() - before, LONG.length);
  assert.deepEqual(leftovers(), [0, 0, 0]);
});

Deno.test("ranges beside whole reads, streams beside loans: all get their own bytes", async () => {
  const { lend, store, leftovers } = await open();
  const reads = Array.from({ length: 30 }, async (_, n) => {
    const start = n % 3 === 0 ? 0 : random.integer(0, 1_500_000);
    const end = n % 4 === 0 ? LONG.length : start + 1_100_000 + random.integer(0, 300_000);
    const range = { start, end: Math.min(end, LONG.length) };
    const wanted = LONG.subarray(range.start, range.end);
    const got = n % 2 === 0
      ? await drain(await lend(range))
      : new Uint8Array(await new Response((await store.get(DIGEST, { range }))!.stream()).bytes());
    assert.ok(equalBytes(got, wanted), `reader ${n}`);
  });
  await Promise.all(reads);
  assert.deepEqual(leftovers(), [0, 0, 0]);
});

Deno.test("readers that leave at any point leave nothing behind", async () => {
  const { lend, store, leftovers } = await open();
  const gone = new AbortController();
  for (let n = 0; n < 200; n++) {
    const parts = await lend();
    const reading = n % 3 === 0 ? undefined : parts.read();
    if (n % 2 === 0) await reading;
    parts.close();
    parts.close();
    await reading;
    const body = (await store.get(DIGEST, { signal: gone.signal }))!;
    if (n % 5 === 0) await body.stream().cancel();
    else await body.cancel();
  }
  const late = (await store.get(DIGEST, { signal: gone.signal }))!.lend!();
  gone.abort(new Error("left"));
  await assert.rejects(async () => await late.read(), /left/);
  assert.deepEqual(leftovers(), [0, 0, 0]);
});

Deno.test("a chunk that is lost midway ends every reader with corrupt, and none with a wrong byte", async () => {
  const { port, lend, leftovers } = await open();
  const all = await Promise.all(Array.from({ length: 4 }, () => lend()));
  const names = port.names().filter((name) => name.startsWith("chunk "));
  for (const name of names) port.lose("chunk", Uint8Array.fromHex(name.slice("chunk ".length)));
  for (const parts of all) await rejectsKind(drain(parts), "corrupt");
  assert.deepEqual(leftovers(), [0, 0, 0]);
});

Deno.test("in a crowd parts are smaller, and the bytes the same", async () => {
  const { lend } = await open(DOWNLOAD_HELD_BYTES * 200);
  const parts = await lend();
  const first = (await parts.read())!;
  assert.ok(first.length < READ_BLOCK_BYTES + 64 * 1024 && first.length < LONG.length / 8);
  assert.ok(equalBytes(first, LONG.subarray(0, first.length)));
  const rest = await drain(parts);
  assert.ok(equalBytes(rest, LONG.subarray(LONG.length - rest.length)));
});

Deno.test("downloads that begin together let others have the thread between them", async () => {
  const { lend, leftovers } = await open();
  let others = 0;
  let over = false;
  const other = () => {
    if (over) return;
    others++;
    setImmediate(other);
  };
  other();
  const count = 20;
  const begun = await Promise.all(Array.from({ length: count }, () => lend()));
  assert.ok(others >= count * BEGIN_READS / READS_PER_TURN - 1, `${others} turns for others`);
  const before = others;
  const all = await Promise.all(begun.map(drain));
  over = true;
  for (const bytes of all) assert.ok(equalBytes(bytes, LONG));
  const blocks = Math.floor(LONG.length / READ_BLOCK_BYTES) - 1;
  const turns = others - before;
  assert.ok(turns >= blocks * count / READS_PER_TURN - 1, `${turns} turns for others`);
  assert.deepEqual(leftovers(), [0, 0, 0]);
});

Deno.test("a download that is given up while it waits for its turn reads nothing more", async () => {
  const { lend, leftovers, read } = await open();
  const parts = await lend();
  const crowd = await Promise.all(Array.from({ length: READS_PER_TURN }, () => lend()));
  for (const one of [parts, ...crowd]) await one.read();
  await new Promise((resolve) => setImmediate(resolve));
  const others = crowd.map((one) => one.read());
  const before = read();
  const late = parts.read();
  parts.close();
  assert.ok(await late === undefined, "it gets no bytes");
  assert.equal(read(), before);
  await Promise.all(others);
  for (const one of crowd) one.close();
  assert.deepEqual(leftovers(), [0, 0, 0]);
});
