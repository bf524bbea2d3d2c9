/**
 * Usage by hour and day, in `<dir>/usage.sqlite`. The main thread adds up what the threads count
 * and writes every few seconds; a crash loses those. The file may be deleted at any time.
 *
 * ```
 * names(no, id, name)                  a namespace: its id as in the log, its name sealed
 * usage(unit, at, tool, no, …counts)   unit `hour` or `day`, `at` its begin, milliseconds since 1970
 * ```
 *
 * Hours and days are counted, not dated, when old ones go: a clock that jumps ahead and back leaves
 * an odd hour behind and takes nothing away.
 */
import { DatabaseSync } from "node:sqlite";
import type { StatementSync } from "node:sqlite";
import { namespaceId } from "../../codec/entry_id.ts";
import type { RecordContext } from "../../codec/entry_record.ts";
import type { Bytes } from "../../core/digest.ts";
import type { Clock } from "../../core/clock.ts";
import type { CacheError } from "../../core/errors.ts";
import { toCacheError } from "../../core/errors.ts";
import type { UsageQuery, UsageRow } from "../../core/insight.ts";
import { USAGE_DAYS, USAGE_FLUSH_MS, USAGE_HOURS } from "../../core/limits.ts";
import { USAGE_GROUPS_PER_HOUR } from "../../core/limits.ts";
import { isDamage } from "../../index/sqlite/errors.ts";
import { addUsage, NO_USAGE, OTHERS, USAGE_FIELDS } from "./tally.ts";
import type { UsageDelta } from "./tally.ts";

const VERSION = 1;
const HOUR_MS = 3_600_000;
const UNITS = [
  { unit: "hour", ms: HOUR_MS, keep: USAGE_HOURS },
  { unit: "day", ms: 24 * HOUR_MS, keep: USAGE_DAYS },
] as const;
const SCHEMA = [
  `CREATE TABLE IF NOT EXISTS names (no INTEGER PRIMARY KEY, id BLOB NOT NULL UNIQUE,
  name BLOB NOT NULL) STRICT`,
  `CREATE TABLE IF NOT EXISTS usage (
  unit TEXT NOT NULL, at INTEGER NOT NULL, tool TEXT NOT NULL, no INTEGER NOT NULL,
  ${USAGE_FIELDS.map((field) => `${field} INTEGER NOT NULL`).join(", ")},
  PRIMARY KEY (unit, at, tool, no)) STRICT, WITHOUT ROWID`,
  `PRAGMA user_version = ${VERSION}`,
];

/** Options of {@linkcode openUsage}. */
export interface UsageOptions {
  /** The SQLite file. */
  readonly path: string;
  readonly context: RecordContext;
  readonly clock: Clock;
  /** Hears of a file that was made anew, and of writes that failed: the numbers wait. */
  readonly report: (error: CacheError) => void;
}

/** Lines that wait at most, while the file can not be written. */
const MAX_WAITING = 20_000;

/**
 * Opens the file; a damaged one is made anew, since it holds nothing but statistics.
 * @throws {CacheError} when it can not be opened now: a full disk is no reason to lose a year
 */
export function openUsage(options: UsageOptions): UsageStore {
  try {
    return new UsageStore(connect(options.path), options);
  } catch (thrown) {
    if (!isDamage(thrown) && !isForeign(thrown)) throw toCacheError(thrown, "usage.open");
    options.report(toCacheError(thrown, "usage.open"));
    for (const suffix of ["", "-wal", "-shm"]) removeIfThere(options.path + suffix);
    return new UsageStore(connect(options.path), options);
  }
}

/** Takes what threads counted and answers for it. */
export class UsageStore implements Disposable {
  readonly #db: DatabaseSync;
  readonly #options: UsageOptions;
  readonly #add: StatementSync;
  readonly #numbers = new Map<string, number>();
  /** By unit, hour, tool and namespace; what is not in the file yet. */
  #waiting = new Map<string, { at: number; unit: string; delta: UsageDelta }>();
  #timer: ReturnType<typeof setTimeout> | undefined;

