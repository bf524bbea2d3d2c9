import assert from "node:assert/strict";
import { LOW_ORDER_KEYS } from "../test/helpers/low_order.ts";
import { fromHex, toHex } from "./digest.ts";
import { agreementKeyOf, newAgreementKey } from "./x25519.ts";

Deno.test("agree() gives what RFC 7748 says, also for a key with the bit that is not looked at", () => {
  // Section 5.2, both vectors; the second one's public key has the top bit set.
  for (
    const [own, peer, shared] of [
      [
        "a546e36bf0527c9d3b16154b82465edd62144c0ac1fc5a18506a2244ba449ac4",
        "e6db6867583030db3594c1a424b15f7c726624ec26b3353b10a903a6d0ab1c4c",
        "c3da55379de9c6908e94ea4df28d084f32eccf03491c71f754b4075577a28552",
      ],
      [
        "4b66e9d4d1b4673c5ad22691957d6af5c11b6421e0ea01d42ca4169e7918ba0d",
        "e5210f12786811d3f4b7959d0538ae2c31dbe7106fc03c3efc4cd549c715a493",
        "95cbde9476e8907d7aade45cb4b873f88b595a68799fa152e6f8f7647aac7957",
      ],
    ] as const
  ) assert.equal(toHex(agreementKeyOf(fromHex(own)).agree(fromHex(peer))!), shared);
});

Deno.test("two new keys agree on the same bytes, and no two pairs on equal ones", () => {
  const [alice, bob, carol] = [newAgreementKey(), newAgreementKey(), newAgreementKey()];
  const shared = alice.agree(bob.publicKey);
  assert.equal(shared?.length, 32);
  assert.deepEqual(shared, bob.agree(alice.publicKey));
  assert.notDeepEqual(shared, carol.agree(alice.publicKey));
});

Deno.test("agree() gives nothing with any public key of low order", () => {
  for (const low of LOW_ORDER_KEYS) {
    assert.equal(newAgreementKey().agree(fromHex(low)), undefined, low);
  }
});

Deno.test("keys of another length than 32 bytes are a mistake of the program", () => {
  for (const length of [0, 31, 33]) {
    assert.throws(() => agreementKeyOf(new Uint8Array(length)), RangeError);
    assert.throws(() => newAgreementKey().agree(new Uint8Array(length)), RangeError);
  }
});
