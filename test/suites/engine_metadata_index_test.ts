/** The index suite over the log of real packs, instead of one in memory. */
import { Counters } from "../../core/counters.ts";
import { openFsStore } from "../../store/fs/fs_store.ts";
import { openPackWriter } from "../../store/pack/writer.ts";
import { policy } from "../../policy/decide.ts";
import { tempDir } from "../helpers/temp.ts";
import { metadataIndexSuite } from "./metadata_index.ts";
import type { IndexSubject } from "./metadata_index.ts";
import type { IndexWorld } from "./metadata_index_world.ts";
import { openWriter } from "./open_index.ts";

async function open(world: IndexWorld): Promise<IndexSubject> {
  await using stack = new AsyncDisposableStack();
  const dir = stack.use(await tempDir());
  const objects = stack.use(await openFsStore(dir.join("packs")));
  const packs = stack.use(
    await openPackWriter({
      dir: dir.path,
      objects,
      maxSize: undefined,
      policy,
      segmentSize: 4096,
      reserve: () => undefined,
      clock: world.clock,
      counters: new Counters(),
      report: () => {},
    }),
  );
  const index = stack.use(
    await openWriter(world, { path: dir.join("index.sqlite"), log: packs.log }),
  );
  const owned = stack.move();
  return { index, [Symbol.asyncDispose]: () => owned.disposeAsync() };
}

// Tiny segments: nearly every case crosses from one to the next.
metadataIndexSuite("IndexWriter on the log of packs", open);
