/** What a peer may do holds for each record and each chunk. */
import assert from "node:assert/strict";
import { decodeEntry, readClearPart } from "../../codec/entry_record.ts";
import { isKind } from "../../core/errors.ts";
import type { Bytes } from "../../core/digest.ts";
import { sha256 } from "../../core/digest.ts";
import type { SyncVerb } from "../../core/sync_store.ts";
import { CONTEXT, MemorySyncWorld } from "../../test/helpers/memory_sync_store.ts";
import { sessionPair } from "../../test/helpers/session_pair.ts";

const PLACE = { namespace: "team", scope: "main" };
const SECRET = { namespace: "secret", scope: "main" };

function body(length: number, fill: number): Bytes {
  return new Uint8Array(length).map((_, at) => (at * 31 + fill) % 251);
}

function worlds(): [MemorySyncWorld, MemorySyncWorld] {
  return [new MemorySyncWorld("a".repeat(16)), new MemorySyncWorld("b".repeat(16))];
}

function may(...verbs: SyncVerb[]) {
  return { can: (verb: SyncVerb) => verbs.includes(verb), writer: "laptop" };
}

Deno.test("rights: who may not replicate gets its records back as the server stamped them", async () => {
  const [a, b] = worlds();
  a.put(PLACE, "mine", [body(100, 1), body(20_000, 2)], 8000); // a clock that is ahead
  const pair = sessionPair(a.for(), b.for(may("read", "write")));
  const result = await pair.client.compare(PLACE);
  await pair.end();
  assert.deepEqual([result.phase, result.sent], ["equal", 1]);
  for (const world of [a, b]) {
    const [record] = [...world.place(PLACE).records.values()];
    const { facts, stamp } = decodeEntry(record!, CONTEXT);
    assert.equal(facts.writer, "laptop");
    assert.deepEqual([stamp.device, stamp.hlc >> 16n], ["b".repeat(16), 5000n]);
  }
});

Deno.test("rights: who replicates keeps writer and stamp", async () => {
  const [a, b] = worlds();
  const record = a.put(PLACE, "mine", [body(100, 1)]);
  const pair = sessionPair(a.for(), b.for());
  await pair.client.compare(PLACE);
  await pair.end();
  assert.deepEqual([...b.place(PLACE).records.values()], [record]);
});

Deno.test("rights: what is brought by a reader is refused, and it gets all the same what is there", async () => {
  const [a, b] = worlds();
  a.put(PLACE, "mine", [body(100, 1), body(30_000, 2)]);
  b.put(PLACE, "theirs", [body(100, 3)]);
  const pair = sessionPair(a.for(), b.for(may("read")));
  const result = await pair.client.compare(PLACE);
  assert.deepEqual(await pair.end(), [undefined, undefined]);
  assert.deepEqual(result, { phase: "changed", sent: 0, received: 1, refused: 1, missing: 0 });
  assert.equal(b.place(PLACE).records.size, 1);
  assert.equal(b.stores, 0);
  assert.equal(pair.client.outgoing.sent.chunks, 0);
  assert.equal(a.place(PLACE).records.size, 2);
});

Deno.test("rights: a side that only pulls sends no record", async () => {
  const [a, b] = worlds();
  a.put(PLACE, "mine", [body(100, 1)]);
  b.put(PLACE, "theirs", [body(100, 3)]);
  const pair = sessionPair(a.for(), b.for());
  const result = await pair.client.compare(PLACE, { push: false });
  await pair.end();
  assert.deepEqual([result.phase, result.received], ["changed", 1]);
  assert.equal(pair.client.outgoing.sent.records, 0);
});

Deno.test("rights: a namespace that is not shown looks like one that is not there", async () => {
  const bytes: number[] = [];
  for (const there of [true, false]) {
    const [a, b] = worlds();
    if (there) b.put(SECRET, "hidden", [body(100, 1)]);
    const pair = sessionPair(
      a.for(),
      b.for({ can: (_, { namespace }) => namespace === PLACE.namespace }),
    );
    await assert.rejects(pair.client.compare(SECRET), (error) => isKind(error, "not_found"));
    assert.equal((await pair.client.compare(PLACE)).phase, "equal"); // the session goes on
    await pair.end();
    bytes.push(pair.traffic.bytes);
  }
  assert.equal(bytes[0], bytes[1]);
});

