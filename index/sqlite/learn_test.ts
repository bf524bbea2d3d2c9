import assert from "node:assert/strict";
import { entryId } from "../../codec/entry_id.ts";
import { CacheError } from "../../core/errors.ts";
import { KeyFilter } from "../../core/key_filter.ts";
import type { LogPosition, LogRecord } from "../../core/record.ts";
import { tempDir } from "../../test/helpers/temp.ts";
import { draft, indexWorld, keyed } from "../../test/suites/metadata_index_world.ts";
import { openReader, openWriter } from "../../test/suites/open_index.ts";
import { MemoryLog } from "../memory_log.ts";

/** More than a page of ids. */
const KEYS = Array.from({ length: 2500 }, (_, n) => `key ${n}`);
/** Their ids stand in no order, so any of them will do. */
const SOME = KEYS.slice(0, 300);

/** A log that can write everything and then say that it did not. */
class LyingLog extends MemoryLog {
  lies = false;

  override async append(records: readonly LogRecord[]): Promise<LogPosition> {
    const position = await super.append(records);
    if (this.lies) throw new CacheError("unavailable", "Cannot write: nobody knows what happened");
    return position;
  }
}

Deno.test("IndexReader finds what was there before, and what came while the filter learned", async () => {
  const world = indexWorld();
  await using dir = await tempDir();
  const [path, log] = [dir.join("index.sqlite"), new MemoryLog()];
  {
    await using index = await openWriter(world, { path, log });
    await index.commit({ entries: KEYS.map((key) => draft(key)) });
    await index.delete([keyed("key 7")]);
  }
  await using index = await openWriter(world, { path, log });
  await using reader = openReader(world, path, new KeyFilter(index.filter.buffer));
  const learned = index.learn();
  await index.put(draft("while it learns"));
  assert.ok(await reader.get(keyed("while it learns")));
  await learned;
  await index.put(draft("after"));
  for (const key of [...SOME, "while it learns", "after"]) {
    assert.equal((await reader.get(keyed(key)))?.key, key === "key 7" ? undefined : key);
  }
  await index.put(draft("key 7"));
  assert.ok(await reader.get(keyed("key 7")), "deleted, and written again");
  assert.ok(index.filter.excludes(entryId(world.keys, keyed("never written"))));
  assert.equal(await reader.get(keyed("never written")), undefined);
});

Deno.test("IndexReader finds everything after the index was made anew from the log", async () => {
  const world = indexWorld();
  await using dir = await tempDir();
  const [path, log] = [dir.join("index.sqlite"), new MemoryLog()];
  {
    await using index = await openWriter(world, { path, log });
    await index.commit({ entries: KEYS.map((key) => draft(key)) });
  }
  await Deno.remove(path);
  await using index = await openWriter(world, { path, log });
  await index.learn();
  await using reader = openReader(world, path, index.filter);
  for (const key of SOME) assert.ok(await reader.get(keyed(key)), key);
});

Deno.test("IndexReader finds an entry of which only the log knew at first", async () => {
  const world = indexWorld();
  await using dir = await tempDir();
  const [path, log] = [dir.join("index.sqlite"), new LyingLog()];
  await using index = await openWriter(world, { path, log });
  await index.learn();
  await using reader = openReader(world, path, index.filter);
  log.lies = true;
  await assert.rejects(index.put(draft("doubtful")));
  log.lies = false;
  await index.put(draft("next"));
  assert.ok(await index.get(keyed("doubtful")), "the log has it, so it counts");
  assert.ok(await reader.get(keyed("doubtful")));
});

Deno.test("a filter excludes nothing when its index was closed before it had learned all", async () => {
  const world = indexWorld();
  await using dir = await tempDir();
  const [path, log] = [dir.join("index.sqlite"), new MemoryLog()];
  {
    await using index = await openWriter(world, { path, log });
    await index.commit({ entries: KEYS.map((key) => draft(key)) });
  }
  const index = await openWriter(world, { path, log });
  const learned = index.learn();
  await index[Symbol.asyncDispose]();
  await learned;
  assert.ok(!index.filter.excludes(entryId(world.keys, keyed("never written"))));
});
