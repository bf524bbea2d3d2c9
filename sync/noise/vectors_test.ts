/** The vectors of cacophony: ciphertexts and handshake hash to the byte. */
import assert from "node:assert/strict";
import type { Bytes } from "../../core/digest.ts";
import { agreementKeyOf } from "../../core/x25519.ts";
import { patternNamed } from "../../test/helpers/noise_patterns.ts";
import { CipherState } from "./cipher_state.ts";
import type { HandshakeOptions } from "./handshake_state.ts";
import { HandshakeState } from "./handshake_state.ts";
import { NKPSK0, NNPSK0 } from "./patterns.ts";

interface Vector {
  protocol_name: string;
  handshake_hash: string;
  messages: { payload: string; ciphertext: string }[];
  [side: string]: unknown;
}

const FILE = new URL("../../test/data/noise_25519_AESGCM_SHA256.json", import.meta.url);
const VECTORS: Vector[] = JSON.parse(Deno.readTextFileSync(FILE)).vectors;
const NO_DATA = new Uint8Array(0);

Deno.test("a handshake makes, to the byte, what each of cacophony's vectors says", async (t) => {
  assert.equal(VECTORS.length, 59);
  for (const vector of VECTORS) {
    await t.step(vector.protocol_name, () => run(vector));
  }
});

Deno.test("the patterns in use are those of the specification, and have vectors", () => {
  for (const pattern of [NKPSK0, NNPSK0]) {
    assert.deepEqual(pattern, patternNamed(pattern.name));
    const name = `Noise_${pattern.name}_25519_AESGCM_SHA256`;
    assert.ok(VECTORS.some((vector) => vector.protocol_name === name), name);
  }
});

async function run(vector: Vector): Promise<void> {
  const sides = [side(vector, "init"), side(vector, "resp")] as const;
  const oneWay = sides[0].pattern.messages.length === 1;
  const states = sides.map((options) => new HandshakeState(options));
  let ciphers: CipherState[][] | undefined;
  for (const [index, { payload, ciphertext }] of vector.messages.entries()) {
    const from = oneWay ? 0 : index % 2;
    const plain = fromHex(payload);
    const [writer, reader] = [states[from]!, states[1 - from]!];
    if (!writer.finished) {
      const sent = await writer.writeMessage(plain);
      assert.equal(sent.toHex(), ciphertext, `message ${index}`);
      assert.deepEqual(await reader.readMessage(sent), plain);
      continue;
    }
    ciphers ??= states.map((state) => {
      const { handshakeHash, sendKey, receiveKey } = state.result();
      assert.equal(handshakeHash.toHex(), vector.handshake_hash);
      return [new CipherState(sendKey), new CipherState(receiveKey)];
    });
    const sent = await ciphers[from]![0]!.encrypt(NO_DATA, plain);
    assert.equal(sent.toHex(), ciphertext, `message ${index}`);
    assert.deepEqual(await ciphers[1 - from]![1]!.decrypt(NO_DATA, sent), plain);
  }
  assert.ok(ciphers, "the vector has messages behind the handshake");
  assert.deepEqual(states[1]!.peerStatic?.toHex(), keyOf(vector, "init_static"));
  assert.deepEqual(states[0]!.peerStatic?.toHex(), keyOf(vector, "resp_static"));
}

function side(vector: Vector, who: "init" | "resp"): HandshakeOptions {
  const field = (name: string) => vector[`${who}_${name}`] as string | undefined;
  const ephemeral = field("ephemeral");
  const [psk] = (vector[`${who}_psks`] ?? []) as string[];
  return {
    pattern: patternNamed(vector.protocol_name.split("_")[1]!),
    role: who === "init" ? "initiator" : "responder",
    prologue: fromHex(field("prologue")!),
    ...(psk ? { psk: fromHex(psk) } : {}),
    ...(field("static") ? { own: agreementKeyOf(fromHex(field("static")!)) } : {}),
    ...(field("remote_static") ? { peer: fromHex(field("remote_static")!) } : {}),
    ...(ephemeral ? { ephemeral: () => agreementKeyOf(fromHex(ephemeral)) } : {}),
  };
}

function keyOf(vector: Vector, field: string): string | undefined {
  const privateKey = vector[field] as string | undefined;
  return privateKey && agreementKeyOf(fromHex(privateKey)).publicKey.toHex();
}

function fromHex(hex: string): Bytes {
  return Uint8Array.fromHex(hex) as Bytes;
}
