import assert from "node:assert/strict";
import { ManualClock, systemClock } from "../core/clock.ts";
import { CacheError, isKind } from "../core/errors.ts";
import type { ErrorKind } from "../core/errors.ts";
import { Secret } from "../core/secret.ts";
import { MAX_FIRST_MESSAGE_BYTES } from "../core/sync_limits.ts";
import type { Transport } from "../core/transport.ts";
import { utf8 } from "../core/utf8.ts";
import { newAgreementKey } from "../core/x25519.ts";
import { ANSWER, begin, REQUEST, securePair, TOKEN } from "../test/helpers/secure_pair.ts";
import { throughMiddle } from "../test/helpers/middle.ts";
import { read, readAll, settled } from "../test/suites/transport.ts";
import { sessionCredentials } from "./credentials.ts";
import { NNPSK0 } from "./noise/patterns.ts";
import type { AnswerOptions } from "./secure_handshake.ts";
import { beginSession, readOpening, receiveFirst } from "./secure_handshake.ts";
import { memoryTransports } from "./transport_memory.ts";

const time = { clock: systemClock };

Deno.test("a handshake carries hello and welcome, and both sides name the session alike", async () => {
  const [a, b] = memoryTransports();
  const opening = await begin(utf8("hello"));
  await a.send(opening.first);
  const offer = await readOpening(await receiveFirst(b, time), ANSWER);
  assert.deepEqual(offer.hello, utf8("hello"));
  const [{ transport, welcome }, server] = await Promise.all([
    opening.finish(a, time),
    offer.accept(b, utf8("welcome"), time),
  ]);
  assert.deepEqual(welcome, utf8("welcome"));
  assert.deepEqual(transport.handshakeHash, server.handshakeHash);
  await server.send(utf8("at once"));
  assert.deepEqual(await read(transport, 1), [utf8("at once")]);
  await transport.close("done");
  assert.deepEqual(await readAll(server), []);
});

Deno.test("a token that names no server opens a session where both sides allow it", async () => {
  const token = { type: "brought" as const, id: TOKEN.id, secret: TOKEN.secret };
  const credentials = sessionCredentials(token, { insecureNoServerKey: true });
  const [a, b] = memoryTransports();
  const opening = await beginSession({ credentials, request: REQUEST, hello: utf8("x") });
  const { serverKey: _, ...answer } = ANSWER;
  const offer = await readOpening(opening.first, { ...answer, pattern: NNPSK0 });
  const [{ transport }, server] = await Promise.all([
    opening.finish(a, time),
    offer.accept(b, utf8("y"), time),
  ]);
  await transport.close("done");
  assert.deepEqual(await readAll(server), []);
});

const OTHER_VIEWS: Readonly<Record<string, Partial<AnswerOptions>>> = {
  "another secret": { psk: new Secret(new Uint8Array(32)) },
  "another server's key": { serverKey: newAgreementKey() },
  "another host": view({ host: "evil.example" }),
  "another path": view({ path: "/ns/other/v1/session" }),
  "another version": view({ version: 2 }),
  "fewer capabilities": view({ capabilities: ["zstd"] }),
  "capabilities in another order": view({ capabilities: ["pack", "zstd"] }),
  "another token": { request: { ...REQUEST, tokenId: "f".repeat(16) } },
};

for (const [what, changes] of Object.entries(OTHER_VIEWS)) {
  Deno.test(`readOpening() refuses a message 1 that was made for ${what}`, async () => {
    const { first } = await begin();
    await kindOf(readOpening(first, { ...ANSWER, ...changes }), "unauthenticated");
  });
}

Deno.test("readOpening() takes upper and lower case of a host for the same", async () => {
  const { first } = await begin();
  await readOpening(first, { ...ANSWER, ...view({ host: "Cache.Example:8080" }) });
});

Deno.test("message 1 has at most 4 KiB, on both sides", async () => {
  const most = MAX_FIRST_MESSAGE_BYTES - 32 - 16;
  assert.equal((await begin(new Uint8Array(most))).first.length, MAX_FIRST_MESSAGE_BYTES);
  await kindOf(begin(new Uint8Array(most + 1)), "too_large");
  const long = new Uint8Array(MAX_FIRST_MESSAGE_BYTES + 1);
  await kindOf(readOpening(long, ANSWER), "too_large");
  const [a, b] = memoryTransports();
  await a.send(long);
  await kindOf(receiveFirst(b, time), "too_large");
  await kindOf(readAll(a), "too_large");
});

Deno.test("a side that says nothing for 5 s before the handshake has ended is left, on both sides", async () => {
  const clock = new ManualClock();
  for (const client of [true, false]) {
    const [here, there] = memoryTransports();
    const waiting = client
      ? (await begin()).finish(here, { clock })
      : receiveFirst(here, { clock });
    const seen = kindOf(waiting, "timeout");
    clock.advance(4_999);
    await settled();
    assert.equal(clock.sleeping, 1);
    clock.advance(1);
    await seen;
    await kindOf(readAll(there), "timeout");
  }
});

Deno.test("an aborted wait ends the handshake with the signal's reason, and leaves no timer", async () => {
  const clock = new ManualClock();
  const [a, b] = memoryTransports();
  const given = new AbortController();
  const finishing = (await begin()).finish(a, { clock, signal: given.signal });
  const reason = new DOMException("given up", "AbortError");
  given.abort(reason);
  await assert.rejects(finishing, (thrown) => thrown === reason);
  await kindOf(readAll(b), "cancelled");
  assert.equal(clock.sleeping, 0);
});

