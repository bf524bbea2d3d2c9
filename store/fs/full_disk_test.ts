import assert from "node:assert/strict";
import { bytesSource } from "../../core/bytes.ts";
import type { ByteSource } from "../../core/bytes.ts";
import { skippable } from "../../test/helpers/skip.ts";
import { listFiles, tempDir } from "../../test/helpers/temp.ts";
import { assertHolds, keys, pattern, rejectsKind } from "../../test/suites/object_store_asks.ts";
import { openFsStore } from "./fs_store.ts";

/** Mounts a small disk, if this user may. */
async function mountSmallDisk(path: string): Promise<boolean> {
  try {
    const args = ["-t", "tmpfs", "-o", "size=1m", "tmpfs", path];
    return (await new Deno.Command("mount", { args, stderr: "null" }).output()).success;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

async function unmount(path: string): Promise<void> {
  const { success } = await new Deno.Command("umount", { args: ["-l", path] }).output();
  assert.ok(success, `umount ${path}`);
}

async function needMount(): Promise<string | undefined> {
  if (Deno.uid() !== 0) return "only root can mount a small disk";
  await using dir = await tempDir();
  if (!await mountSmallDisk(dir.path)) return "this machine lets nobody mount a tmpfs";
  await unmount(dir.path);
  return undefined;
}

skippable(
  "fs put on a full disk is quota_exceeded, keeps the old object and leaves nothing",
  { need: needMount },
  async () => {
    await using dir = await tempDir();
    assert.ok(await mountSmallDisk(dir.path));
    try {
      const store = await openFsStore(dir.path);
      const large = pattern(2_000_000);
      const sources: ByteSource[] = [
        bytesSource(large),
        { size: large.length, replayable: true, open: () => bytesSource(large).open() },
        { size: undefined, replayable: true, open: () => bytesSource(large).open() },
      ];
      await store.put("data/00/x", bytesSource(pattern(300_000)));
      for (const source of sources) {
        for (const key of ["data/00/x", "data/00/y"]) {
          await assert.rejects(store.put(key, source), (error: { retry?: string }) => {
            assert.equal(error.retry, "permanent");
            return true;
          });
          await rejectsKind(store.put(key, source), "quota_exceeded");
        }
      }
      assert.deepEqual(await listFiles(dir.path), ["data/00/x"]);
      assert.deepEqual(await keys(store), ["data/00/x"]);
      await assertHolds(store, "data/00/x", pattern(300_000));
      await store.put("data/00/y", bytesSource(pattern(500_000)));
    } finally {
      await unmount(dir.path);
    }
  },
);