Deno.test("rights: a blob of another namespace is asked for in full, and not to be had by its name", async () => {
  const [a, b] = worlds();
  const common = body(30_000, 1);
  b.put(SECRET, "hidden", [common]);
  a.put(PLACE, "mine", [common]);
  const honest = sessionPair(a.for(), b.for(may("read", "write")));
  assert.equal((await honest.client.compare(PLACE)).phase, "equal");
  await honest.end();
  assert.equal(honest.client.outgoing.sent.chunks, 1);

  const [thief, server] = worlds();
  server.put(SECRET, "hidden", [common]);
  thief.put(PLACE, "mine", [common]);
  thief.evict({ kind: "chunk", id: sha256(common) }); // it knows the name alone
  const pair = sessionPair(thief.for(), server.for(may("read", "write")));
  const result = await pair.client.compare(PLACE);
  await pair.end();
  assert.deepEqual([result.phase, result.missing], ["changed", 1]);
  assert.equal(server.place(PLACE).records.size, 0);
});

Deno.test("rights: a record of another namespace is refused, whatever is said about it", async () => {
  const [a, b] = worlds();
  const forged = a.put(SECRET, "forged", [body(10, 1)]);
  a.put(PLACE, "mine", [body(10, 1)]);
  const store = { ...a.for(), records: () => Promise.resolve([forged]) };
  const pair = sessionPair(store, b.for(may("read", "write")));
  const result = await pair.client.compare(PLACE);
  await pair.end();
  assert.equal(result.refused, 1);
  assert.equal(b.place(SECRET).records.size + b.place(PLACE).records.size, 0);
});

Deno.test("rights: one that ends while blobs travel keeps the records out", async () => {
  const [a, b] = worlds();
  a.put(PLACE, "mine", [body(30_000, 1)]);
  let allowed = true;
  const server = b.for({ can: (verb) => verb !== "write" || allowed });
  const store: typeof server.store = async (...args) => {
    await server.store(...args);
    allowed = false;
  };
  const pair = sessionPair(a.for(), { ...server, store });
  assert.equal((await pair.client.compare(PLACE)).refused, 1);
  await pair.end();
  assert.equal(b.place(PLACE).records.size, 0);
});

Deno.test("rights: a blob that was evicted at the sender: who replicates keeps the record alone", async () => {
  const [a, b] = worlds();
  const record = a.put(PLACE, "mine", [body(30_000, 1), body(50, 2)]);
  a.evict(readClearPart(record).blobs[0]!);
  a.evict(readClearPart(record).blobs[1]!);
  const pair = sessionPair(a.for(), b.for());
  assert.equal((await pair.client.compare(PLACE)).phase, "equal");
  await pair.end();
  assert.equal(b.stores, 0);
});

Deno.test("rights: only who may invalidates, and anybody else loses the session", async () => {
  for (const allowed of [true, false]) {
    const [a, b] = worlds();
    const rights = may("read", "write", ...(allowed ? ["invalidate" as const] : []));
    const pair = sessionPair(a.for(), b.for(rights));
    await pair.client.agreed;
    pair.client.invalidate("team", 7);
    const outcome = await pair.client.compare(PLACE).catch((error: unknown) => error);
    const [, server] = await pair.end();
    assert.equal(b.epochs.get("team"), allowed ? 7 : undefined);
    assert.equal(isKind(server, "permission_denied"), !allowed);
    assert.equal(isKind(outcome, "permission_denied"), !allowed);
  }
});

Deno.test("rights: who may not write stops bringing after the first batches", async () => {
  const [a, b] = worlds();
  for (let n = 0; n < 12_000; n++) a.put(PLACE, `key ${n}`, [body(10, n)]);
  const pair = sessionPair(a.for(), b.for(may("read")));
  assert.equal((await pair.client.compare(PLACE)).phase, "changed");
  await pair.end();
  const { records } = pair.client.outgoing.sent;
  assert.ok(records > 0 && records < 10_000, `${records} records went`);
});

Deno.test("rights: a server that keeps next to nothing of what it took is found out, not asked for ever", async () => {
  const [a, b] = worlds();
  for (let n = 0; n < 300; n++) a.put(PLACE, `key ${n}`, [body(10, n)]);
  b.put(PLACE, "theirs", [body(10, 1)]);
  const server = b.for(may("read", "write"));
  let left = 10;
  const commit: typeof server.commit = async (place, records, options) => {
    const kept = records.slice(0, left);
    left -= kept.length;
    const stamped = await server.commit(place, kept, options);
    const rest = records.slice(kept.length).map(() => "taken" as const);
    return { ...stamped, outcomes: [...stamped.outcomes, ...rest] };
  };
  const pair = sessionPair(a.for(), { ...server, commit });
  assert.equal((await pair.client.compare(PLACE)).phase, "unequal");
  assert.deepEqual(await pair.end(), [undefined, undefined]);
});
