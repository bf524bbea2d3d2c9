import assert from "node:assert/strict";
import { TROUBLES } from "../core/trouble.ts";
import { maskedHint, maskedParts } from "./masked.ts";
import type { Stats } from "./opened.ts";

const TOTALS = {
  entries: 0,
  blobs: 0,
  chunks: 0,
  logical_bytes: 0,
  stored_bytes: 0,
  hits: 0,
  misses: 0,
};

Deno.test("maskedParts() has a part for each tool, and none where nothing was hidden", () => {
  const stats: Stats = {
    ...TOTALS,
    masked: { nx: { quota_exceeded: 3, timeout: 1 }, gradle: { token_expired: 2 } },
  };
  assert.deepEqual(maskedParts(stats), [
    "nx: quota_exceeded 3, timeout 1",
    "gradle: token_expired 2",
  ]);
  for (const nothing of [TOTALS, { ...TOTALS, masked: {} }]) {
    assert.deepEqual(maskedParts(nothing), []);
    assert.equal(maskedHint(nothing), undefined);
  }
});

Deno.test("maskedHint() says what to do about every trouble, the most pressing first", () => {
  for (const trouble of TROUBLES) {
    const hint = maskedHint({ ...TOTALS, masked: { nx: { [trouble]: 1 } } });
    assert.ok(hint, trouble);
  }
  const both = { rush: { token_expired: 9 }, nx: { quota_exceeded: 1 } };
  assert.match(maskedHint({ ...TOTALS, masked: both }) ?? "", /no room/);
});
