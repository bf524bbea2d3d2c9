/** Opens a store after a crash, and compares it with what was acknowledged. */
import assert from "node:assert/strict";
import { openEngine } from "../../app/compose.ts";
import type { Engine } from "../../app/engine.ts";
import { bodyBytes } from "../../core/bytes.ts";
import { systemClock } from "../../core/clock.ts";
import { digestOf } from "../../core/digest.ts";
import { listFiles } from "../helpers/temp.ts";
import { allowed } from "./history.ts";
import type { Change, History } from "./history.ts";
import { CLOCK_STEP_MS, digestOfBody, keyOf } from "./work_items.ts";

/** What a check found to be right. */
export interface Checked {
  /** Keys, blobs and tokens that were compared. */
  readonly compared: number;
  /** Acknowledged bodies that are gone, and may be: room was made. */
  readonly gone: number;
  /** Torn bytes that were cut off. */
  readonly torn: number;
}

/** Options of {@linkcode checkStore}. */
export interface CheckOptions {
  readonly maxSize: number;
  /** Whether so much was written that room had to be made: bodies may be gone. */
  readonly evicts: boolean;
  /** Acknowledged later than this (by the record's clock), a change may be lost. Default: never. */
  readonly until?: number | undefined;
  /** Reads and checks every record and the audit as well, which takes longer. */
  readonly thorough: boolean;
}

const LIMIT = 16 * 1024 * 1024;
const AHEAD = /index.*: it is ahead of its log, set aside/;

/** Opens the store in `dir`, checks it and closes it. @throws {AssertionError} */
export async function checkStore(
  dir: string,
  history: History,
  options: CheckOptions,
): Promise<Checked> {
  const lines: string[] = [];
  const later = history.lastId * CLOCK_STEP_MS;
  const engine = await openEngine(dir, {
    clock: { ...systemClock, now: () => systemClock.now() + later },
    maxSize: options.maxSize,
    report: (line) => {
      lines.push(line);
      history.log(line);
    },
  });
  try {
    // The index may be on the disk before the log: it says so, and is made anew from what is there.
    const ahead = (line: string) => options.until !== undefined && AHEAD.test(line);
    const alarms = history.alarms.filter((line) => !ahead(line));
    assert.deepEqual(alarms, [], "nothing is damaged");
    const gone: string[] = [];
    const keys = history.byKey(["put", "remove"]);
    for (const [key, changes] of keys) {
      const may = allowed(changes, options.until);
      const lost = await isGone(engine, key, may);
      if (lost && !wasBeingReplaced(may, options)) gone.push(`${key} of change ${may[0]!.id}`);
    }
    const blobs = [...history.changes.values()].filter(({ kind }) => kind === "blob");
    for (const change of blobs) {
      if (await isBlobGone(engine, change, options.until)) gone.push(`blob of change ${change.id}`);
    }
    if (!options.evicts) assert.deepEqual(gone, [], "acknowledged and lost");
    else if (gone.length > 0) await assertFull(engine, dir);
    const compared = keys.size + blobs.length + await checkTokens(engine, history);
    if (options.thorough) await checkWhole(engine, history, options);
    await assertDisk(engine, dir);
    const torn = lines.map((line) => Number(/, (\d+) torn bytes cut/.exec(line)?.[1] ?? 0));
    return { compared, gone: gone.length, torn: torn.reduce((sum, bytes) => sum + bytes, 0) };
  } finally {
    await engine[Symbol.asyncDispose]();
  }
}

/** Whether a body is not here though it was acknowledged. */
async function isGone(
  engine: Engine,
  key: string,
  may: readonly (Change | undefined)[],
): Promise<boolean> {
  const { namespace, scope, protocol } = keyOf(key);
  const { cache } = engine;
  const entry = await cache.find({ namespace, protocol, key, scopes: [scope] });
  const body = entry && await cache.body(entry);
  if (!entry || !body) {
    return !may.some((change) => change === undefined || change.kind === "remove");
  }
  const bytes = await bodyBytes(body, LIMIT);
  const digest = digestOf(bytes);
  const right = may.some((one) => one?.kind === "put" && digestOfBody(one.id, one.size) === digest);
  const want = may.map((change) => change ? `${change.kind} ${change.id}` : "nothing").join(", ");
  assert.ok(right, `key ${key} has ${bytes.length} bytes that it must not have, want ${want}`);
  assert.equal(digest, entry.blobs[0]!.digest, `key ${key} has other bytes than it says`);
  return false;
}

/**
 * The log may have reached the disk before the data: with relaxed durability the power then takes a
 * key whose newest value was not durable yet, and an older one with it. Never does it serve a part.
 */
function wasBeingReplaced(
  may: readonly (Change | undefined)[],
  { until }: CheckOptions,
): boolean {
  return until !== undefined && may.slice(1).some((change) => change?.kind === "put");
}

