import assert from "node:assert/strict";
import fc from "fast-check";
import { inspect } from "node:util";
import { formatToken, parseToken, Secret } from "./token.ts";
import { issueToken, secretHash, sessionPsk } from "./token.ts";
import { equalBytes } from "../core/bytes.ts";

const bytes32 = fc.uint8Array({ minLength: 32, maxLength: 32 }).map((bytes) =>
  new Uint8Array(bytes)
);
const id16 = fc.uint8Array({ minLength: 8, maxLength: 8 }).map((bytes) => bytes.toHex());

Deno.test("parseToken() reads what formatToken() wrote, for all ids, keys and secrets", () => {
  fc.assert(fc.property(id16, bytes32, bytes32, (id, serverKey, secret) => {
    const text = formatToken({ id, serverKey, secret: new Secret(secret) });
    assert.equal(text.length, 108);
    const token = parseToken(text);
    assert.ok(token?.type === "issued");
    assert.equal(token.id, id);
    assert.ok(equalBytes(token.serverKey, serverKey));
    assert.ok(equalBytes(token.secret.reveal(), secret));
  }));
});

Deno.test("parseToken() reads by position keys that are full of underscores and dashes", () => {
  const underscores = new Uint8Array(32).fill(255);
  const dashes = Uint8Array.fromHex("fbefbe".repeat(10) + "fbef");
  const text = formatToken({
    id: "0".repeat(16),
    serverKey: underscores,
    secret: new Secret(dashes),
  });
  assert.match(text, /^vrc_0{16}_____+8_-+8$/);
  const token = parseToken(text);
  assert.ok(token?.type === "issued");
  assert.deepEqual(token.serverKey, underscores);
  assert.deepEqual(token.secret.reveal(), dashes);
});

Deno.test("parseToken() never takes a tampered token for the same one", () => {
  fc.assert(
    fc.property(
      id16,
      bytes32,
      bytes32,
      fc.nat(107),
      fc.string({ minLength: 1, maxLength: 1 }),
      (id, serverKey, secret, at, digit) => {
        const text = formatToken({ id, serverKey, secret: new Secret(secret) });
        const changed = text.slice(0, at) + digit + text.slice(at + 1);
        fc.pre(changed !== text);
        const token = parseToken(changed);
        // Read again or refused, but never as the same three parts: one text a token.
        if (token?.type === "issued") assert.notEqual(formatToken(token), text);
        if (token?.type === "issued") assert.equal(formatToken(token), changed);
      },
    ),
    { numRuns: 500 },
  );
});

Deno.test("parseToken() refuses damaged issued tokens and takes none of them for brought ones", () => {
  const { text } = issueToken(new Uint8Array(32));
  const good = text.reveal();
  for (
    const bad of [
      good.slice(0, -1),
      good + "A",
      good.replace(/_[0-9a-f]{16}_/, "_ABCDEF0123456789_"),
      good.replace("_", "-").replace("vrc-", "vrc_-"),
      good.slice(0, 20) + "-" + good.slice(21),
      "vrc_",
      good.slice(0, -1) + "B",
      good.slice(0, 63) + "B" + good.slice(64),
    ]
  ) assert.equal(parseToken(bad), undefined, bad.replace(/.{60}$/, "…"));
});

Deno.test("parseToken() takes brought tokens of 32 visible characters, not of 31", () => {
  assert.equal(parseToken("x".repeat(31)), undefined);
  const token = parseToken("x".repeat(32));
  assert.equal(token?.type, "brought");
  // printf 'x%.0s' $(seq 32) | sha256sum
  const expected = new Uint8Array(secretHash(new Secret(new TextEncoder().encode("x".repeat(32)))));
  assert.equal(token?.id, expected.toHex().slice(0, 16));
  for (
    const bad of ["é".repeat(32), "x ".repeat(20), "x".repeat(32) + "\n", "x".repeat(4097), ""]
  ) {
    assert.equal(parseToken(bad), undefined);
  }
});

Deno.test("Secret shows stars in templates, JSON, logs and concatenations", () => {
  const secret = new Secret("hush-hush");
  const shown = [
    `${secret}`,
    "" + secret,
    String(secret),
    JSON.stringify({ secret }),
    Deno.inspect({ secret }),
    inspect({ secret }, { depth: 9, showHidden: true }),
    JSON.stringify(parseToken("hush-hush".repeat(4))),
    Deno.inspect(parseToken("hush-hush".repeat(4)), { depth: 9, showHidden: true }),
  ];
  for (const text of shown) {
    assert.ok(text.includes("***"), text);
    assert.ok(!text.includes("hush"), text);
    assert.ok(!text.includes("104,"), text);
  }
  assert.equal(secret.reveal(), "hush-hush");
});

Deno.test("sessionPsk() and secretHash() are fixed functions of the secret", () => {
  const secret = new Secret(new Uint8Array(32));
  assert.equal(
    secretHash(secret).toHex(),
    "66687aadf862bd776c8fc18b8e9f8e20089714856ee233b3902a591d0d5f2925",
  );
  // openssl kdf -keylen 32 -kdfopt digest:SHA256 -kdfopt hexkey:00…00 -kdfopt 'info:vitte session psk v1' HKDF
  assert.equal(
    sessionPsk(secret).toHex(),
    "df991c47fac4aea9e3304f6057d813a6b8d8f40197ad887af1b45195cd28649d",
  );
});
