/** A connection that is cut after each message of a sync: nothing is lost, and the next one ends it. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { sha256 } from "../../core/digest.ts";
import { CacheError } from "../../core/errors.ts";
import { readClearPart } from "../../codec/entry_record.ts";
import { noiseOf } from "../../test/helpers/noise.ts";
import { MemorySyncWorld } from "../../test/helpers/memory_sync_store.ts";
import type { PeerRights } from "../../test/helpers/memory_sync_store.ts";
import { sessionPair } from "../../test/helpers/session_pair.ts";

const PLACE = { namespace: "default", scope: "main" };

function worlds(): [MemorySyncWorld, MemorySyncWorld] {
  const [a, b] = [new MemorySyncWorld("a".repeat(16)), new MemorySyncWorld("b".repeat(16))];
  a.put(PLACE, "small", [noiseOf(100, 1)]);
  a.put(PLACE, "large", [noiseOf(270_000, 2), noiseOf(20_000, 3)]);
  a.put(PLACE, "both", [noiseOf(50, 4)], 2000);
  b.put(PLACE, "both", [noiseOf(60, 5)], 3000);
  b.put(PLACE, "other", [noiseOf(17_000, 6), noiseOf(200, 7)]);
  return [a, b];
}

/** Every record that is kept has all its blobs, and they are right. */
function assertWhole(world: MemorySyncWorld): void {
  for (const record of world.place(PLACE).records.values()) {
    for (const blob of readClearPart(record).blobs) {
      const body = world.blob(PLACE, blob);
      assert.ok(body, "a record is kept without its blob");
      assert.equal(sha256(body).toHex(), blob.id.toHex());
    }
  }
}

for (
  const [who, rights] of [
    ["peers that replicate", {}],
    ["a peer whose records are stamped", { can: (verb) => verb !== "replicate" }],
  ] as [string, PeerRights][]
) {
  // Messages of this transport come whole or not at all, as sealed frames do: a cut at any byte of
  // one is a cut in front of it.
  Deno.test(`Session: cut after each message and resumed, ${who} end equal`, async () => {
    let cuts = 0;
    const whole = worlds();
    const uncut = sessionPair(whole[0].for(), whole[1].for(rights));
    await uncut.client.compare(PLACE);
    await uncut.end();
    const needed = uncut.client.outgoing.sent.chunks;
    assert.ok(needed > 10, `${needed} chunks`);
    for (let cutAfter = 0;; cutAfter++) {
      const [a, b] = worlds();
      const first = sessionPair(a.for(), b.for(rights), { cutAfter });
      const outcome = await first.client.compare(PLACE).catch((error: unknown) => error);
      await first.end();
      for (const world of [a, b]) assertWhole(world);
      const before = first.server.incoming.received.chunks;
      const second = sessionPair(a.for(), b.for(rights));
      const result = await second.client.compare(PLACE);
      assert.deepEqual(await second.end(), [undefined, undefined]);
      assert.equal(result.phase, "equal", `cut after ${cutAfter} messages`);
      for (const world of [a, b]) assertWhole(world);
      assert.equal(a.place(PLACE).set.root().toHex(), b.place(PLACE).set.root().toHex());
      // What was stored before the cut is not sent again, but for small blobs, which ask nobody.
      assert.equal(second.client.outgoing.sent.chunks, needed - before);
      const records = [...b.place(PLACE).records.values()];
      assert.ok(records.every((record) => readClearPart(record).stamp.hlc >> 16n <= 5000n));
      if (!(outcome instanceof CacheError)) break;
      cuts++;
    }
    assert.ok(cuts > 30, `${cuts} cuts`);
    console.log(`cut after each of ${cuts} messages`);
  });
}

Deno.test("Session: any stores, written to between cuts at any messages, end equal", async () => {
  const write = fc.tuple(fc.nat(1), fc.nat(12), fc.constantFrom(40, 17_000, 265_000), fc.nat(9999));
  const round = fc.record({ writes: fc.array(write, { maxLength: 6 }), cutAfter: fc.nat(40) });
  await fc.assert(
    fc.asyncProperty(fc.array(round, { maxLength: 4 }), fc.boolean(), async (rounds, stamps) => {
      const [a, b] = [new MemorySyncWorld("a".repeat(16)), new MemorySyncWorld("b".repeat(16))];
      const rights: PeerRights = { can: (verb) => verb !== "replicate" || !stamps };
      for (const { writes, cutAfter } of rounds) {
        for (const [side, key, length, at] of writes) {
          (side === 0 ? a : b).put(PLACE, `key ${key}`, [noiseOf(length, at)], 1000 + at);
        }
        const { client, end } = sessionPair(a.for(), b.for(rights), { cutAfter });
        await client.compare(PLACE).catch((error: unknown) =>
          assert.ok(error instanceof CacheError)
        );
        await end();
        for (const world of [a, b]) assertWhole(world);
      }
      const { client, end } = sessionPair(a.for(), b.for(rights));
      const { phase } = await client.compare(PLACE);
      assert.deepEqual(await end(), [undefined, undefined]);
      assert.equal(phase, "equal");
      assert.equal(a.place(PLACE).set.root().toHex(), b.place(PLACE).set.root().toHex());
      for (const world of [a, b]) assertWhole(world);
    }),
    { numRuns: 40 },
  );
});
