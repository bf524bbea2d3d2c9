import assert from "node:assert/strict";
import { CacheError } from "./errors.ts";
import type { ErrorKind } from "./errors.ts";
import { troubleOf } from "./trouble.ts";

Deno.test("troubleOf() knows illnesses and tokens that ended, and never a refusal", () => {
  const wanted: [ErrorKind, string | undefined, string | undefined][] = [
    ["quota_exceeded", undefined, "quota_exceeded"],
    ["corrupt", undefined, "corrupt"],
    ["unauthenticated", "expired", "token_expired"],
    ["unauthenticated", "revoked", "token_revoked"],
    ["permission_denied", "read_only", "token_read_only"],
    ["unauthenticated", undefined, undefined],
    ["unauthenticated", "unknown", undefined],
    ["permission_denied", undefined, undefined],
    ["invalid_argument", undefined, undefined],
    ["not_found", undefined, undefined],
    ["conflict", undefined, undefined],
    ["cancelled", undefined, undefined],
  ];
  for (const [kind, state, trouble] of wanted) {
    const context = state === undefined ? {} : { token_state: state };
    assert.equal(troubleOf(new CacheError(kind, "Cannot", { context })), trouble, kind);
  }
});
