import assert from "node:assert/strict";
import { ERROR_KINDS } from "../protocol/problem.ts";
import { cleanReason, closeCode, closeError } from "./transport_errors.ts";

Deno.test("every kind of failure has a close code of its own, and is read back from it", () => {
  const codes = ERROR_KINDS.map(closeCode);
  assert.equal(new Set(codes).size, ERROR_KINDS.length);
  for (const kind of ERROR_KINDS) {
    // A WebSocket lets a program send 1000, and 3000 to 4999.
    assert.ok(closeCode(kind) >= 4000 && closeCode(kind) <= 4999);
    assert.equal(closeError(closeCode(kind), "")?.kind, kind);
  }
});

Deno.test("closeError() takes 1000 for an end in order, and what it does not know for a break", () => {
  assert.equal(closeError(1000, "done"), undefined);
  assert.equal(closeError(1009, "")?.kind, "too_large");
  for (const code of [0, 1001, 1005, 1006, 1012, 4000, 4999]) {
    assert.equal(closeError(code, "")?.kind, "unavailable", `${code}`);
  }
});

Deno.test("cleanReason() lets through no control character and at most 123 characters", () => {
  assert.equal(cleanReason("a\x1b[31m\nü"), "a?[31m??");
  assert.equal(cleanReason("x".repeat(1000)).length, 123);
});
