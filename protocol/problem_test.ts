import assert from "node:assert/strict";
import { CacheError } from "../core/errors.ts";
import { ERROR_KINDS, missText, problemError, problemOf, retryAfter, statusOf } from "./problem.ts";

const golden = new URL("../test/golden/http_problems.json", import.meta.url);

Deno.test("problemOf writes what the golden file has", () => {
  const problems = ERROR_KINDS.map((kind) => {
    const error = new CacheError(kind, `Cannot do it: ${kind}`, { hint: "do something else" });
    return { ...problemOf(error, "0123abcd-1"), retry_after: retryAfter(error) ?? null };
  });
  const text = JSON.stringify(problems, null, 2) + "\n";
  if (Deno.env.get("UPDATE_GOLDEN") === "1") Deno.writeTextFileSync(golden, text);
  assert.equal(text, Deno.readTextFileSync(golden));
});

Deno.test("missText writes what problemOf says of a miss, whatever the name", () => {
  for (const name of ["a", 'b"c', "\n\\", "ü\u2028", "\ud800"]) {
    const error = new CacheError("not_found", `Cannot find entry "${name}"`);
    assert.equal(missText(error.message, 'id"1'), JSON.stringify(problemOf(error, 'id"1')));
  }
});

Deno.test("problemError reads back the kind, whatever else changed", () => {
  for (const kind of ERROR_KINDS) {
    const error = new CacheError(kind, "Cannot do it", { hint: "hint" });
    const body = JSON.parse(JSON.stringify({ ...problemOf(error, "id-1"), later: [1] }));
    const back = problemError({ status: statusOf(error), body, operation: "client.get" });
    assert.equal(back.kind, kind);
    assert.equal(back.hint, "hint");
    assert.equal(back.retry, error.retry);
    assert.equal(back.operation, "client.get");
    assert.equal(back.context.request_id, "id-1");
  }
});

Deno.test("problemError goes by the status where no problem came, as from a proxy", () => {
  const wanted = [
    [400, "invalid_argument"],
    [401, "unauthenticated"],
    [403, "permission_denied"],
    [404, "not_found"],
    [405, "unsupported"],
    [408, "timeout"],
    [413, "too_large"],
    [415, "unsupported"],
    [418, "invalid_argument"],
    [429, "rate_limited"],
    [500, "internal"],
    [502, "unavailable"],
    [503, "unavailable"],
    [507, "quota_exceeded"],
    [599, "internal"],
  ] as const;
  for (const [status, kind] of wanted) {
    for (const body of [undefined, null, "<html>", {}, { kind: "nonsense", detail: "x" }]) {
      assert.equal(problemError({ status, body }).kind, kind, `${status}`);
    }
  }
});

Deno.test("statusOf takes an error's own status, but only a real error status", () => {
  const at = (status: number) => statusOf(new CacheError("timeout", "x", { context: { status } }));
  assert.deepEqual([at(408), at(200), at(99), at(600)], [408, 504, 504, 504]);
});
