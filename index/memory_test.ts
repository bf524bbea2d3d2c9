import { metadataIndexSuite } from "../test/suites/metadata_index.ts";
import { MemoryIndex } from "./memory.ts";

metadataIndexSuite("MemoryIndex", async (world) => {
  const index: MemoryIndex = new MemoryIndex(world.options(() => index.visibility));
  return { index, [Symbol.asyncDispose]: () => index[Symbol.asyncDispose]() };
});
