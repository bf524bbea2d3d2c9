import assert from "node:assert/strict";
import { isKind } from "../core/errors.ts";
import { listFiles, tempDir } from "../test/helpers/temp.ts";
import { ensureStoreFolder } from "./store_format.ts";

const FIRST_LINE = "vitte-remote-cache store, format 1";

Deno.test("ensureStoreFolder makes a private folder with a FORMAT file, once", async () => {
  await using dir = await tempDir();
  const path = dir.join("a", "b");
  assert.deepEqual(await ensureStoreFolder(path), { created: true });
  assert.equal((await Deno.stat(path)).mode! & 0o777, 0o700);
  const text = await Deno.readTextFile(`${path}/FORMAT`);
  assert.equal(text.split("\n")[0], FIRST_LINE);
  assert.deepEqual(await listFiles(path), ["FORMAT"]);
  assert.deepEqual(await ensureStoreFolder(path), { created: false });
  assert.equal(await Deno.readTextFile(`${path}/FORMAT`), text);
});

Deno.test("ensureStoreFolder goes on where a start was cut off before FORMAT had its name", async () => {
  await using dir = await tempDir();
  await Deno.writeTextFile(dir.join("FORMAT.new"), "vitte-rem");
  assert.deepEqual(await ensureStoreFolder(dir.path), { created: true });
  assert.deepEqual(await listFiles(dir.path), ["FORMAT"]);
});

Deno.test("ensureStoreFolder refuses another format, older or newer, and leaves it as it is", async () => {
  await using dir = await tempDir();
  for (const version of [0, 2, 99, 4294967297]) {
    await Deno.writeTextFile(dir.join("FORMAT"), `vitte-remote-cache store, format ${version}\n`);
    await assert.rejects(
      ensureStoreFolder(dir.path),
      (error) =>
        isKind(error, "unsupported") && error.message.includes(`it has format ${version}, want 1`),
    );
    assert.deepEqual(await listFiles(dir.path), ["FORMAT"]);
  }
});

Deno.test("ensureStoreFolder takes a damaged FORMAT file for no format at all", async () => {
  await using dir = await tempDir();
  const texts = [
    "",
    "\n",
    ` ${FIRST_LINE}\n`,
    `${FIRST_LINE}x\n`,
    "vitte-remote-cache store, format -1\n",
    "vitte-remote-cache store, format 1.5\n",
    "vitte-remote-cache store, format \n",
    "\0".repeat(40),
    `other\n${FIRST_LINE}\n`,
  ];
  for (const text of texts) {
    await Deno.writeTextFile(dir.join("FORMAT"), text);
    await assert.rejects(
      ensureStoreFolder(dir.path),
      (error) => isKind(error, "corrupt") && error.hint!.endsWith(FIRST_LINE),
      JSON.stringify(text),
    );
    assert.equal(await Deno.readTextFile(dir.join("FORMAT")), text);
  }
});

Deno.test("ensureStoreFolder refuses a folder that holds something else, and names it", async () => {
  await using dir = await tempDir();
  await Deno.writeTextFile(dir.join("thesis.txt"), "years of work");
  await assert.rejects(
    ensureStoreFolder(dir.path),
    (error) => isKind(error, "invalid_argument") && error.message.includes(`holds "thesis.txt"`),
  );
  assert.deepEqual(await listFiles(dir.path), ["thesis.txt"]);
});

Deno.test("ensureStoreFolder takes a mount point, and what is left of a store of ours", async () => {
  await using dir = await tempDir();
  for (const name of ["lost+found", "packs", "active"]) await Deno.mkdir(dir.join(name));
  for (const name of [".hidden", "auth.sqlite", "server.key", "domain.key", "lock"]) {
    await Deno.writeTextFile(dir.join(name), "");
  }
  assert.deepEqual(await ensureStoreFolder(dir.path), { created: true });
});

Deno.test("ensureStoreFolder says so when its path is a file", async () => {
  await using dir = await tempDir();
  await Deno.writeTextFile(dir.join("file"), "");
  for (const path of [dir.join("file"), dir.join("file", "below")]) {
    await assert.rejects(
      ensureStoreFolder(path),
      (error) => isKind(error, "invalid_argument") && error.message.includes(path),
    );
  }
});
