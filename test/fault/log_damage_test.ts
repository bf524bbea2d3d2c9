/** Flipped bytes in the log: a rebuilt index tells the truth or nothing, and `verify` tells. */
import assert from "node:assert/strict";
import { openEngine } from "../../app/compose.ts";
import { bodyBytes, bytesSource } from "../../core/bytes.ts";
import { systemClock } from "../../core/clock.ts";
import type { EntryDraft } from "../../core/entry.ts";
import { SEGMENT_HEADER_BYTES } from "../../codec/segment.ts";
import type { Engine } from "../../app/engine.ts";
import { longOr } from "../helpers/long.ts";
import { tempDir } from "../helpers/temp.ts";

const TABLES = /^(packs|index)\.sqlite(-wal|-shm)?$/;
const INDEX = /^index\.sqlite(-wal|-shm)?$/;
const encode = (text: string) => new TextEncoder().encode(text);

/** What each key may say: its last value, or an older one where the record of the last is hit. */
const WRITTEN: readonly (readonly [key: string, value: string | undefined])[] = [
  ["stays", "one"],
  ["replaced", "old"],
  ["removed", "gone"],
  ["replaced", "new"],
  ["removed", undefined],
  ["last", "two"],
];
const KEYS = [...new Set(WRITTEN.map(([key]) => key))];

function draft(key: string): EntryDraft {
  return {
    namespace: "default",
    scope: "main",
    protocol: "kv",
    key,
    content: "opaque",
    blobs: [],
    tags: [],
    writer: "test",
    created: 1,
    cost: 0,
    inputs: {},
    headers: {},
    mutability: "replaceable",
  };
}

async function fill(dir: string): Promise<void> {
  await using engine = await openEngine(dir, { clock: systemClock, maxSize: "none" });
  for (const [key, value] of WRITTEN) {
    if (value === undefined) await engine.cache.remove([draft(key)]);
    else await engine.cache.put(draft(key), bytesSource(encode(value)));
  }
}

/** The values that each key has, `undefined` for a miss. */
async function read(engine: Engine): Promise<Map<string, string | undefined>> {
  const found = new Map<string, string | undefined>();
  for (const key of KEYS) {
    const lookup = { namespace: "default", scopes: ["main"], protocol: "kv", key };
    const entry = await engine.cache.find(lookup);
    if (entry) assert.equal(entry.key, key, "another key's entry");
    const body = entry && await engine.cache.body(entry);
    found.set(key, body && new TextDecoder().decode(await bodyBytes(body, 100)));
  }
  return found;
}

/** Takes away everything that is made from the log. */
async function removeTables(dir: string, tables: RegExp): Promise<void> {
  for (const { name } of [...Deno.readDirSync(dir)]) {
    if (tables.test(name)) await Deno.remove(`${dir}/${name}`);
  }
}

/** The active segment that holds the log: the one in which a key's bytes are not, but its id is. */
async function logSegment(dir: string): Promise<string> {
  const names = [...Deno.readDirSync(`${dir}/active`)].map(({ name }) => `${dir}/active/${name}`);
  for (const name of names) {
    const text = new TextDecoder("latin1").decode(await Deno.readFile(name));
    if (text.includes("replaced")) return name;
  }
  throw new Error(`no segment of ${names} names an entry`);
}

Deno.test("a flip of any byte of the log costs one record at most, and never makes up an answer", async () => {
  await using dir = await tempDir();
  await fill(dir.path);
  const file = await logSegment(dir.path);
  const whole = await Deno.readFile(file);
  const nth = longOr(7, 151);
  const lost = { records: 0, nothing: 0 };
  for (let at = 0; at < whole.length; at += nth) {
    const flipped = whole.slice();
    flipped[at]! ^= 0x41;
    await Deno.writeFile(file, flipped);
    // Every second time only the index is made again, by the one who reads the log for it alone.
    await removeTables(dir.path, at % 2 === 0 ? TABLES : INDEX);
    await using engine = await openEngine(dir.path, { clock: systemClock, maxSize: "none" });
    const found = await read(engine);
    let wrong = 0;
    for (const key of KEYS) {
      const versions = WRITTEN.filter(([name]) => name === key).map(([, value]) => value);
      const value = found.get(key);
      if (value === versions.at(-1)) continue;
      wrong++;
      const allowed = value === undefined || versions.includes(value);
      assert.ok(allowed, `byte ${at}: "${key}" says "${value}"`);
    }
    assert.ok(wrong <= 1, `byte ${at}: ${wrong} keys changed`);
    const report = await engine.maintenance.verify();
    const told = report.quarantined + report.lost + report.problems.length;
    // What follows the last good record is a torn tail, and what it held was the last change.
    const torn = found.get("last") === undefined;
    if (wrong > 0 && !torn) assert.ok(told > 0, `byte ${at}: lost without a word`);
    lost[wrong > 0 ? "records" : "nothing"]++;
    // It goes on: what is written now is there.
    await engine.cache.put(draft("last"), bytesSource(encode("again")));
    assert.equal((await read(engine)).get("last"), "again", `byte ${at}`);
    await engine[Symbol.asyncDispose]();
    // What this run wrote behind the damage must not help the next one.
    await Deno.writeFile(file, whole);
  }
  assert.ok(lost.records > 0 && lost.nothing > 0, JSON.stringify(lost));
  assert.ok(whole.length > SEGMENT_HEADER_BYTES);
});
