/** Two stores become equal over a session, whatever they hold. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { sha256 } from "../../core/digest.ts";
import { readClearPart } from "../../codec/entry_record.ts";
import { noiseOf } from "../../test/helpers/noise.ts";
import { MemorySyncWorld } from "../../test/helpers/memory_sync_store.ts";
import { sessionPair } from "../../test/helpers/session_pair.ts";

const PLACE = { namespace: "default", scope: "main" };
const DEVICES = ["a".repeat(16), "b".repeat(16)] as const;

function worlds(): [MemorySyncWorld, MemorySyncWorld] {
  return [new MemorySyncWorld(DEVICES[0]), new MemorySyncWorld(DEVICES[1])];
}

/** Both hold the same records, and every blob of them. */
function assertEqual([a, b]: readonly MemorySyncWorld[]): void {
  const [left, right] = [a!.place(PLACE), b!.place(PLACE)];
  assert.equal(left.set.root().toHex(), right.set.root().toHex());
  assert.deepEqual([...left.records.keys()].sort(), [...right.records.keys()].sort());
  for (const world of [a!, b!]) {
    for (const record of world.place(PLACE).records.values()) {
      for (const blob of readClearPart(record).blobs) {
        if (blob.size === 0) continue;
        const body = world.blob(PLACE, blob);
        assert.ok(body, "a blob is missing");
        assert.equal(sha256(body).toHex(), blob.id.toHex());
      }
    }
  }
}

async function synced(pair: readonly [MemorySyncWorld, MemorySyncWorld]) {
  const session = sessionPair(pair[0].for(), pair[1].for());
  const result = await session.client.compare(PLACE);
  assert.deepEqual(await session.end(), [undefined, undefined]);
  assert.equal(result.phase, "equal");
  assertEqual(pair);
  return { ...session, result };
}

Deno.test("Session: two empty stores are equal after one round trip", async () => {
  const { traffic } = await synced(worlds());
  // HELLO, OPEN and STATE.
  assert.equal(traffic.frames, 4);
});

Deno.test("Session: small, middle and large blobs go both ways, each once", async () => {
  const pair = worlds();
  const [a, b] = pair;
  a.put(PLACE, "small", [noiseOf(100, 1), noiseOf(16_384, 2)]);
  a.put(PLACE, "middle", [noiseOf(16_385, 3), noiseOf(262_144, 4)]);
  a.put(PLACE, "large", [noiseOf(300_000, 5)]);
  b.put(PLACE, "other", [noiseOf(400_000, 6), noiseOf(5, 7)]);
  b.put(PLACE, "empty", [new Uint8Array(0)]);
  const { result, client } = await synced(pair);
  assert.deepEqual([result.sent, result.received], [3, 2]);
  assert.equal(client.outgoing.sent.smallBlobs, 2);
  assert.equal(client.outgoing.sent.recipes, 1);
});

Deno.test("Session: a recipe of two levels goes over, and a change of it sends little", async () => {
  const pair = worlds();
  const [a] = pair;
  const body = noiseOf(3_000_000, 1);
  a.put(PLACE, "large", [body]);
  await synced(pair);
  body[0]! ^= 1;
  a.put(PLACE, "large", [body.slice()], 2000);
  const { client, traffic } = await synced(pair);
  assert.equal(client.outgoing.sent.chunks, 1);
  assert.ok(traffic.bytes < 60_000, `${traffic.bytes} bytes`);
});

Deno.test("Session: of two versions of one key the later one wins on both sides", async () => {
  const pair = worlds();
  pair[0].put(PLACE, "key", [noiseOf(10, 1)], 1000);
  pair[1].put(PLACE, "key", [noiseOf(10, 2)], 2000);
  await synced(pair);
  assert.equal(pair[0].place(PLACE).records.size, 1);
});

