import assert from "node:assert/strict";
import { HOT_ANSWERS, HOT_ANSWERS_BYTES, HOT_BODY_BYTES } from "../core/limits.ts";
import type { ReadyAnswer } from "./ready_answers.ts";
import { ReadyAnswers } from "./ready_answers.ts";
import { ADAPTERS } from "./adapters/adapter_list.ts";

function answer(bytes: number): ReadyAnswer {
  return {
    response: new Response(null),
    bytes,
    route: ADAPTERS[0]!.routes[0]!,
    namespace: "default",
    scopes: ["main"],
    tally: { received: 0, sent: bytes, digest: undefined, lookup: true, cost: 0 },
    agent: null,
    by: undefined,
    holds: () => true,
  };
}

Deno.test("ReadyAnswers keeps no more bytes and no more answers than it may, the oldest go", () => {
  const ready = new ReadyAnswers();
  const url = (n: number) => `http://x/${n}`;
  const kept = (method: string, most: number) =>
    Array.from({ length: most }, (_, n) => ready.find(method, url(n))).filter((one) => one);
  const many = HOT_ANSWERS_BYTES / HOT_BODY_BYTES * 2;
  for (let n = 0; n < many; n++) ready.keep("GET", url(n), answer(HOT_BODY_BYTES));
  assert.equal(kept("GET", many).length, HOT_ANSWERS_BYTES / HOT_BODY_BYTES);
  assert.ok(ready.find("GET", url(many - 1)) && !ready.find("GET", url(0)));
  for (let n = 0; n < HOT_ANSWERS * 2; n++) ready.keep("HEAD", url(n), answer(0));
  assert.equal(kept("HEAD", HOT_ANSWERS * 2).length, HOT_ANSWERS);
  // What is replaced or dropped counts no more.
  for (let n = 0; n < many; n++) ready.keep("GET", url(0), answer(HOT_BODY_BYTES));
  for (let n = 0; n < many; n++) ready.drop("GET", url(n));
  ready.keep("GET", url(0), answer(HOT_ANSWERS_BYTES - 1));
  ready.keep("GET", url(1), answer(1));
  assert.equal(kept("GET", many).length, 2);
  assert.equal(ready.find("PUT", url(0)), undefined);
});
