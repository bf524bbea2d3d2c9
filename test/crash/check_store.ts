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
import { bodyOf, CLOCK_STEP_MS, keyOf } from "./work_items.ts";

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
  /** Acknowledged later than this (by the record's clock), a change may be lost. Default: never. */
  readonly until?: number | undefined;
  /** Reads and checks every record and the audit as well, which takes longer. */
  readonly thorough: boolean;
}

const LIMIT = 16 * 1024 * 1024;

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
    assert.deepEqual(history.alarms, [], "nothing is damaged");
    const gone: string[] = [];
    const keys = history.byKey(["put", "remove"]);
    for (const [key, changes] of keys) {
      const may = allowed(changes, options.until);
      if (await isGone(engine, key, may)) gone.push(`${key} of change ${may[0]!.id}`);
    }
    const blobs = [...history.changes.values()].filter(({ kind }) => kind === "blob");
    for (const change of blobs) {
      if (await isBlobGone(engine, change, options.until)) gone.push(`blob of change ${change.id}`);
    }
    if (history.evictions === 0) assert.deepEqual(gone, [], "acknowledged and lost");
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
  const right = may.some((change) => change?.kind === "put" && isBody(bytes, change));
  const want = may.map((change) => change ? `${change.kind} ${change.id}` : "nothing").join(", ");
  assert.ok(right, `key ${key} has ${bytes.length} bytes that it must not have, want ${want}`);
  assert.equal(digestOf(bytes), entry.blobs[0]!.digest, `key ${key} has other bytes than it says`);
  return false;
}

async function isBlobGone(
  engine: Engine,
  change: Change,
  until = Infinity,
): Promise<boolean> {
  const bytes = bodyOf(change.id, change.size);
  const body = await engine.cache.blobs("default").get(digestOf(bytes));
  if (body) {
    assert.deepEqual(await bodyBytes(body, LIMIT), bytes, `blob ${change.id}`);
    return false;
  }
  return change.acknowledged !== undefined && change.acknowledged <= until;
}

function isBody(bytes: Uint8Array, { id, size }: Change): boolean {
  if (bytes.length !== size) return false;
  const want = bodyOf(id, size);
  return bytes.every((byte, at) => byte === want[at]);
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
      const row = `${key} ${digestOf(bodyOf(id, size))}`;
      assert.ok(there.has(row), `the audit has lost change ${id}, ${row}`);
    }
  }
}

/** The disk holds what the tables name and nothing else: nothing torn is left over. */
async function assertDisk(engine: Engine, dir: string): Promise<void> {
  const look = async () => (await listFiles(dir)).filter((path) => /^(active|packs)\//.test(path));
  let files = await look();
  // What was full is sealed in the background: for a moment a pack has two names.
  for (let turn = 0; turn < 100 && isBusy(files); turn++) {
    await new Promise((resolve) => setTimeout(resolve, 10));
    files = await look();
  }
  const odd = files.filter((path) =>
    !/^active\/[0-9a-f]{32}\.seg$|^packs\/(data|log)\//.test(path)
  );
  assert.deepEqual(odd, [], "left over");
  assert.equal(files.length, (await engine.stats())["segments"], `files: ${files.join(" ")}`);
}

function isBusy(files: readonly string[]): boolean {
  const names = files.map((path) => path.replace(/^.*\//, "").slice(0, 32));
  return files.some((path) => path.startsWith("packs/.tmp/")) || new Set(names).size < names.length;
}
