/** Brings a store from whatever state it was left in to one that can be written. */
import { SEGMENT_HEADER_BYTES } from "../../codec/segment.ts";
import type { SegmentKind } from "../../codec/segment.ts";
import { ActiveSegment, identityOf } from "./active.ts";
import { deleteDropped } from "./drop.ts";
import { packError } from "./errors.ts";
import { Holdings } from "./holdings.ts";
import { Jobs } from "./jobs.ts";
import { openTables } from "./open_tables.ts";
import { segmentLimit } from "./options.ts";
import type { PackWriterOptions } from "./options.ts";
import { begin } from "./pack.ts";
import type { Pack } from "./pack.ts";
import { reconcilePacks } from "./rebuild.ts";
import { recoverFiles } from "./recover.ts";
import type { SegmentFiles } from "./segment_files.ts";
import {
  folderSegmentFiles,
  makeSegmentFolder,
  memorySegmentFiles,
  segmentFileName,
} from "./segment_files.ts";
import type { Tables } from "./tables.ts";

/**
 * Opens or makes a store.
 * @throws {CacheError} `unsupported` when a newer program wrote it, `unavailable`,
 * `permission_denied`, `quota_exceeded`
 */
export async function openPack(options: PackWriterOptions): Promise<Pack> {
  const { dir } = options;
  try {
    if (dir !== undefined) makeSegmentFolder(dir);
    const files = dir === undefined ? memorySegmentFiles() : folderSegmentFiles(dir);
    const { tables, clean: closed, unchecked, rebuild, damaged } = openTables(dir, options);
    try {
      if (damaged) options.counters.add("quarantined");
      const clean = closed && agree(tables, files);
      return await recover(options, { files, tables, clean, unchecked, rebuild, damaged });
    } catch (error) {
      tables.close();
      throw error;
    }
  } catch (error) {
    throw packError(error, "open", `the store${dir === undefined ? "" : ` "${dir}"`}`);
  }
}

/**
 * Whether the files are as the tables say. They are after a clean stop, unless somebody put an old
 * copy of the tables back, or took a file away: then nothing may be cut that the tables do not know.
 */
function agree(tables: Tables, files: SegmentFiles): boolean {
  const there = new Set(files.list());
  for (const { name, state, applied, size } of tables.segments()) {
    const fileName = segmentFileName(name);
    if (state === "sealed" || state === "dropping" || !there.delete(fileName)) {
      if (state === "active" || state === "full" || state === "building") return false;
      continue;
    }
    const file = files.open(fileName, "r");
    const bytes = file?.size();
    file?.close();
    if (bytes !== (state === "active" ? applied : size)) return false;
  }
  return [...there].every((name) => !name.endsWith(".seg"));
}

async function recover(
  options: PackWriterOptions,
  opened: {
    files: SegmentFiles;
    tables: Tables;
    clean: boolean;
    unchecked: boolean;
    rebuild: string | undefined;
    damaged: boolean;
  },
): Promise<Pack> {
  const { files, tables, clean, rebuild, damaged } = opened;
  tables.transaction(() => {
    tables.setMeta("clean", 0);
    tables.setMeta("unclean_start", clean ? 0 : 1);
  }, { durable: true });
  if (!clean) {
    if (rebuild !== undefined) options.faults?.("rebuild.begin");
    const opening = { options, tables, files, rebuilds: rebuild !== undefined };
    await reconcilePacks(opening);
    options.faults?.("rebuild.before_tables");
    recoverFiles(opening);
    const segments = tables.segments().length;
    if (rebuild === undefined) {
      // Nothing to tell: what was found is reported by segment.
    } else if (segments === 0) {
      // A new store: there was nothing that could have been lost or torn.
      tables.transaction(() => tables.setMeta("unclean_start", 0));
    } else {
      const { records } = tables.totals;
      options.report({ type: "rebuilt", reason: rebuild, damaged, segments, records });
    }
    options.faults?.("rebuild.after_tables");
  }
  return await assemble(options, opened);
}

async function assemble(
  options: PackWriterOptions,
  { files, tables, unchecked }: { files: SegmentFiles; tables: Tables; unchecked: boolean },
): Promise<Pack> {
  const sequence = tables.db.prepare("SELECT seq FROM sqlite_sequence WHERE name = 'segments'");
  const pack: Pack = {
    options,
    tables,
    files,
    unchecked,
    holdings: new Holdings(),
    pins: new Map(),
    touches: new Map(),
    jobs: new Jobs(),
    active: {} as Record<SegmentKind, ActiveSegment>,
    limits: { data: segmentLimit(options, "data"), log: segmentLimit(options, "log") },
    restBytes: 0,
    measured: undefined,
    lastMeasured: undefined,
    credit: { free: -1, bytes: 0 },
    nextNumber: Number(sequence.get()?.["seq"] ?? 0) + 1,
    onFull() {},
    onUnsynced() {},
    fault: (point) => options.faults?.(point),
    report: (event) => options.report(event),
  };
  for (const segment of tables.segments()) {
    if (segment.state === "dropping") await deleteDropped(pack, segment);
  }
  for (const area of ["data", "log"] as const) {
    pack.active[area] = continueOn(pack, area) ?? begin(pack, area);
  }
  const current = new Set([pack.active.data.number, pack.active.log.number]);
  const rest = tables.segments().filter(({ number }) => !current.has(number));
  pack.restBytes = rest.reduce((sum, { size }) => sum + size, 0);
  return pack;
}

/** The newest segment of an area that can be appended; older ones are full. */
function continueOn(pack: Pack, area: SegmentKind): ActiveSegment | undefined {
  const { tables, files } = pack;
  let found: ActiveSegment | undefined;
  for (const row of tables.segments(area).reverse()) {
    if (row.state !== "active") continue;
    const { number, applied } = row;
    const file = found ? undefined : files.open(segmentFileName(row.name));
    if (file && applied >= SEGMENT_HEADER_BYTES) {
      // Behind what the tables know may be what a stop left: it was not acknowledged.
      if (file.size() !== applied) file.truncate(applied);
      found = new ActiveSegment(identityOf(row), file, applied);
    } else {
      tables.transaction(() => {
        tables.setSegment(number, { state: "full", size: applied, applied });
      });
    }
  }
  return found;
}
