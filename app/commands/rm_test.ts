import assert from "node:assert/strict";
import { bytesSource } from "../../core/bytes.ts";
import { fakeEnvironment, stoppedClock } from "../../test/helpers/fake_environment.ts";
import { draft } from "../../test/suites/metadata_index_world.ts";
import { tempDir } from "../../test/helpers/temp.ts";
import { openEngine } from "../compose.ts";
import { main } from "../main.ts";

Deno.test("rm deletes a key in every scope, also behind longer keys, and no other key", async () => {
  await using dir = await tempDir();
  const options = { clock: stoppedClock };
  {
    await using engine = await openEngine(dir.path, options);
    const places = [["main", "kk"], ["main", "k"], ["pr/1", "k"], ["pr/1", "kk"], ["pr/2", "k"]];
    for (const [scope, key] of places) {
      const entry = draft(key!, { scope: scope!, protocol: "kv" });
      await engine.cache.put(entry, bytesSource(new TextEncoder().encode(`${scope}${key}`)));
    }
  }
  const environment = fakeEnvironment({ args: ["rm", "k", "--dir", dir.path, "--json"] });
  assert.equal(await main(environment), 0, environment.err);
  assert.deepEqual(JSON.parse(environment.out), {
    removed: 3,
    matched: 3,
    keys: ["k", "k", "k"],
    dry_run: false,
  });
  await using engine = await openEngine(dir.path, options);
  const left = await Array.fromAsync(engine.cache.scan({ incomplete: true }));
  const named = left.map((item) =>
    item.type === "entry" && `${item.entry.scope} ${item.entry.key}`
  );
  assert.deepEqual(named, ["main kk", "pr/1 kk"]);
});
