/** A peer that lies, stalls or floods ends its session and harms nothing. */
import assert from "node:assert/strict";
import { compress } from "../../codec/zstd.ts";
import { decodeRecipe, encodeRecipe } from "../../codec/recipe.ts";
import { concat } from "../../core/bytes.ts";
import type { Bytes } from "../../core/digest.ts";
import { sha256 } from "../../core/digest.ts";
import { isKind } from "../../core/errors.ts";
import { HELLO_MS, PING_MS, PONG_MS } from "../../core/sync_limits.ts";
import { noiseOf } from "../../test/helpers/noise.ts";
import { MemorySyncWorld } from "../../test/helpers/memory_sync_store.ts";
import { RawPeer } from "../../test/helpers/raw_peer.ts";
import { sessionPair } from "../../test/helpers/session_pair.ts";

const PLACE = { namespace: "default", scope: "main" };
const ID = new Uint8Array(32).fill(3);

function worlds(): [MemorySyncWorld, MemorySyncWorld] {
  return [new MemorySyncWorld("a".repeat(16)), new MemorySyncWorld("b".repeat(16))];
}

/** A peer that has said HELLO and opened a comparison. */
function begun(store = worlds()[1].for()): RawPeer {
  const peer = new RawPeer(store);
  peer.hello();
  peer.open(PLACE);
  return peer;
}

/** A record that names these blobs. */
function recordOf(...bodies: Bytes[]): Bytes {
  return worlds()[0].put(PLACE, "key", bodies);
}

function bring(peer: RawPeer, batch: number, record: Bytes): void {
  peer.says.records({ comparison: 2, batch, last: false, records: [record] });
}

for (const length of [50, 20_000, 262_144]) {
  Deno.test(`liar: another chunk of ${length} bytes under a name is refused and not stored`, async () => {
    const [a, b] = worlds();
    const honest = noiseOf(length, 1);
    a.put(PLACE, "key", [honest]);
    a.forge({ kind: "chunk", id: sha256(honest) }, noiseOf(length, 2));
    const pair = sessionPair(a.for(), b.for());
    await assert.rejects(
      pair.client.compare(PLACE),
      (error) => isKind(error, "invalid_argument"),
    );
    const [, server] = await pair.end();
    assert.ok(isKind(server, "invalid_argument"));
    assert.match(server.message, /not what its name says/);
    assert.equal(b.stores + b.place(PLACE).records.size, 0);
  });
}

Deno.test("liar: a recipe that makes another blob of right chunks is refused", async () => {
  const [a, b] = worlds();
  const honest = noiseOf(300_000, 1);
  a.put(PLACE, "key", [honest]);
  const name = { kind: "recipe", id: sha256(honest) } as const;
  const root = decodeRecipe((await a.for().read(PLACE, name))!);
  const [first, second, ...rest] = root.entries;
  a.forge(name, encodeRecipe({ ...root, entries: [second!, first!, ...rest] }));
  const pair = sessionPair(a.for(), b.for());
  await assert.rejects(pair.client.compare(PLACE), (error) => isKind(error, "invalid_argument"));
  const [, server] = await pair.end();
  assert.match(String(server), /makes another blob/);
  assert.equal(b.place(PLACE).records.size, 0);
  assert.equal(await b.for().read(PLACE, name), undefined);
});

Deno.test("liar: the recipe of another blob is refused", async () => {
  const [a] = worlds();
  const [wanted, other] = [noiseOf(300_000, 1), noiseOf(300_000, 2)];
  const record = a.put(PLACE, "key", [wanted]);
  a.put(PLACE, "other", [other]);
  const recipe = (await a.for().read(PLACE, { kind: "recipe", id: sha256(other) }))!;
  const peer = begun();
  bring(peer, 1, record);
  await peer.settled();
  peer.says.recipe({ batch: 1, offer: 2, id: sha256(wanted), body: recipe });
  await peer.ends("invalid_argument", /recipe of another blob/);
});

Deno.test("liar: what unpacks to more than was said is stopped", async () => {
  const peer = begun();
  bring(peer, 1, recordOf(new Uint8Array(16_000)));
  const bomb = compress(new Uint8Array(50 * 1024 * 1024));
  peer.says.pack({ batch: 1, zstd: true, rawLength: 16_000, lengths: [16_000], bytes: bomb });
  await peer.ends("invalid_argument", /unpacks to something else/);
});

