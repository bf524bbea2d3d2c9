/** Collects what nothing points to, and closes the gaps that this leaves. */
import { decodePart, decodeRecipe } from "../../codec/recipe.ts";
import { throwIfAborted } from "../../core/abort.ts";
import type { SignalOptions } from "../../core/bytes.ts";
import type { ChunkSource } from "../../core/chunk_store.ts";
import { kindOfNumber } from "../../codec/record.ts";
import type { Bytes } from "../../core/digest.ts";
import type { DataKind } from "../../core/record.ts";
import { KIND_NUMBER } from "../../core/record.ts";
import { deleteDropped, dropSegment } from "./drop.ts";
import { breathe } from "./jobs.ts";
import { moveForward, recordsOf } from "./move.ts";
import type { Pack } from "./pack.ts";
import type { SegmentRow } from "./places.ts";
import { openSegment } from "./segment_bytes.ts";
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
}

/** A data pack of which less than this share is alive is rewritten. */
const LIVE_SHARE = 0.5;
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
  db.exec(
    "CREATE TEMP TABLE IF NOT EXISTS live (kind INTEGER, id BLOB, PRIMARY KEY (kind, id)) WITHOUT ROWID",
  );
  try {
    const broken = await mark(pack, source, options);
    flushTouches(pack);
    const removed = await sweep(pack, cutoff, options.signal);
    const freed = await compactData(pack, options.signal);
    return { ...removed, freed_bytes: freed, broken };
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

async function sweep(
  pack: Pack,
  cutoff: number,
  signal: AbortSignal | undefined,
): Promise<Pick<Collected, "removed" | "removed_bytes">> {
  const { tables, holdings } = pack;
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
    if (rows.length === 0) return { removed, removed_bytes };
    tables.transaction(() => {
      for (const { kind, id, used } of rows) {
        const name = kindOfNumber(kind) as DataKind;
        if (used >= cutoff || holdings.get(name, id) || alive.get(kind, id)) continue;
        const gone = tables.remove(name, id);
        removed++;
        removed_bytes += gone?.stored ?? 0;
      }
    });
    after = rows[rows.length - 1]!;
    await breathe();
  }
}

/** Rewrites data packs that are mostly dead; tells the bytes won. */
export async function compactData(pack: Pack, signal?: AbortSignal): Promise<number> {
  let freed = 0;
  for (const { number } of pack.tables.segments()) {
    throwIfAborted(signal);
    freed += await pack.jobs.run(() => compactOne(pack, number));
  }
  return freed;
}

async function compactOne(pack: Pack, number: number): Promise<number> {
  const segment = pack.tables.segment(number);
  // Its bytes could not be deleted when it was dropped.
  if (segment?.state === "dropping") await deleteDropped(pack, segment);
  if (!segment || (segment.state !== "sealed" && segment.state !== "full")) return 0;
  if (segment.area !== "data" || segment.live_bytes >= segment.size * LIVE_SHARE) return 0;
  const moved = await moveAll(pack, segment);
  // What came to be needed meanwhile, or could not be read now, keeps the segment for now.
  const lost = await dropSegment(pack, segment, () => isNeeded(pack, segment));
  return lost === undefined ? 0 : segment.size - moved;
}

async function moveAll(pack: Pack, segment: SegmentRow): Promise<number> {
  using source = openSegment({ files: pack.files, objects: pack.options.objects }, segment);
  if (!source) return 0;
  const { rows, pending } = recordsOf(pack, segment);
  return await moveForward(pack, source, [...rows, ...pending]);
}

function isNeeded(pack: Pack, segment: SegmentRow): boolean {
  const { rows, pending } = recordsOf(pack, segment);
  return rows.length + pending.length > 0;
}
