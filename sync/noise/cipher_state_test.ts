import assert from "node:assert/strict";
import { createCipheriv } from "node:crypto";
import type { Bytes } from "../../core/digest.ts";
import { fromHex, toHex } from "../../core/digest.ts";
import { isKind } from "../../core/errors.ts";
import { CipherState } from "./cipher_state.ts";

const ZERO_KEY = new Uint8Array(32);
const NO_DATA = new Uint8Array(0);

Deno.test("encrypt() seals what NIST's test cases 13 and 14 of AES-256-GCM say", async () => {
  const nothing = await new CipherState(ZERO_KEY).encrypt(NO_DATA, NO_DATA);
  assert.equal(toHex(nothing), "530f8afbc74536b9a963b4f1c4cb738b");
  const block = await new CipherState(ZERO_KEY).encrypt(NO_DATA, new Uint8Array(16));
  assert.equal(toHex(block), "cea7403d4d606b6e074ec5d3baf39d18d0d1c8a799996bf0265b98b5d48ab919");
});

Deno.test("decrypt() refuses every bit that differs in ciphertext, tag and data", async () => {
  const data = new Uint8Array([1, 2, 3]);
  const sealed = await new CipherState(ZERO_KEY).encrypt(data, new Uint8Array(20));
  for (let bit = 0; bit < sealed.length * 8; bit++) {
    await refuses(data, flipped(sealed, bit), `bit ${bit}`);
  }
  for (let bit = 0; bit < data.length * 8; bit++) await refuses(flipped(data, bit), sealed, "data");
  await refuses(NO_DATA, sealed, "no data");
});

Deno.test("decrypt() refuses every shorter and longer message, and tags of all zeros or ones", async () => {
  const sealed = await new CipherState(ZERO_KEY).encrypt(NO_DATA, new Uint8Array(20));
  for (let length = 0; length < sealed.length; length++) {
    await refuses(NO_DATA, sealed.slice(0, length), `${length} bytes`);
  }
  await refuses(NO_DATA, new Uint8Array([...sealed, 0]), "one more");
  for (const byte of [0, 255]) {
    await refuses(NO_DATA, sealed.slice().fill(byte, -16), `tag of ${byte}`);
    await refuses(NO_DATA, new Uint8Array(16).fill(byte), `only a tag of ${byte}`);
  }
});

Deno.test("calls that are under way together take the numbers in the order of the calls", async () => {
  const [together, apart] = [new CipherState(ZERO_KEY), new CipherState(ZERO_KEY)];
  const plains = [70_000, 1, 30_000, 0, 5].map((length) => new Uint8Array(length).fill(length));
  const sealed = await Promise.all(plains.map((plain) => together.encrypt(NO_DATA, plain)));
  for (const [index, plain] of plains.entries()) {
    assert.deepEqual(sealed[index], await apart.encrypt(NO_DATA, plain));
  }
  assert.equal(together.nonce, 5);
});

Deno.test("rekey() takes the key that the specification says, from the next call on", async () => {
  const key = crypto.getRandomValues(new Uint8Array(32));
  const state = new CipherState(key, 7);
  const plain = new Uint8Array([9]);
  const before = state.encrypt(NO_DATA, plain);
  state.rekey();
  const after = state.encrypt(NO_DATA, plain);
  const last = fromHex("00000000ffffffffffffffff");
  const next = seal(key, last, new Uint8Array(32)).slice(0, 32);
  assert.deepEqual(await before, seal(key, fromHex("000000000000000000000007"), plain));
  assert.deepEqual(await after, seal(next, fromHex("000000000000000000000008"), plain));
});

Deno.test("encrypt() and decrypt() end with the last number that is exact, and use none twice", async () => {
  const sender = new CipherState(ZERO_KEY, Number.MAX_SAFE_INTEGER - 1);
  const receiver = new CipherState(ZERO_KEY, Number.MAX_SAFE_INTEGER - 1);
  const sealed = await sender.encrypt(NO_DATA, new Uint8Array(1));
  assert.deepEqual(await receiver.decrypt(NO_DATA, sealed), new Uint8Array(1));
  for (let again = 0; again < 2; again++) {
    await assert.rejects(sender.encrypt(NO_DATA, NO_DATA), (thrown) => isKind(thrown, "internal"));
    await assert.rejects(receiver.decrypt(NO_DATA, sealed), (thrown) => isKind(thrown, "internal"));
  }
});

async function refuses(data: Bytes, sealed: Bytes, what: string): Promise<void> {
  await assert.rejects(
    new CipherState(ZERO_KEY).decrypt(data, sealed),
    (thrown) => isKind(thrown, "corrupt"),
    what,
  );
}

function flipped(bytes: Bytes, bit: number): Bytes {
  const copy = bytes.slice();
  copy[bit >> 3]! ^= 1 << (bit & 7);
  return copy;
}

function seal(key: Bytes, iv: Bytes, plain: Bytes): Bytes {
  const cipher = createCipheriv("aes-256-gcm", key, iv);
  const body = cipher.update(plain);
  return new Uint8Array([...body, ...cipher.final(), ...cipher.getAuthTag()]);
}