async function isBlobGone(
  engine: Engine,
  change: Change,
  until = Infinity,
): Promise<boolean> {
  const digest = digestOfBody(change.id, change.size);
  const body = await engine.cache.blobs("default").get(digest);
  if (body) {
    assert.equal(digestOf(await bodyBytes(body, LIMIT)), digest, `blob ${change.id}`);
    return false;
  }
  return change.acknowledged !== undefined && change.acknowledged <= until;
}

async function checkTokens(engine: Engine, history: History): Promise<number> {
  const there = new Map((await engine.tokens.list()).map((info) => [info.name, info]));
  const tokens = history.byKey(["token", "revoke"]);
  for (const [name, changes] of tokens) {
    const [made, ended] = changes as [Change, Change?];
    // Tokens are always durable, however entries are.
    if (made.acknowledged !== undefined) assert.ok(there.has(name), `token ${name} is lost`);
    if (ended?.acknowledged !== undefined) {
      assert.notEqual(there.get(name)?.revoked, undefined, `token ${name} is back`);
    }
  }
  return tokens.size;
}

async function checkWhole(engine: Engine, history: History, options: CheckOptions): Promise<void> {
  // With relaxed durability an entry may be there without its data; a repair drops it, and no more.
  if (options.until !== undefined) await engine.maintenance.verify({ repair: true });
  const report = await engine.maintenance.verify();
  const { quarantined, lost, broken_entries, audit_damaged, problems } = report;
  assert.deepEqual({ quarantined, lost, broken_entries, audit_damaged, problems }, {
    quarantined: 0,
    lost: 0,
    broken_entries: 0,
    audit_damaged: 0,
    problems: [],
  });
  await checkAudit(engine, history, options.until);
}

/** Every acknowledged change of an entry has its row, in order. */
async function checkAudit(engine: Engine, history: History, until = Infinity): Promise<void> {
  const rows: string[] = [];
  let after: string | undefined;
  do {
    const page = await engine.insight.audit({
      limit: 1000,
      after,
      kinds: ["put", "replace", "delete"],
    });
    for (const row of page.rows) {
      if (row.kind !== "token") rows.push(`${row.key} ${row.after ?? "deleted"}`);
    }
    after = page.next;
  } while (after !== undefined);
  const there = new Set(rows);
  for (const [key, changes] of history.byKey(["put"])) {
    for (const { id, size, acknowledged } of changes) {
      if (acknowledged === undefined || acknowledged > until) continue;
      const row = `${key} ${digestOfBody(id, size)}`;
      assert.ok(there.has(row), `the audit has lost change ${id}, ${row}`);
    }
  }
}

/** What a COMMIT of many rows may add to the logs of the tables before room is made again. */
const OPEN_ROWS_LOG_BYTES = 1024 * 1024;

/** What is gone went for room only: most of the room is used. */
async function assertFull(engine: Engine, dir: string): Promise<void> {
  // By inode: what is being sealed has two names.
  const sizes = new Map<number, number>();
  for (const path of await listFiles(dir)) {
    const stat = await Deno.stat(`${dir}/${path}`).catch(() => undefined); // sealed meanwhile
    if (stat && !path.endsWith("-shm")) sizes.set(stat.ino!, stat.size);
  }
  const bytes = [...sizes.values()].reduce((sum, size) => sum + size, 0);
  const limit = engine.maxSize!;
  // The logs of the tables count as used while they are long, and a start makes them short: 3.1 of
  // 6.3 MB were seen behind a life whose last COMMIT was a large one.
  assert.ok(bytes > limit * 0.4, `bodies are gone, but only ${bytes} bytes of ${limit} are in use`);
  const most = limit * 1.1 + OPEN_ROWS_LOG_BYTES;
  assert.ok(bytes < most, `${bytes} bytes are in use, want at most ${most}`);
}

/** The disk holds what the tables name and nothing else: nothing torn is left over. */
async function assertDisk(engine: Engine, dir: string): Promise<void> {
  const look = async () => ({
    files: (await listFiles(dir)).filter((path) => /^(active|packs)\//.test(path)),
    segments: (await engine.stats())["segments"] as number,
  });
  let { files, segments } = await look();
  // What was full is sealed in the background: for a moment a pack has two names, or is missed.
  for (let turn = 0; turn < 300 && (isBusy(files) || files.length !== segments); turn++) {
    await new Promise((resolve) => setTimeout(resolve, 10));
    ({ files, segments } = await look());
  }
  const odd = files.filter((path) =>
    !/^active\/[0-9a-f]{32}\.seg$|^packs\/(data|log)\//.test(path)
  );
  assert.deepEqual(odd, [], "left over");
  assert.equal(files.length, segments, `files: ${files.join(" ")}`);
}

function isBusy(files: readonly string[]): boolean {
  const names = files.map((path) => path.replace(/^.*\//, "").slice(0, 32));
  return files.some((path) => path.startsWith("packs/.tmp/")) || new Set(names).size < names.length;
}
