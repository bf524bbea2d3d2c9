import assert from "node:assert/strict";
import { ManualClock } from "../../core/clock.ts";
import { GO_KEEP_MS, GO_TRIM_MS } from "../../core/build_limits.ts";
import { STALE_TEMP_MS } from "../../core/limits.ts";
import { listFiles, tempDir } from "../../test/helpers/temp.ts";
import type { TempDir } from "../../test/helpers/temp.ts";
import { trim } from "./trim.ts";

const HOUR = 3_600_000;

/** Ten outputs of 10 bytes and their actions, the last one used now, the others an hour apart. */
function fill(dir: TempDir, clock: ManualClock): void {
  for (let n = 0; n < 10; n++) {
    const used = new Date(clock.now() - (9 - n) * HOUR);
    for (const [kind, text] of [["outputs", "0123456789"], ["actions", "v1"]] as const) {
      Deno.mkdirSync(dir.join(kind, `a${n}`), { recursive: true });
      const path = dir.join(kind, `a${n}`, `${n}`);
      Deno.writeTextFileSync(path, text);
      Deno.utimeSync(path, used, used);
    }
  }
}

function options(clock: ManualClock, maxBytes: number, added = 0) {
  const { signal } = new AbortController();
  return { clock, maxBytes: () => Promise.resolve(maxBytes), added, signal };
}

Deno.test("trim() removes what was used longest ago, never what was used lately", async () => {
  await using dir = await tempDir();
  const clock = new ManualClock(Date.now());
  fill(dir, clock);
  assert.equal(await trim(dir.path, options(clock, 90)), 20);
  const eight = [2, 3, 4, 5, 6, 7, 8, 9].map((n) => `a${n}/${n}`);
  assert.deepEqual(await listFiles(dir.join("outputs")), eight);
  assert.deepEqual(await listFiles(dir.join("actions")), eight);
  clock.advance(GO_TRIM_MS + 1);
  fill(dir, clock);
  await trim(dir.path, options(clock, 1));
  const young = [...Array(10).keys()].filter((n) => (9 - n) * HOUR < GO_KEEP_MS);
  assert.deepEqual(await listFiles(dir.join("outputs")), young.map((n) => `a${n}/${n}`));
});

Deno.test("trim() looks once a day, or when the folder has grown above its limit", async () => {
  await using dir = await tempDir();
  const clock = new ManualClock(Date.now());
  fill(dir, clock);
  const count = async () => (await listFiles(dir.join("outputs"))).length;
  await trim(dir.path, options(clock, 1000));
  assert.equal(await count(), 10);
  clock.advance(1000);
  await trim(dir.path, options(clock, 50));
  assert.equal(await count(), 10, "nothing was added");
  await trim(dir.path, options(clock, 150, 40));
  await trim(dir.path, options(clock, 150, 5));
  assert.equal(await count(), 10, "what was added fits");
  await trim(dir.path, options(clock, 99, 1));
  assert.equal(await count(), 8);
  clock.advance(GO_TRIM_MS + 1);
  await trim(dir.path, options(clock, 50));
  assert.equal(await count(), 4, "nine tenths of the limit");
});

Deno.test("trim() removes half-written files of a day ago, and is content with an empty folder", async () => {
  await using dir = await tempDir();
  const clock = new ManualClock(Date.now());
  assert.equal(await trim(dir.path, options(clock, 10)), 0);
  Deno.mkdirSync(dir.join("new"));
  for (const [name, age] of [["old", STALE_TEMP_MS + 1000], ["young", HOUR]] as const) {
    Deno.writeTextFileSync(dir.join("new", name), "half");
    const at = new Date(clock.now() - age);
    Deno.utimeSync(dir.join("new", name), at, at);
  }
  Deno.removeSync(dir.join("trimmed"));
  await trim(dir.path, options(clock, 10));
  assert.deepEqual(await listFiles(dir.join("new")), ["young"]);
});
