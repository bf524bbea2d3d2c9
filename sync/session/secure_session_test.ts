/** Sessions over sealed frames, where the lanes of a connection are real. */
import assert from "node:assert/strict";
import { ManualClock } from "../../core/clock.ts";
import type { Transport } from "../../core/transport.ts";
import { MemorySyncWorld } from "../../test/helpers/memory_sync_store.ts";
import { noiseOf } from "../../test/helpers/noise.ts";
import { securePair } from "../../test/helpers/secure_pair.ts";
import { memoryTransports } from "../transport_memory.ts";
import { Session } from "./session.ts";

const PLACE = { namespace: "default", scope: "main" };

/** Both sides of a new connection whose frames go through `between` on the client's way out. */
async function sealed(
  [a, b]: readonly [MemorySyncWorld, MemorySyncWorld],
  between: (end: Transport) => Transport = (end) => end,
) {
  const clock = new ManualClock();
  const [near, far] = memoryTransports();
  const [client, server] = await securePair([between(near), far], { clock });
  assert.deepEqual(client.handshakeHash, server.handshakeHash);
  const sides = [
    new Session(client, { role: "opener", store: a.for(), clock, salt: client.handshakeHash }),
    new Session(server, { role: "answerer", store: b.for(), clock, salt: server.handshakeHash }),
  ] as const;
  const runs = sides.map((side) => side.run().catch((error: unknown) => error));
  return { client: sides[0], end: () => sides[0].close().then(() => Promise.all(runs)) };
}

function worlds(): [MemorySyncWorld, MemorySyncWorld] {
  const pair = [new MemorySyncWorld("a".repeat(16)), new MemorySyncWorld("b".repeat(16))] as const;
  for (const [n, world] of pair.entries()) {
    for (let key = 0; key < 20; key++) {
      world.put(PLACE, `${n} ${key}`, [noiseOf(1000 * key, key), noiseOf(12_000 * key, key + n)]);
    }
    world.put(PLACE, `large ${n}`, [noiseOf(900_000, n)]);
  }
  return [...pair];
}

Deno.test("Session: over sealed frames two stores end equal", async () => {
  const pair = worlds();
  const session = await sealed(pair);
  assert.equal((await session.client.compare(PLACE)).phase, "equal");
  assert.deepEqual(await session.end(), [undefined, undefined]);
  assert.equal(pair[0].place(PLACE).records.size, 42);
});

Deno.test("Session: cut after any number of sealed frames it fails, and the next one ends it", async () => {
  const pair = worlds();
  let cuts = 0;
  for (let frames = 4;; frames += 3) {
    let left = frames;
    const session = await sealed(pair, (end) => {
      const send: Transport["send"] = async (frame, options) => {
        if (left-- <= 0) await end.close("cut");
        await end.send(frame, options);
      };
      return new Proxy(end, {
        get: (target, name) => {
          const value = name === "send" ? send : Reflect.get(target, name, target);
          return typeof value === "function" ? value.bind(target) : value;
        },
      });
    });
    const outcome = await session.client.compare(PLACE).catch((error: unknown) => error);
    await session.end();
    if (!(outcome instanceof Error)) break;
    cuts++;
  }
  assert.ok(cuts >= 2, `${cuts} cuts`);
  const [a, b] = pair.map((world) => world.place(PLACE).set.root().toHex());
  assert.equal(a, b);
});
