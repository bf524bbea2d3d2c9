import assert from "node:assert/strict";
import { read, transportSuite } from "../test/suites/transport.ts";
import { memoryTransports } from "./transport_memory.ts";

transportSuite("memory transport", () => Promise.resolve({ ends: memoryTransports() }), {
  holdsBack: true,
});

Deno.test("memory transports share no memory: what arrived does not change any more", async () => {
  const [a, b] = memoryTransports();
  const frame = new Uint8Array([1, 2, 3]);
  await a.send(frame);
  frame.fill(9);
  assert.deepEqual(await read(b, 1), [new Uint8Array([1, 2, 3])]);
});
