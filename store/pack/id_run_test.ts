import assert from "node:assert/strict";
import { IdRun } from "./id_run.ts";

Deno.test("IdRun: hands out every id in its order, however many there are", () => {
  for (const count of [0, 1, 8, 9, 1000]) {
    const run = new IdRun();
    const id = new Uint8Array(32);
    const number = new DataView(id.buffer);
    for (let n = 0; n < count; n++) {
      number.setUint32(28, n);
      run.add(id);
    }
    number.setUint32(28, 2 ** 31);
    const seen: number[] = [];
    run.each((one) => seen.push(new DataView(one.buffer, one.byteOffset, 32).getUint32(28)));
    assert.deepEqual(seen, Array.from({ length: count }, (_, n) => n));
  }
});
