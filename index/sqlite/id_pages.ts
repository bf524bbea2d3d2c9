/** All ids of a table, many at a time. */
import type { DatabaseSync } from "node:sqlite";
import type { Bytes } from "../../core/digest.ts";
import type { IdPages } from "../../core/id_pages.ts";
import { openForReading } from "./open_file.ts";

/** What {@linkcode SideReads} reads. */
export interface SideReadsOptions {
  readonly path: string;
  /** The writer's own connection, for `:memory:`, where there can be no other. */
  readonly db: DatabaseSync;
  /** Commits rows that are open: no other connection sees them. */
  commitRows(): void;
}

/**
 * Reads rows of a file through connections of their own: what is read once would fill the cache of
 * the one that writes, 60 MB with a million entries.
 */
export class SideReads {
  readonly #options: SideReadsOptions;
  readonly #running = new Set<Promise<void>>();

  constructor(options: SideReadsOptions) {
    this.#options = options;
  }

  /** Lends `read` a connection until it is through. */
  async run(read: (db: DatabaseSync) => Promise<void>): Promise<void> {
    const work = this.#run(read);
    this.#running.add(work);
    try {
      await work;
    } finally {
      this.#running.delete(work);
    }
  }

  /** Waits until none is open: the last connection of a file is the one that tidies it up. */
  async idle(): Promise<void> {
    await Promise.allSettled(this.#running);
  }

  async #run(read: (db: DatabaseSync) => Promise<void>): Promise<void> {
    const { path, db, commitRows } = this.#options;
    commitRows();
    if (path === ":memory:") return await read(db);
    const own = openForReading(path);
    try {
      await read(own);
    } finally {
      // It lives on until its statements are collected, and need not keep its pages until then.
      own.exec("PRAGMA shrink_memory");
      own.close();
    }
  }
}

/** Ids of all entries, tombstones included. */
export function entryIds(db: DatabaseSync): IdPages {
  const page = db.prepare(joined("entries WHERE id > ?"));
  return (after, limit) => idsOf(page.get(after ?? NOTHING, limit));
}

/** Ids of the blobs that a namespace sees; `large` are those with a recipe. */
export function visibleIds(db: DatabaseSync, namespace: number, large: boolean): IdPages {
  const page = db.prepare(
    joined("visibility WHERE namespace_no = ? AND id > ? AND (kind <> 1) = ?"),
  );
  return (after, limit) => idsOf(page.get(namespace, after ?? NOTHING, large ? 1 : 0, limit));
}

const NOTHING = new Uint8Array(0);

/** Joined by SQLite itself: a row of its own for each would take six times as long. */
function joined(rows: string): string {
  return `SELECT CAST(group_concat(id, '') AS BLOB) AS ids
    FROM (SELECT id FROM ${rows} ORDER BY id LIMIT ?)`;
}

function idsOf(row: Record<string, unknown> | undefined): Bytes {
  return (row?.["ids"] ?? NOTHING) as Bytes;
}
