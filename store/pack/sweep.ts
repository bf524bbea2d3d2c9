/** Collects what nothing points to. */
import { decodePart, decodeRecipe } from "../../codec/recipe.ts";
import { throwIfAborted } from "../../core/abort.ts";
import type { SignalOptions } from "../../core/bytes.ts";
import type { GoingPack } from "../../core/cache.ts";
import type { ChunkSource } from "../../core/chunk_store.ts";
import { kindOfNumber } from "../../codec/record.ts";
import type { Bytes } from "../../core/digest.ts";
import type { DataKind } from "../../core/record.ts";
import { KIND_NUMBER } from "../../core/record.ts";
import { compactData, planCompaction } from "./compact_data.ts";
import { breathe } from "./jobs.ts";
import type { Pack } from "./pack.ts";
import { recordBytes } from "./places.ts";
import { flushTouches } from "./touches.ts";

/** A record that must stay, with what it points to. */
export interface Root {
  readonly kind: DataKind;
  readonly id: Bytes;
}

/** Options of a collection. */
export interface CollectOptions extends SignalOptions {
  /** All visible blobs, as the chunk or recipe they are. Read to its end before anything goes. */
  readonly roots: AsyncIterable<Root> | Iterable<Root>;
  /**
   * Milliseconds: what was stored or used after the beginning less this stays. Must be longer than
   * it takes from the commit of a blob to its link.
   */
  readonly grace: number;
  /** Changes nothing and tells what would go. Default false. */
  readonly dryRun?: boolean | undefined;
}

/** What a collection did. */
export interface Collected {
  readonly removed: number;
  /** Bytes of the records removed. */
  readonly removed_bytes: number;
  /** Bytes of the segments that went, less what moved out of them. */
  readonly freed_bytes: number;
  /** Recipes that could not be read: what only they point to was collected. */
  readonly broken: number;
  /** The packs that went since they were mostly dead. */
  readonly packs: readonly GoingPack[];
}

/** Rows looked at between two turns of everybody else. */
const STEP = 500;

/** Marks all that the roots reach, removes the rest, and rewrites packs that are mostly dead. */
export async function collectGarbage(
  pack: Pack,
  source: ChunkSource,
  options: CollectOptions,
): Promise<Collected> {
  const cutoff = Math.floor((pack.options.clock.now() - options.grace) / 1000);
  const { db } = pack.tables;
  // What is marked stands in a table of this connection, which a failed transaction would undo.
  using _closed = pack.tables.closed();
  db.exec(
    "CREATE TEMP TABLE IF NOT EXISTS live (kind INTEGER, id BLOB, PRIMARY KEY (kind, id)) WITHOUT ROWID",
  );
  try {
    const broken = await mark(pack, source, options);
    flushTouches(pack);
    const { dead, ...removed } = await sweep(pack, cutoff, options);
    const compacted = options.dryRun
      ? planCompaction(pack, dead)
      : await compactData(pack, options.signal);
    return { ...removed, ...compacted, broken };
  } finally {
    db.exec("DROP TABLE IF EXISTS temp.live");
  }
}

async function mark(pack: Pack, source: ChunkSource, options: CollectOptions): Promise<number> {
  const insert = pack.tables.db.prepare("INSERT OR IGNORE INTO temp.live VALUES (?, ?)");
  const note = (kind: DataKind, id: Bytes) => insert.run(KIND_NUMBER[kind], id).changes > 0;
  let broken = 0;
  let count = 0;
  for await (const { kind, id } of options.roots) {
    throwIfAborted(options.signal);
    if (note(kind, id) && kind === "recipe") {
      if (!await markRecipe(source, id, { note, signal: options.signal })) broken++;
    }
    if (++count % STEP === 0) await breathe();
  }
  return broken;
}

async function markRecipe(
  source: ChunkSource,
  id: Bytes,
  options: SignalOptions & { note: (kind: DataKind, id: Bytes) => boolean },
): Promise<boolean> {
  const body = await source.read("recipe", id, options);
  if (!body) return false;
  const recipe = decodeRecipe(body);
  let whole = true;
  for (const entry of recipe.entries) {
    if (recipe.level === 1) options.note("chunk", entry.id);
    else if (options.note("recipe", entry.id)) {
      const part = await source.read("recipe", entry.id, options);
      if (!part) whole = false;
      else for (const chunk of decodePart(part, entry.length)) options.note("chunk", chunk.id);
    }
  }
  return whole;
}

/** `dead`: bytes removed by segment. */
async function sweep(
  pack: Pack,
  cutoff: number,
  { signal, dryRun = false }: Pick<CollectOptions, "signal" | "dryRun">,
): Promise<Pick<Collected, "removed" | "removed_bytes"> & { dead: Map<number, number> }> {
  const { tables, holdings } = pack;
  const dead = new Map<number, number>();
  // In the order of the key, so that each step goes on where the last one stopped.
  const page = tables.db.prepare(
    "SELECT kind, id, used FROM location WHERE (kind, id) > (?, ?) ORDER BY kind, id LIMIT ?",
  );
  const alive = tables.db.prepare("SELECT 1 FROM temp.live WHERE kind = ? AND id = ?");
  let [removed, removed_bytes] = [0, 0];
  let after: { kind: number; id: Bytes } = { kind: 0, id: new Uint8Array(0) };
  while (true) {
    throwIfAborted(signal);
    const rows = page.all(after.kind, after.id, STEP) as unknown as {
      kind: number;
      id: Bytes;
      used: number;
    }[];
    if (rows.length === 0) return { removed, removed_bytes, dead };
    tables.transaction(() => {
      for (const { kind, id, used } of rows) {
        const name = kindOfNumber(kind) as DataKind;
        if (used >= cutoff || holdings.get(name, id) || alive.get(kind, id)) continue;
        const gone = dryRun ? tables.find(name, id) : tables.remove(name, id);
        if (!gone) continue;
        removed++;
        removed_bytes += gone.stored;
        dead.set(gone.segment, (dead.get(gone.segment) ?? 0) + recordBytes(gone));
      }
    });
    after = rows[rows.length - 1]!;
    await breathe();
  }
}
