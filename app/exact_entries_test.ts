import assert from "node:assert/strict";
import { bytesSource } from "../core/bytes.ts";
import { MAX_KEY_BYTES } from "../core/limits.ts";
import { createMemoryCache } from "../test/helpers/memory_cache.ts";
import { draft } from "../test/suites/metadata_index_world.ts";
import { exactEntries } from "./exact_entries.ts";

Deno.test("exactEntries() ends where somebody made keys of the last characters there are", async () => {
  const cache = createMemoryCache();
  const put = (key: string) => cache.put(draft(key), bytesSource(new Uint8Array(1)));
  for (const count of [1, 2, 3, (MAX_KEY_BYTES - 4) / 4]) {
    await put(`k${"\u{10ffff}".repeat(count)}`);
  }
  await put("\u{10ffff}".repeat(MAX_KEY_BYTES / 4));
  let scans = 0;
  const counted: Pick<typeof cache, "scan"> = {
    scan(options) {
      if (++scans > 20) throw new Error("it goes round in circles");
      return cache.scan(options);
    },
  };
  const namespace = "default";
  assert.deepEqual(await exactEntries(counted, "k", { namespace }), []);
  assert.deepEqual(await exactEntries(counted, "", { namespace }), []);
  await put("k");
  const found = await exactEntries(counted, "k", { namespace });
  assert.deepEqual(found.map(({ key }) => key), ["k"]);
});
