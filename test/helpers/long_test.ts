import assert from "node:assert/strict";
import { everyNth, LONG, longOr } from "./long.ts";

Deno.test("everyNth() has both ends and, in the short form, every nth between", () => {
  const items = Array.from({ length: 10 }, (_, at) => at);
  assert.deepEqual(everyNth(items, 4), LONG ? items : [0, 4, 8, 9]);
  assert.deepEqual(everyNth([], 4), []);
});

Deno.test("longOr() follows the environment", () => {
  assert.equal(longOr("long", "short"), Deno.env.get("VITTE_LONG") === "1" ? "long" : "short");
});
