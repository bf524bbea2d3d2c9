import assert from "node:assert/strict";
import { collect } from "../core/bytes.ts";
import { digestOf } from "../core/digest.ts";
import { isKind } from "../core/errors.ts";
import { assertNoLeaks } from "../test/helpers/leaks.ts";
import { noise } from "../test/suites/blob_store_asks.ts";
import { tempDir } from "../test/helpers/temp.ts";
import { fileSource } from "./file_source.ts";

Deno.test("fileSource gives size and bytes of a file, again and again", async () => {
  await using dir = await tempDir();
  for (const size of [0, 1, 262_144, 700_001]) {
    const bytes = noise(size);
    await Deno.writeFile(dir.join("f"), bytes);
    const source = await fileSource(dir.join("f"));
    assert.deepEqual([source.size, source.replayable], [size, true]);
    for (let time = 0; time < 2; time++) {
      assert.equal(digestOf(await collect(source.open(), size)), digestOf(bytes));
    }
  }
});

Deno.test("fileSource refuses what is no plain file, with its path", async () => {
  await using dir = await tempDir();
  await Deno.writeTextFile(dir.join("f"), "");
  const cases = [[dir.join("no"), "no such file"], [dir.join("f", "x"), "no such file"], [
    dir.path,
    "not a plain file",
  ]] as const;
  for (const [path, why] of cases) {
    await assert.rejects(
      fileSource(path),
      (error) =>
        isKind(error, "invalid_argument") && error.message.includes(`"${path}"`) &&
        error.message.includes(why),
    );
  }
});

Deno.test("fileSource leaves no file open, however its stream ends", async () => {
  await using dir = await tempDir();
  await Deno.writeFile(dir.join("f"), noise(600_000));
  const source = await fileSource(dir.join("f"));
  await assertNoLeaks(async () => {
    await source.open().cancel();
    const first = source.open().getReader();
    assert.equal((await first.read()).value?.length, 262_144);
    await first.cancel();
    const opening = source.open().getReader();
    const pending = opening.read();
    await opening.cancel();
    assert.equal((await pending).done, true);
    const reading = source.open().getReader();
    await reading.read();
    const next = reading.read();
    await reading.cancel();
    assert.equal((await next).done, true);
  });
  await Deno.remove(dir.join("f"));
  await assert.rejects(
    collect(source.open(), 600_000),
    (error) => isKind(error, "invalid_argument") && error.message.includes("no such file"),
  );
});
