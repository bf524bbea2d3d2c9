import assert from "node:assert/strict";
import { bytesSource } from "../../core/bytes.ts";
import type { ByteSource } from "../../core/bytes.ts";
import { skippable } from "../../test/helpers/skip.ts";
import { needSmallDisk, smallDisk } from "../../test/helpers/small_disk.ts";
import { listFiles, tempDir } from "../../test/helpers/temp.ts";
import { assertHolds, keys, pattern, rejectsKind } from "../../test/suites/object_store_asks.ts";
import { openFsStore } from "./fs_store.ts";

skippable(
  "fs put on a full disk is quota_exceeded, keeps the old object and leaves nothing",
  { need: needSmallDisk },
  async () => {
    await using dir = await tempDir();
    await using _disk = await smallDisk(dir.path);
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
  },
);
