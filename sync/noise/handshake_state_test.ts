import assert from "node:assert/strict";
import type { Bytes } from "../../core/digest.ts";
import { fromHex } from "../../core/digest.ts";
import type { ErrorKind } from "../../core/errors.ts";
import { CacheError, isKind } from "../../core/errors.ts";
import { utf8 } from "../../core/utf8.ts";
import { newAgreementKey } from "../../core/x25519.ts";
import { LOW_ORDER_KEYS } from "../../test/helpers/low_order.ts";
import { patternNamed } from "../../test/helpers/noise_patterns.ts";
import type { HandshakeOptions } from "./handshake_state.ts";
import { HandshakeState } from "./handshake_state.ts";
import { NKPSK0, NNPSK0 } from "./patterns.ts";

const SERVER = newAgreementKey();
const PSK = crypto.getRandomValues(new Uint8Array(32));
const HELLO = utf8("hello");

type Changes = Partial<HandshakeOptions>;

function client(changes: Changes = {}): HandshakeState {
  const pattern = changes.pattern ?? NKPSK0;
  return new HandshakeState({
    pattern,
    role: "initiator",
    prologue: utf8("prologue"),
    psk: PSK,
    ...(pattern === NKPSK0 ? { peer: SERVER.publicKey } : {}),
    ...changes,
  });
}

function server(changes: Changes = {}): HandshakeState {
  const pattern = changes.pattern ?? NKPSK0;
  return new HandshakeState({
    pattern,
    role: "responder",
    prologue: utf8("prologue"),
    psk: PSK,
    ...(pattern === NKPSK0 ? { own: SERVER } : {}),
    ...changes,
  });
}

for (const pattern of [NKPSK0, NNPSK0]) {
  Deno.test(`${pattern.name}: both sides get the same hash and each other's keys, anew each time`, async () => {
    const seen = new Set<string>();
    for (let run = 0; run < 2; run++) {
      const [a, b] = [client({ pattern }), server({ pattern })];
      assert.deepEqual(await b.readMessage(await a.writeMessage(HELLO)), HELLO);
      assert.equal(a.finished || b.finished, false);
      assert.deepEqual(await a.readMessage(await b.writeMessage(utf8("welcome"))), utf8("welcome"));
      const [ours, theirs] = [a.result(), b.result()];
      assert.deepEqual(ours.handshakeHash, theirs.handshakeHash);
      assert.deepEqual(ours.sendKey, theirs.receiveKey);
      assert.deepEqual(ours.receiveKey, theirs.sendKey);
      for (const part of Object.values(ours)) seen.add(part.toHex());
    }
    assert.equal(seen.size, 6);
  });

  Deno.test(`${pattern.name}: no message can be cut, made longer or changed in any bit`, async () => {
    const a = client({ pattern });
    const first = await a.writeMessage(HELLO);
    for (const bad of damagedForms(first)) {
      await refused(server({ pattern }).readMessage(bad), "unauthenticated", "invalid_argument");
    }
    const b = server({ pattern });
    await b.readMessage(first);
    const second = await b.writeMessage(HELLO);
    // Each try needs a client that awaits an answer to the same first message.
    const key = newAgreementKey();
    const fresh = async () => {
      const again = client({ pattern, ephemeral: () => key });
      return { again, sent: await again.writeMessage(HELLO) };
    };
    const answering = server({ pattern });
    await answering.readMessage((await fresh()).sent);
    const answer = await answering.writeMessage(HELLO);
    for (const bad of damagedForms(answer)) {
      const { again } = await fresh();
      await refused(again.readMessage(bad), "unauthenticated", "invalid_argument");
    }
    assert.deepEqual(await (await fresh()).again.readMessage(answer), HELLO);
    await refused((await fresh()).again.readMessage(second), "unauthenticated");
  });

  Deno.test(`${pattern.name}: a public key of low order ends the handshake`, async () => {
    for (const low of LOW_ORDER_KEYS) {
      const weak = () => ({ publicKey: fromHex(low), agree: () => new Uint8Array(32) });
      const attacker = client({ pattern, ephemeral: weak });
      const victim = server({ pattern });
      const read = victim.readMessage(await attacker.writeMessage(HELLO));
      if (pattern === NKPSK0) await refused(read, "unauthenticated");
      else {
        await read;
        await refused(victim.writeMessage(HELLO), "unauthenticated");
      }
      const asking = client({ pattern });
      const evil = server({ pattern, ephemeral: weak });
      await evil.readMessage(await asking.writeMessage(HELLO));
      await refused(asking.readMessage(await evil.writeMessage(HELLO)), "unauthenticated");
    }
  });

  Deno.test(`${pattern.name}: another shared key or prologue is refused with the first message`, async () => {
    const first = await client({ pattern }).writeMessage(HELLO);
    const psk = PSK.slice();
    psk[31]! ^= 1;
    await refused(server({ pattern, psk }).readMessage(first), "unauthenticated");
    const prologue = utf8("prologuf");
    await refused(server({ pattern, prologue }).readMessage(first), "unauthenticated");
  });
}

