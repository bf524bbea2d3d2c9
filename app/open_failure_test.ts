import assert from "node:assert/strict";
import { CacheError } from "../core/errors.ts";
import { explainOpening } from "./open_failure.ts";

const failed = new CacheError("unavailable", "Cannot open the tokens: disk I/O error");

Deno.test("explainOpening says that the disk is full, and how much is wanted", () => {
  const error = explainOpening(failed, "/store", () => 4096);
  assert.equal(error.kind, "quota_exceeded");
  assert.equal(error.message, "Cannot open the tokens: disk I/O error; the disk is full");
  assert.match(error.hint!, /^4096 bytes are free where "\/store" is: free 1048576 at least/);
  assert.equal(error.cause, failed);
});

Deno.test("explainOpening speaks of backups where there is room, and where it is not known", () => {
  for (const free of [1024 * 1024, undefined]) {
    const error = explainOpening(failed, "/store", () => free);
    assert.deepEqual([error.kind, error.message], ["unavailable", failed.message]);
    assert.match(error.hint!, /restore what is named from a backup/);
  }
  assert.match(explainOpening(failed, "/no/such/folder").hint!, /backup/);
});

Deno.test("explainOpening blames no full disk for damage, and leaves a hint as it is", () => {
  const damage = new CacheError("corrupt", "Cannot open the key: it has 3 bytes, want 32");
  assert.match(explainOpening(damage, "/store", () => 0).hint!, /backup/);
  const hinted = new CacheError("conflict", "Cannot open: in use", { hint: "stop the other" });
  assert.equal(explainOpening(hinted, "/store", () => 0), hinted);
});
