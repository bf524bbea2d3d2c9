/** What must hold in a pack store whenever nothing is under way. */
import assert from "node:assert/strict";
import { listFiles } from "../helpers/temp.ts";
import type { TestStore } from "./pack_store.ts";

/**
 * Totals and sums per segment are what the rows add up to; the disk holds the segments of the
 * tables, each once, with the bytes that are counted, and nothing else.
 */
export async function assertInvariants(store: TestStore, dir?: string): Promise<void> {
  const { db } = store.writer.shared;
  const totals = store.writer.stats();
  const sums = db.prepare(
    "SELECT count(*) AS records, coalesce(sum(kind = 1), 0) AS chunks, " +
      "coalesce(sum(stored + 56), 0) AS stored_bytes, coalesce(sum(raw), 0) AS raw_bytes FROM location",
  ).get()!;
  for (const [name, value] of Object.entries(sums)) {
    assert.equal(totals[name as keyof typeof totals], value, `total of ${name}`);
  }
  const wrong = db.prepare(
    "SELECT s.number FROM segments s WHERE " +
      "live_bytes <> (SELECT coalesce(sum(stored + 56), 0) FROM location WHERE segment = s.number) OR " +
      "live_records <> (SELECT count(*) FROM location WHERE segment = s.number) OR " +
      "used_sum <> (SELECT coalesce(sum(used), 0) FROM location WHERE segment = s.number)",
  ).all();
  assert.deepEqual(wrong, [], "sums of segments");
  const lost = db.prepare(
    "SELECT count(*) AS n FROM location WHERE segment NOT IN (SELECT number FROM segments)",
  ).get()!;
  assert.equal(lost["n"], 0, "rows point to segments");
  const counts = db.prepare(
    "SELECT (SELECT count(*) FROM segments) AS segments, (SELECT count(*) FROM quarantine) AS bad",
  ).get()!;
  assert.deepEqual([totals.segments, totals.quarantined], [counts["segments"], counts["bad"]]);
  if (dir !== undefined) await assertDisk(store, dir);
}

async function assertDisk(store: TestStore, dir: string): Promise<void> {
  const rows = store.writer.shared.db.prepare("SELECT name, area, state FROM segments").all();
  const want = rows.map(({ name, area, state }) =>
    state === "sealed" ? `objects/${area}/${String(name).slice(-2)}/${name}` : `active/${name}.seg`
  ).sort();
  const files = await listFiles(dir);
  // What a put left in the folder of objects is that store's to clear.
  const found = files.filter((file) => /^(active|objects\/(data|log))\//.test(file));
  assert.deepEqual(found, want, "files");
  let bytes = 0;
  for (const file of [...found, "packs.sqlite", "packs.sqlite-wal"]) {
    bytes += (await Deno.stat(`${dir}/${file}`)).size;
  }
  assert.equal(store.writer.stats().disk_bytes, bytes, "bytes on the disk");
}