Deno.test("liar: more bytes than were granted end the session", async () => {
  const held = Promise.withResolvers<boolean[]>();
  const peer = begun({ ...worlds()[1].for(), missing: () => held.promise });
  // Nothing proves what is sealed until it is opened.
  const large = concat([recordOf(noiseOf(10, 1)), new Uint8Array(700_000)]);
  for (const batch of [1, 2, 3]) bring(peer, batch, large);
  await peer.settled();
  held.resolve([true]);
  await peer.ends("invalid_argument", /without credit in class "work"/);
});

const SAYS: [string, RegExp, (peer: RawPeer) => void][] = [
  ["an unknown message", /no message 99/, (peer) => peer.raw(new Uint8Array([99]))],
  ["HELLO twice", /HELLO is the first/, (peer) => peer.hello()],
  [
    "a chunk that nobody asked for",
    /nobody asked for/,
    (peer) => {
      bring(peer, 1, recordOf(noiseOf(10, 1)));
      peer.says.chunk({ batch: 1, zstd: false, rawLength: 1, id: ID, bytes: new Uint8Array(1) });
    },
  ],
  [
    "a chunk of no batch",
    /batch that is not open/,
    (peer) =>
      peer.says.chunk({ batch: 1, zstd: false, rawLength: 1, id: ID, bytes: new Uint8Array(1) }),
  ],
  ["COMMIT of no batch", /batch that is not open/, (peer) => peer.says.commit({ batch: 4 })],
  [
    "a batch that goes on behind its COMMIT",
    /batch that is not open/,
    (peer) => {
      bring(peer, 1, recordOf(noiseOf(10, 1)));
      peer.says.commit({ batch: 1 });
      peer.says.commit({ batch: 1 });
    },
  ],
  [
    "batches out of order",
    /not numbered in order/,
    (peer) => [2, 1].forEach((batch) => bring(peer, batch, recordOf(noiseOf(10, 1)))),
  ],
  [
    "five batches at once",
    /too many batches/,
    (peer) => [1, 2, 3, 4, 5].forEach((batch) => bring(peer, batch, recordOf(noiseOf(10, 1)))),
  ],
  ["no record", /is no record/, (peer) => bring(peer, 1, new Uint8Array(50))],
  [
    "a PACK of more than its records name",
    /more than its records name/,
    (peer) => {
      bring(peer, 1, recordOf(noiseOf(10, 1)));
      const bytes = new Uint8Array(2);
      peer.says.pack({ batch: 1, zstd: false, rawLength: 2, lengths: [1, 1], bytes });
    },
  ],
  [
    "WANT of nothing offered",
    /not offered/,
    (peer) => peer.says.want({ offer: 1, wanted: [true] }),
  ],
  [
    "an ack of nothing sent",
    /acknowledges what was not sent/,
    (peer) => peer.says.commitAck({ batch: 1, missing: [false], refused: [false], stamped: [] }),
  ],
  [
    "a comparison that never began",
    /never began/,
    (peer) => peer.says.compare({ comparison: 1, body: new Uint8Array([2]) }),
  ],
  [
    "a comparison that begins in its middle",
    /does not begin with a place/,
    (peer) => peer.says.compare({ comparison: 4, body: Uint8Array.fromHex("0501010001") as Bytes }),
  ],
  ["PONG without PING", /not sent/, (peer) => peer.says.pong({ number: 1n })],
  [
    "credit beyond all",
    /bytes of credit/,
    (peer) => peer.says.credit({ class: "bulk", bytes: 32 * 1024 * 1024 }),
  ],
  [
    "the end of a comparison twice",
    /ends twice/,
    (peer) => {
      const last = { comparison: 2, batch: 0, last: true, records: [] };
      peer.says.records(last);
      peer.says.records(last);
    },
  ],
];

for (const [what, words, say] of SAYS) {
  Deno.test(`liar: ${what} ends the session`, async () => {
    const [common, server] = worlds();
    common.put(PLACE, "x", [noiseOf(5, 9)]);
    server.put(PLACE, "y", [noiseOf(5, 8)]);
    const peer = begun(server.for({ can: (verb) => verb !== "replicate" }));
    await peer.settled();
    say(peer);
    await peer.ends("invalid_argument", words);
    assert.equal(server.place(PLACE).records.size, 1);
  });
}