Deno.test("a server's refusal instead of message 2 reaches the client with its kind", async () => {
  const [a, b] = memoryTransports();
  const opening = await begin();
  const finishing = opening.finish(a, time);
  await kindOf(Promise.all([finishing, kindClose(b, "rate_limited")]), "rate_limited");
  const [c, d] = memoryTransports();
  await d.close("no sessions here");
  await kindOf((await begin()).finish(c, time), "unavailable");
});

Deno.test("a message 2 that is changed, cut, or of another server ends the handshake on both sides", async () => {
  const other = { ...ANSWER, serverKey: newAgreementKey() };
  for (
    const change of [
      (frame: Uint8Array<ArrayBuffer>) => frame.with(40, frame[40]! ^ 1),
      (frame: Uint8Array<ArrayBuffer>) => frame.slice(0, 47),
      (frame: Uint8Array<ArrayBuffer>) => new Uint8Array([...frame, 0]),
    ]
  ) {
    const ends = throughMiddle((frame, n, way) => way === 1 && n === 0 ? [change(frame)] : [frame]);
    const opening = await begin();
    const offer = await readOpening(opening.first, ANSWER);
    const finishing = opening.finish(ends[0], time);
    const server = await offer.accept(ends[1], utf8("welcome"), time);
    await kindOf(finishing, "unauthenticated", "invalid_argument");
    await kindOf(readAll(server), "unauthenticated", "invalid_argument");
  }
  await kindOf(readOpening((await begin()).first, other), "unauthenticated");
});

Deno.test("who replays a message 1 gets an answer, and then nothing he sends is heard", async () => {
  const { first } = await begin();
  for (const sent of [new Uint8Array(33), new Uint8Array(16), first]) {
    const [attacker, b] = memoryTransports();
    const offer = await readOpening(first, ANSWER);
    const server = await offer.accept(b, utf8("welcome"), time);
    await read(attacker, 1);
    await attacker.send(sent);
    await kindOf(readAll(server), "corrupt");
    await kindOf(readAll(attacker), "corrupt");
  }
});

Deno.test("frames of one session mean nothing to another that began with the same message 1", async () => {
  const recorded: Uint8Array<ArrayBuffer>[] = [];
  const opening = await begin();
  const offer = await readOpening(opening.first, ANSWER);
  const [a, b] = throughMiddle((frame, _n, way) => {
    if (way === 0) recorded.push(frame);
    return [frame];
  });
  const [{ transport }, server] = await Promise.all([
    opening.finish(a, time),
    offer.accept(b, utf8("welcome"), time),
  ]);
  await transport.send(utf8("push"));
  assert.deepEqual(await read(server, 1), [utf8("push")]);
  await transport.close("done");
  await server.close("done");
  const [attacker, c] = memoryTransports();
  const again = await (await readOpening(opening.first, ANSWER)).accept(c, utf8("welcome"), time);
  for (const frame of recorded) await attacker.send(frame);
  await kindOf(readAll(again), "corrupt");
  await again.close("done");
});

Deno.test("who replays a message 1 and is silent has 5 s, and little of his may lie unread", async () => {
  const clock = new ManualClock();
  const offer = await readOpening((await begin()).first, ANSWER);
  const [attacker, b] = memoryTransports();
  const allowed: number[] = [];
  const watched: Transport = Object.create(b, {
    frames: { get: () => b.frames },
    send: { value: b.send.bind(b) },
    close: { value: b.close.bind(b) },
    allowUnread: { value: (bytes: number) => allowed.push(bytes) },
  });
  const server = await offer.accept(watched, utf8("welcome"), { clock });
  const reading = kindOf(readAll(server), "timeout");
  await settled();
  clock.advance(5_000);
  await reading;
  await kindOf(readAll(attacker), "timeout");
  assert.deepEqual(allowed, [], "more was not allowed at any time");
  assert.equal(clock.sleeping, 0);
});

Deno.test("a client that has shown its keys may be silent for ever", async () => {
  const clock = new ManualClock();
  const [a, b] = await securePair(memoryTransports(), { clock });
  const reading = readAll(b);
  await settled();
  assert.equal(clock.sleeping, 0);
  clock.advance(86_400_000);
  await a.send(utf8("good morning"));
  await a.close("done");
  assert.deepEqual(await reading, [utf8("good morning")]);
});

Deno.test("what a handshake throws shows neither token nor keys", async () => {
  const { first } = await begin();
  const thrown = await readOpening(first, { ...ANSWER, psk: new Secret(new Uint8Array(32)) })
    .catch((error) => error);
  const text = Deno.inspect([thrown, ANSWER, sessionCredentials(TOKEN)], { depth: 9 });
  for (const secret of [ANSWER.psk.reveal(), TOKEN.secret.reveal()]) {
    assert.ok(!text.includes(secret.toHex()) && !text.includes(`${secret[0]}, ${secret[1]}, `));
  }
});

function view(changes: Partial<typeof REQUEST>): Partial<AnswerOptions> {
  return { request: { ...REQUEST, tokenId: TOKEN.id, ...changes } };
}

async function kindClose(end: Transport, kind: ErrorKind): Promise<void> {
  await end.close(new CacheError(kind, "Cannot open a session: not now"));
}

async function kindOf(work: Promise<unknown>, ...kinds: ErrorKind[]): Promise<void> {
  await assert.rejects(work, (thrown) => {
    assert.ok(kinds.some((kind) => isKind(thrown, kind)), String(thrown));
    return true;
  });
}