Deno.test("Session: random pairs of stores end equal", async () => {
  const length = fc.oneof(
    fc.integer({ min: 0, max: 300 }),
    fc.integer({ min: 16_000, max: 17_000 }),
    fc.integer({ min: 262_000, max: 290_000 }),
  );
  const blob = fc.tuple(length, fc.nat(20)).map(([bytes, seed]) => noiseOf(bytes, seed));
  const entry = fc.record({
    side: fc.constantFrom("a", "b", "both"),
    key: fc.nat(30).map((n) => `key ${n}`),
    blobs: fc.array(blob, { minLength: 1, maxLength: 3 }),
    at: fc.integer({ min: 1000, max: 9000 }),
  });
  await fc.assert(
    fc.asyncProperty(fc.array(entry, { maxLength: 20 }), async (entries) => {
      const pair = worlds();
      for (const { side, key, blobs, at } of entries) {
        if (side !== "b") pair[0].put(PLACE, key, blobs, at);
        if (side !== "a") pair[1].put(PLACE, key, blobs, at);
      }
      await synced(pair);
    }),
    { numRuns: 25 },
  );
});

Deno.test("Session: thousands of entries on both sides, in many batches", async () => {
  const pair = worlds();
  for (let n = 0; n < 3000; n++) {
    if (n % 3 !== 0) pair[0].put(PLACE, `key ${n}`, [noiseOf(20 + n % 50, n)]);
    if (n % 3 !== 1) pair[1].put(PLACE, `key ${n}`, [noiseOf(20 + n % 50, n)], 1000 + n);
  }
  await synced(pair);
});

Deno.test("Session: both sides compare many places at once", async () => {
  const pair = worlds();
  const places = Array.from({ length: 30 }, (_, n) => ({ namespace: `ns-${n}`, scope: "main" }));
  for (const [n, place] of places.entries()) {
    pair[0].put(place, "mine", [noiseOf(100 * n, n), noiseOf(1000 * n, n)]);
    pair[1].put(place, "theirs", [noiseOf(1000 * n, -n)]);
  }
  const { client, server, end } = sessionPair(pair[0].for(), pair[1].for());
  const results = await Promise.all(
    places.map((place, n) => (n % 2 === 0 ? client : server).compare(place)),
  );
  assert.deepEqual(await end(), [undefined, undefined]);
  for (const [n, place] of places.entries()) {
    assert.equal(results[n]!.phase, "equal");
    const [a, b] = pair.map((world) => world.place(place).set.root().toHex());
    assert.equal(a, b);
  }
});

Deno.test("Session: where cursors hold only what came behind them is brought", async () => {
  const pair = worlds();
  for (let n = 0; n < 200; n++) pair[0].put(PLACE, `key ${n}`, [noiseOf(30, n)]);
  await synced(pair);
  const seen = pair.map((world, n) => ({
    indexId: DEVICES[n]!,
    epoch: 0,
    sequence: world.place(PLACE).sequence,
  }));
  pair[0].put(PLACE, "new", [noiseOf(30, 1)]);
  pair[1].put(PLACE, "newer", [noiseOf(30, 2)]);
  const stores = pair.map((world, n) => {
    const store = world.for();
    const position: typeof store.position = (place) => ({
      ...store.position(place),
      seen: seen[1 - n],
    });
    return { ...store, position };
  });
  const { client, server, end } = sessionPair(stores[0]!, stores[1]!);
  assert.equal((await client.compare(PLACE)).phase, "equal");
  await end();
  assert.deepEqual([client.outgoing.sent.records, server.outgoing.sent.records], [1, 1]);
  assertEqual(pair);
});

Deno.test("Session: writes on both sides meanwhile end in no error, and the next one sees them", async () => {
  const pair = worlds();
  for (let n = 0; n < 300; n++) pair[n % 2]!.put(PLACE, `key ${n}`, [noiseOf(2000, n)]);
  const stores = pair.map((world, side) => {
    const store = world.for();
    let writes = 0;
    const missing: typeof store.missing = (...args) => {
      if (writes++ < 5) world.put(PLACE, `late ${side} ${writes}`, [noiseOf(40, writes)], 3000);
      return store.missing(...args);
    };
    return { ...store, missing };
  });
  const { client, end } = sessionPair(stores[0]!, stores[1]!);
  assert.equal((await client.compare(PLACE)).phase, "changed");
  assert.deepEqual(await end(), [undefined, undefined]);
  await synced(pair);
});
