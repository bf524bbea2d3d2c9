import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { fromHex, toHex } from "../core/digest.ts";
import { hmacSha256 } from "./hmac.ts";

const text = (value: string) => new TextEncoder().encode(value);

Deno.test("hmacSha256() reproduces RFC 4231, case 2", () => {
  const mac = hmacSha256(text("Jefe"), text("what do ya want "), text("for nothing?"));
  assert.equal(toHex(mac), "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
});

Deno.test("hmacSha256() hashes a key longer than a block, RFC 4231, case 6", () => {
  const key = fromHex("aa".repeat(131));
  const mac = hmacSha256(key, text("Test Using Larger Than Block-Size Key - Hash Key First"));
  assert.equal(toHex(mac), "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
});

Deno.test("hmacSha256() equals node:crypto for every length of key around a block", () => {
  for (const length of [0, 1, 31, 32, 63, 64, 65, 100]) {
    const key = crypto.getRandomValues(new Uint8Array(length));
    const want = createHmac("sha256", key).update("message").digest("hex");
    assert.equal(toHex(hmacSha256(key, text("message"))), want);
  }
});

Deno.test("hmacSha256() equals node:crypto for messages on both sides of each limit", () => {
  const key = crypto.getRandomValues(new Uint8Array(32));
  for (const length of [0, 1, 54, 55, 56, 63, 64, 65, 255, 256, 257, 320, 2047, 2048, 2049, 5000]) {
    const message = crypto.getRandomValues(new Uint8Array(length));
    const want = createHmac("sha256", key).update(message).digest("hex");
    assert.equal(toHex(hmacSha256(key, message)), want, `${length} bytes`);
    const halves = [message.subarray(0, length >> 1), message.subarray(length >> 1)];
    assert.equal(toHex(hmacSha256(key, ...halves)), want, `${length} bytes in halves`);
  }
});
