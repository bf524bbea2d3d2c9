import assert from "node:assert/strict";
import { systemClock } from "../../core/clock.ts";
import { digestOf } from "../../core/digest.ts";
import { isKind } from "../../core/errors.ts";
import { EXEC_REMEMBER_BYTES } from "../../core/build_limits.ts";
import { listFiles, tempDir } from "../../test/helpers/temp.ts";
import { FileDigests } from "./file_digests.ts";

const digest = (text: string) => digestOf(new TextEncoder().encode(text));
const NOWHERE = { clock: systemClock, folder: undefined, step: "step" };
/** As if every file were old. */
const later = { ...systemClock, now: () => Date.now() + 60_000 };

Deno.test("FileDigests reads a file again when it changed, and once when it did not", async () => {
  await using dir = await tempDir();
  const path = dir.join("file");
  await Deno.writeTextFile(path, "one");
  const digests = new FileDigests({ ...NOWHERE, clock: later });
  assert.equal(digests.of(path), digest("one"));
  assert.equal(digests.of(path), digest("one"));
  await systemClock.sleep(12);
  await Deno.writeTextFile(path, "two");
  assert.equal(digests.of(path), digest("two"));
  const link = dir.join("link");
  await Deno.symlink("file", link);
  assert.equal(digests.of(link), digest("two"));
});

Deno.test("FileDigests of a file that was written just now does not trust its time", async () => {
  await using dir = await tempDir();
  const path = dir.join("file");
  const digests = new FileDigests(NOWHERE);
  for (let n = 0; n < 200; n++) {
    await Deno.writeTextFile(path, `${n % 10}`);
    assert.equal(digests.of(path), digest(`${n % 10}`));
  }
});

Deno.test("FileDigests tells what can not be read", async () => {
  await using dir = await tempDir();
  const digests = new FileDigests(NOWHERE);
  for (const path of [dir.path, dir.join("nothing")]) {
    assert.throws(() => digests.of(path), (thrown) => isKind(thrown, "invalid_argument"));
  }
});

Deno.test("FileDigests notes large files for the next time, and sees when they changed", async () => {
  await using dir = await tempDir();
  const path = dir.join("program");
  const options = { clock: later, folder: dir.join("notes"), step: "step" };
  const large = "x".repeat(EXEC_REMEMBER_BYTES);
  await Deno.writeTextFile(path, large);
  const first = new FileDigests(options);
  assert.equal(first.of(path), digest(large));
  first.save();
  const [name] = await listFiles(dir.join("notes"));
  // Proof that it was not read: a note that is not true is believed.
  const notes = await Deno.readTextFile(dir.join("notes", name!));
  await Deno.writeTextFile(
    dir.join("notes", name!),
    notes.replace(digest(large), digest("noted")),
  );
  assert.equal(new FileDigests(options).of(path), digest("noted"));
  assert.equal(new FileDigests({ ...options, step: "other" }).of(path), digest(large));
  await systemClock.sleep(12);
  await Deno.writeTextFile(path, large.replace("x", "y"));
  assert.equal(new FileDigests(options).of(path), digest(large.replace("x", "y")));
});

Deno.test("FileDigests notes nothing for small files: reading them costs no more", async () => {
  await using dir = await tempDir();
  await Deno.writeTextFile(dir.join("file"), "small");
  const digests = new FileDigests({ clock: later, folder: dir.join("notes"), step: "step" });
  digests.of(dir.join("file"));
  digests.save();
  await assert.rejects(Deno.stat(dir.join("notes")), Deno.errors.NotFound);
});
