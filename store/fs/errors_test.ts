import assert from "node:assert/strict";
import { CacheError } from "../../core/errors.ts";
import type { ErrorKind, Retry } from "../../core/errors.ts";
import { codeOf, fsCall, translateFsError } from "./errors.ts";

const TABLE: [code: string, kind: ErrorKind, retry: Retry][] = [
  ["ENOSPC", "quota_exceeded", "permanent"],
  ["EDQUOT", "quota_exceeded", "permanent"],
  ["EFBIG", "too_large", "permanent"],
  ["EMFILE", "unavailable", "temporary"],
  ["ENFILE", "unavailable", "temporary"],
  ["EIO", "unavailable", "temporary"],
  ["ESTALE", "unavailable", "temporary"],
  ["EACCES", "permission_denied", "permanent"],
  ["EROFS", "permission_denied", "permanent"],
  ["ENOTDIR", "internal", "permanent"],
  ["EWHATEVER", "internal", "permanent"],
];

for (const [code, kind, retry] of TABLE) {
  Deno.test(`translateFsError makes ${code} a ${retry} ${kind}`, () => {
    const thrown = Object.assign(new Error("text that must not matter: ENOSPC"), { code });
    const error = translateFsError(thrown, { verb: "write", what: `object "a/00/b"` });
    assert.equal(error.kind, kind);
    assert.equal(error.retry, retry);
    assert.equal(error.cause, thrown);
    assert.match(error.message, /^Cannot write object "a\/00\/b": /);
    assert.equal(error.context.code, code);
  });
}

Deno.test("translateFsError hands on a CacheError unchanged", () => {
  const error = new CacheError("conflict", "own");
  assert.equal(translateFsError(error, { verb: "read", what: "x" }), error);
});

Deno.test("codeOf knows the code of a real error and nothing of other values", async () => {
  const thrown = await Deno.open("/no/such/file").catch((error) => error);
  assert.equal(codeOf(thrown), "ENOENT");
  assert.equal(codeOf("ENOENT"), undefined);
  assert.equal(codeOf(new Error("ENOENT")), undefined);
});

Deno.test("fsCall says what was tried when a real full device refuses bytes", async () => {
  const call = fsCall(
    { verb: "write", what: "/dev/full" },
    Deno.writeFile("/dev/full", new Uint8Array(8)),
  );
  await assert.rejects(call, (error: CacheError) => {
    assert.equal(error.kind, "quota_exceeded");
    assert.equal(error.message, "Cannot write /dev/full: the disk is full");
    return true;
  });
});