  /** Use {@linkcode openUsage}. */
  constructor(db: DatabaseSync, options: UsageOptions) {
    this.#db = db;
    this.#options = options;
    const sums = USAGE_FIELDS.map((field) => `${field} = ${field} + excluded.${field}`);
    this.#add = db.prepare(
      `INSERT INTO usage VALUES (?, ?, ?, ?, ${USAGE_FIELDS.map(() => "?").join(", ")})
       ON CONFLICT (unit, at, tool, no) DO UPDATE SET ${sums.join(", ")}`,
    );
  }

  /** Adds up; the file follows within seconds. */
  add(deltas: readonly UsageDelta[]): void {
    const now = this.#options.clock.now();
    for (const delta of deltas) {
      for (const { unit, ms } of UNITS) {
        const at = Math.max(0, Math.floor(now / ms) * ms);
        const full = this.#waiting.size >= MAX_WAITING;
        const own = `${unit} ${at} ${delta.tool} ${delta.namespace}`;
        const shared = `${unit} ${at} ${delta.tool} ${OTHERS}`;
        const name = full && !this.#waiting.has(own) ? shared : own;
        const namespace = name === shared ? OTHERS : delta.namespace;
        const before = this.#waiting.get(name)?.delta ??
          { tool: delta.tool, namespace, ...NO_USAGE };
        this.#waiting.set(name, { at, unit, delta: addUsage(before, delta) });
      }
    }
    if (this.#waiting.size > 0) this.#timer ??= setTimeout(() => this.flush(), USAGE_FLUSH_MS);
  }

  /** Writes what waits. A failure is reported, and what waits goes on waiting. */
  flush(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.#waiting.size === 0) return;
    try {
      this.#db.exec("BEGIN IMMEDIATE");
      for (const { at, unit, delta } of this.#waiting.values()) {
        const counts = USAGE_FIELDS.map((field) => Math.round(delta[field]));
        this.#add.run(unit, at, delta.tool, this.#placeOf(unit, at, delta), ...counts);
      }
      for (const { unit, keep } of UNITS) this.#forget(unit, keep);
      this.#db.exec("COMMIT");
      this.#waiting = new Map();
    } catch (thrown) {
      this.#numbers.clear();
      if (this.#db.isTransaction) this.#db.exec("ROLLBACK");
      this.#options.report(toCacheError(thrown, "usage.flush"));
    }
  }

  /** Groups and their counts, in order; current at once. */
  query({ by, since, namespaces }: UsageQuery): UsageRow[] {
    this.flush();
    const unit = this.#unitFor(by, since);
    const { ms } = UNITS.find((one) => one.unit === unit)!;
    const from = since === undefined ? 0 : Math.floor(since / ms) * ms;
    const rows = this.#db.prepare(
      `SELECT at, tool, names.id AS id, names.name AS name,
         ${USAGE_FIELDS.join(", ")} FROM usage JOIN names USING (no)
       WHERE unit = ? AND at >= ? ORDER BY at`,
    ).iterate(unit, from);
    const groups = new Map<string, UsageRow>();
    for (const row of rows) {
      const namespace = this.#nameOf(row.name as Bytes, row.id as Bytes);
      if (namespaces && !namespaces.includes(namespace)) continue;
      const group = by === "tool"
        ? String(row.tool)
        : by === "namespace"
        ? namespace
        : new Date(Number(row.at)).toISOString();
      const counts = Object.fromEntries(USAGE_FIELDS.map((field) => [field, Number(row[field])]));
      groups.set(
        group,
        addUsage(groups.get(group) ?? { group, ...NO_USAGE }, { ...NO_USAGE, ...counts }),
      );
    }
    const byTime = by === "hour" || by === "day";
    return byTime
      ? [...groups.values()]
      : [...groups.values()].sort((a, b) => a.group < b.group ? -1 : 1);
  }

  [Symbol.dispose](): void {
    if (!this.#db.isOpen) return;
    this.flush();
    clearTimeout(this.#timer);
    this.#db.close();
  }

  /** Hours are exact, days go back further. */
  #unitFor(by: UsageQuery["by"], since: number | undefined): "hour" | "day" {
    if (by === "hour" || by === "day") return by;
    const row = this.#db.prepare(`SELECT min(at) AS first FROM usage WHERE unit = 'hour'`).get();
    const first = row?.first;
    return since !== undefined && typeof first === "number" && since >= first ? "hour" : "day";
  }

  #forget(unit: string, keep: number): void {
    this.#db.prepare(
      `DELETE FROM usage WHERE unit = ?1 AND at <=
         (SELECT at FROM usage WHERE unit = ?1 GROUP BY at ORDER BY at DESC LIMIT 1 OFFSET ?2)`,
    ).run(unit, keep);
  }

  /** The number of the namespace, or of all others where the hour has very many lines already. */
  #placeOf(unit: string, at: number, { tool, namespace }: UsageDelta): number {
    const no = this.#numberOf(namespace);
    const here = this.#db.prepare(
      `SELECT count(*) AS lines, sum(tool = ? AND no = ?) AS own FROM usage
       WHERE unit = ? AND at = ?`,
    ).get(tool, no, unit, at);
    const full = Number(here?.lines) >= USAGE_GROUPS_PER_HOUR && !here?.own;
    return full ? this.#numberOf(OTHERS) : no;
  }

  #numberOf(namespace: string): number {
    const known = this.#numbers.get(namespace);
    if (known !== undefined) return known;
    const { keys, seal } = this.#options.context;
    const id = namespaceId(keys, namespace);
    const name = seal.seal(new TextEncoder().encode(namespace), id);
    const found = this.#db.prepare(`SELECT no FROM names WHERE id = ?`).get(id)?.no;
    const no = Number(
      found ?? this.#db.prepare(`INSERT INTO names (id, name) VALUES (?, ?)`).run(id, name)
        .lastInsertRowid,
    );
    this.#numbers.set(namespace, no);
    return no;
  }

  #nameOf(sealed: Bytes, id: Bytes): string {
    return new TextDecoder().decode(this.#options.context.seal.open(sealed, id));
  }
}

function connect(path: string): DatabaseSync {
  const db = new DatabaseSync(path);
  try {
    // One by one: what `exec` throws has no code.
    db.prepare("PRAGMA journal_mode = WAL").get();
    db.prepare("PRAGMA synchronous = NORMAL").run();
    const version = Number(db.prepare("PRAGMA user_version").get()?.user_version);
    if (version > VERSION) throw new TypeError(`Cannot read usage of version ${version}`);
    for (const statement of SCHEMA) db.prepare(statement).run();
    return db;
  } catch (thrown) {
    db.close();
    throw thrown;
  }
}

/** Whether it holds other tables, or those of a newer version. */
function isForeign(thrown: unknown): boolean {
  const SQL_ERROR = 1;
  return thrown instanceof TypeError || (thrown as { errcode?: unknown }).errcode === SQL_ERROR;
}

function removeIfThere(path: string): void {
  try {
    Deno.removeSync(path);
  } catch (thrown) {
    if (!(thrown instanceof Deno.errors.NotFound)) throw thrown;
  }
}
