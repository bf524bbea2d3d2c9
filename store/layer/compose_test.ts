import assert from "node:assert/strict";
import { bytesSource } from "../../core/bytes.ts";
import { MemoryObjectStore } from "../memory.ts";
import { composeObjectStore, LAYER_ORDER } from "./compose.ts";
import { forwardStore, objectLayer } from "./layer.ts";
import type { LayerName } from "./layer.ts";

/** A layer that only notes that a call went through it. */
function noting(name: LayerName, seen: LayerName[] = []) {
  return objectLayer(name, (inner) =>
    forwardStore(inner, {
      put(key, source, options) {
        seen.push(name);
        return inner.put(key, source, options);
      },
    }));
}

const compose = (...names: LayerName[]) =>
  composeObjectStore(new MemoryObjectStore(), names.map((name) => noting(name)));

/** Every pair in the wrong order, but for `fault`, which may be outermost. */
const REFUSED = LAYER_ORDER.flatMap((inner, i) =>
  LAYER_ORDER.slice(i + 1).filter((outer) => outer !== "fault").map((outer) =>
    [outer, inner] as const
  )
);

Deno.test("composeObjectStore knows the order meter, read_only, retry, limit, timeout, prefix, fault", () => {
  assert.deepEqual(LAYER_ORDER, [
    "meter",
    "read_only",
    "retry",
    "limit",
    "timeout",
    "prefix",
    "fault",
  ]);
  assert.equal(REFUSED.length, 15);
});

for (const [outer, inner] of REFUSED) {
  Deno.test(`composeObjectStore refuses ${outer} outside of ${inner}`, () => {
    assert.throws(() => compose(outer, inner), {
      name: "TypeError",
      message: new RegExp(`"${outer}" is outside of "${inner}"`),
    });
    compose(inner, outer);
  });
}

for (const name of LAYER_ORDER.filter((name) => name !== "fault")) {
  Deno.test(`composeObjectStore refuses ${name} twice`, () => {
    assert.throws(() => compose(name, name), /is there twice/);
  });
  Deno.test(`composeObjectStore takes fault around and under ${name}, not between others`, () => {
    compose("fault", name, "fault");
    if (name !== "prefix") assert.throws(() => compose(name, "fault", "prefix"), TypeError);
  });
}

Deno.test("composeObjectStore refuses a pair that is not side by side", () => {
  assert.throws(() => compose("meter", "limit", "timeout", "retry"), TypeError);
  assert.throws(() => compose("retry", "limit", "retry"), TypeError);
});

Deno.test("composeObjectStore calls the layers outermost first, down to the backend", async () => {
  const seen: LayerName[] = [];
  const memory = new MemoryObjectStore();
  const store = composeObjectStore(memory, LAYER_ORDER.map((name) => noting(name, seen)));
  await store.put("a/00/x", bytesSource(new Uint8Array(1)));
  assert.deepEqual(seen, LAYER_ORDER);
  assert.equal((await memory.stat(["a/00/x"]))[0]?.size, 1);
});

Deno.test("composeObjectStore without layers is the backend itself", () => {
  const memory = new MemoryObjectStore();
  assert.equal(composeObjectStore(memory, []), memory);
});
