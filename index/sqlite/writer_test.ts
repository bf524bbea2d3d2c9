import { metadataIndexSuite } from "../../test/suites/metadata_index.ts";
import { openWriter } from "../../test/suites/open_index.ts";
import { assertNoLeaks } from "../../test/helpers/leaks.ts";
import { tempDir } from "../../test/helpers/temp.ts";
import { MemoryLog } from "../memory_log.ts";

metadataIndexSuite("IndexWriter in memory", async (world) => {
  const index = await openWriter(world, { path: ":memory:", log: new MemoryLog() });
  return { index, [Symbol.asyncDispose]: () => index[Symbol.asyncDispose]() };
});

metadataIndexSuite("IndexWriter in a file", async (world) => {
  const dir = await tempDir();
  const index = await openWriter(world, { path: dir.join("index.sqlite"), log: new MemoryLog() });
  return {
    index,
    async [Symbol.asyncDispose]() {
      await index[Symbol.asyncDispose]();
      await assertNoLeaks(() => {});
      await dir[Symbol.asyncDispose]();
    },
  };
});