Deno.test("liar: whatever comes before HELLO ends the session", async () => {
  const peer = new RawPeer(worlds()[1].for());
  peer.says.ping({ number: 1n });
  await peer.ends("invalid_argument", /HELLO is the first/);
});

Deno.test("Session: a peer of another version is told so", async () => {
  const peer = new RawPeer(worlds()[1].for());
  peer.says.hello({ oldest: 2, newest: 9, capabilities: 0, clock: 0 });
  await peer.ends("unsupported", /versions 2 to 9 of sessions, want 1 to 1/);
});

Deno.test("Session: a peer of several versions is spoken to in the newest that both know", async () => {
  const peer = new RawPeer(worlds()[1].for());
  const clock = peer.clock.now() + 3_600_000;
  peer.says.hello({ oldest: 1, newest: 7, capabilities: 0xffffffff, clock });
  const agreed = await peer.session.agreed;
  assert.deepEqual(agreed, { version: 1, capabilities: 0, clockOffset: 3_600_000 });
  await peer.session.close();
});

Deno.test("Session: a peer that says nothing is given up", async () => {
  const peer = new RawPeer(worlds()[1].for());
  await peer.settled();
  peer.clock.advance(HELLO_MS);
  await peer.ends("timeout", /no HELLO/);
});

Deno.test("Session: a peer that answers no PING is given up", async () => {
  const peer = begun();
  await peer.settled();
  peer.clock.advance(PING_MS);
  await peer.settled();
  assert.equal(peer.of("ping").length, 1);
  peer.clock.advance(PONG_MS);
  await peer.ends("timeout", /no PONG/);
});

Deno.test("Session: behind GOAWAY no comparison begins, and those that are open end well", async () => {
  const [a, b] = worlds();
  a.put(PLACE, "key", [noiseOf(20_000, 1)]);
  const pair = sessionPair(a.for(), b.for());
  const running = pair.client.compare(PLACE);
  await pair.client.agreed;
  await Promise.resolve();
  pair.server.goAway();
  const late = new Promise((resolve) => setTimeout(resolve, 0)).then(() =>
    pair.client.compare(PLACE)
  );
  const outcomes = await Promise.allSettled([running, late]);
  assert.deepEqual(await pair.end(), [undefined, undefined]);
  assert.equal(outcomes[1].status, "rejected");
  assert.ok(isKind((outcomes[1] as PromiseRejectedResult).reason, "unavailable"));
});

Deno.test("Session: a disk that does not store holds the sender back, and then lets it go on", async () => {
  const [a, b] = worlds();
  for (let n = 0; n < 40; n++) a.put(PLACE, `key ${n}`, [noiseOf(250_000, n)]);
  const slow = Promise.withResolvers<void>();
  const server = b.for();
  const store: typeof server.store = async (...args) => {
    await slow.promise;
    await server.store(...args);
  };
  const pair = sessionPair(a.for(), { ...server, store });
  const running = pair.client.compare(PLACE);
  for (let turn = 0; turn < 50; turn++) await new Promise((resolve) => setTimeout(resolve, 0));
  const { bytes } = pair.traffic;
  assert.ok(bytes > 1024 * 1024 && bytes < 1.5 * 1024 * 1024, `${bytes} bytes went`);
  slow.resolve();
  assert.equal((await running).phase, "equal");
  await pair.end();
});

Deno.test("Session: aborting a comparison ends it alone, and the session goes on", async () => {
  const [a, b] = worlds();
  for (let n = 0; n < 5; n++) a.put(PLACE, `key ${n}`, [noiseOf(20_000, n)]);
  const pair = sessionPair(a.for(), b.for());
  await pair.client.agreed;
  const stop = new AbortController();
  const running = pair.client.compare(PLACE, { signal: stop.signal });
  await Promise.resolve();
  stop.abort(new Error("enough"));
  await assert.rejects(running, /enough/);
  assert.equal((await pair.client.compare(PLACE)).phase, "equal");
  assert.deepEqual(await pair.end(), [undefined, undefined]);
});