Deno.test("a server with another key, and a client with another server's, get nowhere", async () => {
  const first = await client().writeMessage(HELLO);
  await refused(server({ own: newAgreementKey() }).readMessage(first), "unauthenticated");
  const misled = await client({ peer: newAgreementKey().publicKey }).writeMessage(HELLO);
  await refused(server().readMessage(misled), "unauthenticated");
});

Deno.test("a first message of one pattern is no first message of another", async () => {
  const nn = await client({ pattern: NNPSK0 }).writeMessage(HELLO);
  await refused(server().readMessage(nn), "unauthenticated");
  await refused(
    server({ pattern: NNPSK0 }).readMessage(await client().writeMessage(HELLO)),
    "unauthenticated",
  );
});

Deno.test("a first message that is replayed opens another session, whose keys only its maker can know", async () => {
  const a = client();
  const first = await a.writeMessage(HELLO);
  const [real, replayed] = [server(), server()];
  await real.readMessage(first);
  await replayed.readMessage(first);
  const [answer, other] = [await real.writeMessage(HELLO), await replayed.writeMessage(HELLO)];
  assert.notDeepEqual(real.result().receiveKey, replayed.result().receiveKey);
  assert.notDeepEqual(real.result().handshakeHash, replayed.result().handshakeHash);
  await a.readMessage(answer);
  assert.deepEqual(a.result().sendKey, real.result().receiveKey);
  // The answer to the replay means nothing to a client that is about to begin.
  const later = client();
  await later.writeMessage(HELLO);
  await refused(later.readMessage(other), "unauthenticated");
});

Deno.test("messages that are sent back, or the second in place of the first, are refused", async () => {
  const a = client();
  const first = await a.writeMessage(HELLO);
  await refused(a.readMessage(first), "unauthenticated");
  const b = server();
  await b.readMessage(first);
  await refused(server().readMessage(await b.writeMessage(HELLO)), "unauthenticated");
});

Deno.test("calls out of turn, at the same time, or after a failure are mistakes of the program", async () => {
  await assert.rejects(client().readMessage(HELLO), TypeError);
  await assert.rejects(server().writeMessage(HELLO), TypeError);
  const a = client();
  const [one, two] = await Promise.allSettled([a.writeMessage(HELLO), a.writeMessage(HELLO)]);
  assert.equal(one.status, "fulfilled");
  assert.ok(two.status === "rejected" && two.reason instanceof TypeError);
  assert.throws(() => a.result(), TypeError);
  const failed = server();
  await refused(failed.readMessage(new Uint8Array(64)), "unauthenticated");
  await assert.rejects(failed.readMessage(await client().writeMessage(HELLO)), TypeError);
  await assert.rejects(failed.writeMessage(HELLO), TypeError);
  assert.throws(() => failed.result(), TypeError);
});

Deno.test("HandshakeState wants just the keys that its pattern needs", () => {
  const short = new Uint8Array(31);
  const wrong: Changes[] = [{ psk: short }, { peer: short }, { own: SERVER }];
  for (const changes of wrong) assert.throws(() => client(changes), RangeError);
  assert.throws(() => server({ peer: SERVER.publicKey }), RangeError);
  assert.throws(() => client({ pattern: NNPSK0, peer: SERVER.publicKey }), RangeError);
  assert.throws(() => client({ pattern: patternNamed("NK") }), RangeError);
  const { psk: _, ...rest } = {
    pattern: NNPSK0,
    role: "initiator" as const,
    prologue: PSK,
    psk: PSK,
  };
  assert.throws(() => new HandshakeState(rest), RangeError);
});

Deno.test("a handshake message has at most 65,535 bytes", async () => {
  const most = new Uint8Array(65_535 - 32 - 16);
  const sent = await client().writeMessage(most);
  assert.equal(sent.length, 65_535);
  assert.equal((await server().readMessage(sent)).length, most.length);
  const more = new Uint8Array(most.length + 1);
  await refused(client().writeMessage(more), "too_large");
  await refused(server().readMessage(new Uint8Array(65_536)), "invalid_argument");
});

Deno.test("what is thrown at a stranger names no key and no secret", async () => {
  const first = await client().writeMessage(HELLO);
  const thrown = await server({ psk: new Uint8Array(32) }).readMessage(first).catch((e) => e);
  const text = Deno.inspect(thrown, { depth: 9 });
  for (const hidden of [PSK, SERVER.publicKey, first]) {
    assert.ok(!text.includes(hidden.toHex()) && !text.includes(hidden.toBase64().slice(0, 20)));
  }
});

function* damagedForms(message: Bytes): Iterable<Bytes> {
  for (let length = 0; length < message.length; length++) yield message.slice(0, length);
  yield new Uint8Array([...message, 0]);
  for (let bit = 0; bit < message.length * 8; bit++) {
    const copy = message.slice();
    copy[bit >> 3]! ^= 1 << (bit & 7);
    yield copy;
  }
}

async function refused(work: Promise<unknown>, ...kinds: ErrorKind[]): Promise<void> {
  await assert.rejects(work, (thrown) => {
    assert.ok(thrown instanceof CacheError, String(thrown));
    return kinds.some((kind) => isKind(thrown, kind));
  });
}
