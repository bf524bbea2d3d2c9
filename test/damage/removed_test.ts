/** What is written after somebody removed the file that takes it. */
import assert from "node:assert/strict";
import { bytesSource, equalBytes } from "../../core/bytes.ts";
import { seededRandom } from "../helpers/random.ts";
import { tempDir } from "../helpers/temp.ts";
import { filesOf } from "./records.ts";
import { buildWorld, draftOf, openStore, readBlob } from "./world.ts";

Deno.test("what is acknowledged after an active file was removed is there after a restart", async () => {
  const random = seededRandom("VITTE_DAMAGE_SEED");
  await using dir = await tempDir();
  await buildWorld(dir.path, random);
  const active = (await filesOf(dir.path)).filter(({ type }) => type.startsWith("active"));
  assert.equal(active.length, 2);
  const bytes = random.bytes(5000);
  const namespace = "default";
  let digest;
  {
    await using engine = await openStore(dir.path);
    for (const { path } of active) await Deno.remove(dir.join(path));
    ({ digest } = await engine.cache.blobs(namespace).put(undefined, bytesSource(bytes)));
    await engine.cache.put(draftOf({ namespace, key: "after" }), bytesSource(bytes));
  }
  // The index is made from the log alone.
  await Deno.remove(dir.join("index.sqlite"));
  await using engine = await openStore(dir.path);
  const read = await readBlob(engine, { namespace, digest });
  assert.ok(read && equalBytes(read, bytes), "an acknowledged blob is gone");
  const lookup = { namespace, scopes: ["main"], protocol: "kv", key: "after" };
  assert.ok(await engine.cache.find(lookup), "an acknowledged entry is gone");
});
