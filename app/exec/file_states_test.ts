import assert from "node:assert/strict";
import { systemClock } from "../../core/clock.ts";
import { tempDir } from "../../test/helpers/temp.ts";
import { settle, snapshot, untouched } from "./file_states.ts";

const never = new AbortController().signal;

Deno.test("untouched names what was there before and was not written since", async () => {
  await using dir = await tempDir();
  await Deno.mkdir(dir.join("out/deep"), { recursive: true });
  const write = (name: string, text: string) => Deno.writeTextFile(dir.join("out", name), text);
  for (const name of ["kept", "deep/kept", "same", "other", "moved"]) await write(name, "1");
  await Deno.symlink("kept", dir.join("out/link"));
  const before = snapshot([dir.join("out")]);
  await settle(before, systemClock, never);
  await write("same", "1");
  await write("other", "22");
  await write("new", "1");
  await Deno.writeTextFile(dir.join("out/m"), "1");
  await Deno.rename(dir.join("out/m"), dir.join("out/moved"));
  // What sets the old time again can not set that of the change.
  const { mtime, atime } = await Deno.stat(dir.join("out/other"));
  await Deno.utime(dir.join("out/other"), atime!, mtime!);
  const names = untouched(before, snapshot([dir.join("out")]))
    .map((path) => path.slice(dir.join("out/").length));
  assert.deepEqual(names.sort(), ["deep/kept", "kept", "link"]);
});

Deno.test("snapshot of what is not there is empty, of a file that file", async () => {
  await using dir = await tempDir();
  assert.equal(snapshot([dir.join("nothing")]).size, 0);
  await Deno.writeTextFile(dir.join("file"), "");
  assert.deepEqual([...snapshot([dir.join("file")]).keys()], [dir.join("file")]);
});

Deno.test("settle waits only for files that were changed just now", async () => {
  await using dir = await tempDir();
  await Deno.writeTextFile(dir.join("file"), "");
  const before = snapshot([dir.join("file")]);
  const slept: number[] = [];
  const at = (ms: number) => ({
    ...systemClock,
    now: () => Date.now() + ms,
    sleep: (asked: number) => Promise.resolve(void slept.push(asked)),
  });
  await settle(before, at(60_000), never);
  assert.equal(slept.length, 0);
  await settle(
    before,
    { ...at(0), now: () => Deno.statSync(dir.join("file")).mtime!.getTime() },
    never,
  );
  assert.equal(slept.length, 1);
});
