import assert from "node:assert/strict";
import { collect } from "../core/bytes.ts";
import { isKind } from "../core/errors.ts";
import { assertNoLeaks } from "../test/helpers/leaks.ts";
import { listFiles, tempDir } from "../test/helpers/temp.ts";
import { SpoolFile } from "./spool_file.ts";

const LARGE = new Uint8Array(700_000).map((_, i) => i % 251);

Deno.test("SpoolFile gives its bytes back as often as asked, and has no name in its folder", async () => {
  await using folder = await tempDir();
  await assertNoLeaks(async () => {
    await using file = await SpoolFile.create(folder.path);
    for (let at = 0; at < LARGE.length; at += 99_999) {
      await file.append(LARGE.subarray(at, at + 99_999));
    }
    assert.deepEqual(await listFiles(folder.path), []);
    assert.equal(file.size, LARGE.length);
    for (let time = 0; time < 2; time++) {
      assert.deepEqual(await collect(file.stream(), 1e9), LARGE);
    }
    // Two at once do not move each other on.
    const both = [file.stream(), file.stream()].map((stream) => collect(stream, 1e9));
    assert.deepEqual(await Promise.all(both), [LARGE, LARGE]);
  });
});

Deno.test("SpoolFile can be disposed right after a stream of it was cancelled in a read", async () => {
  await assertNoLeaks(async () => {
    const file = await SpoolFile.create();
    await file.append(LARGE);
    const reader = file.stream().getReader();
    const reading = reader.read();
    await reader.cancel();
    await file[Symbol.asyncDispose]();
    await reading;
  });
});

Deno.test("SpoolFile.create() is for this user only, and says which folder does not do", async () => {
  await using folder = await tempDir();
  await using file = await SpoolFile.create(folder.path);
  await file.append(new Uint8Array(1));
  const modes: number[] = [];
  for (const { name } of Deno.readDirSync("/proc/self/fd")) {
    const path = `/proc/self/fd/${name}`;
    try {
      if (!Deno.readLinkSync(path).startsWith(folder.path)) continue;
      modes.push((Deno.statSync(path).mode ?? 0) % 0o1000);
    } catch (thrown) {
      // The descriptor that read the folder is closed by now.
      if (!(thrown instanceof Deno.errors.NotFound)) throw thrown;
    }
  }
  assert.deepEqual(modes, [0o600]);
  const missing = folder.join("not", "here");
  await assert.rejects(
    SpoolFile.create(missing),
    (thrown) => isKind(thrown, "invalid_argument") && thrown.message.includes(`"${missing}"`),
  );
});
