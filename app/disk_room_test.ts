import assert from "node:assert/strict";
import { listFiles, tempDir } from "../test/helpers/temp.ts";
import { diskFacts, reserveBytes, roomLimit } from "./disk_room.ts";

const GIB = 1024 ** 3;

Deno.test("roomLimit chooses four fifths of what is free, once, and keeps to it", async () => {
  await using dir = await tempDir();
  const { free } = diskFacts(dir.path);
  const chosen = await roomLimit(dir.path, undefined);
  assert.equal(chosen.reserve, true);
  const off = Math.abs(chosen.maxSize! - free * 0.8);
  assert.ok(off < GIB, `chose ${chosen.maxSize} of ${free}`);
  assert.equal(await Deno.readTextFile(dir.join("max-size")), `${chosen.maxSize}\n`);
  await Deno.writeTextFile(dir.join("max-size"), "123456789\n");
  assert.deepEqual(await roomLimit(dir.path, undefined), { maxSize: 123456789, reserve: true });
});

Deno.test("roomLimit takes what is asked for, and leaves the choice as it was", async () => {
  await using dir = await tempDir();
  assert.deepEqual(await roomLimit(dir.path, "none"), { maxSize: undefined, reserve: false });
  assert.deepEqual(await roomLimit(dir.path, 7), { maxSize: 7, reserve: true });
  assert.deepEqual(await listFiles(dir.path), []);
  await Deno.writeTextFile(dir.join("max-size"), "99");
  assert.deepEqual(await roomLimit(dir.path, 7), { maxSize: 7, reserve: true });
  assert.deepEqual(await roomLimit(dir.path, undefined), { maxSize: 99, reserve: true });
});

Deno.test("roomLimit chooses anew where the kept choice can not be one", async () => {
  await using dir = await tempDir();
  for (const kept of ["", "none", "0", "-5", "1e400", "12 GiB", "0.5"]) {
    await Deno.writeTextFile(dir.join("max-size"), kept);
    const { maxSize } = await roomLimit(dir.path, undefined);
    assert.ok(Number.isSafeInteger(maxSize) && maxSize! >= 64 * 1024 ** 2, `${kept}: ${maxSize}`);
    assert.equal(await Deno.readTextFile(dir.join("max-size")), `${maxSize}\n`);
  }
});

Deno.test("diskFacts and reserveBytes: a twentieth of the disk stays free, at least 1 GiB", async () => {
  await using dir = await tempDir();
  const facts = diskFacts(dir.path);
  assert.ok(facts.free > 0 && facts.total >= facts.free, JSON.stringify(facts));
  assert.equal(reserveBytes({ free: 0, total: 100 * GIB }), 5 * GIB);
  assert.equal(reserveBytes({ free: 0, total: 10 * GIB }), GIB);
});
