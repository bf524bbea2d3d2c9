/** Work on a store as a whole: what packs and index can only tell together. */
import { MAX_LOST_BLOBS, MAX_NEXT_PACKS, MAX_TOLD_PINS } from "../core/cache.ts";
import type { GcOptions, GcReport, Maintenance, VerifyReport } from "../core/cache.ts";
import type { ChunkSource, WriterPort } from "../core/chunk_store.ts";
import type { Digest } from "../core/digest.ts";
import type { BlobRef, EntryKey } from "../core/entry.ts";
import type { SignalOptions } from "../core/bytes.ts";
import { throwIfAborted } from "../core/abort.ts";
import type { IndexWriter } from "../index/contract.ts";
import type { AuditCheck } from "../index/audit/read.ts";
import { idOf, isOneChunk } from "../store/cas/presence.ts";
import type { Presence } from "../store/cas/presence.ts";
import type { PackWriter } from "../store/pack/writer.ts";
import type { PinBoard } from "./pin_board.ts";
import type { Quotas } from "./quotas.ts";

/** What maintenance works on. */
export interface MaintenanceParts {
  readonly packs: PackWriter;
  readonly index: IndexWriter;
  readonly presence: Presence;
  readonly chunks: ChunkSource;
  readonly port: WriterPort;
  readonly quotas: Pick<Quotas, "uses" | "next">;
  readonly board: Pick<PinBoard, "list" | "totals">;
  checkAudit(signal: AbortSignal | undefined): Promise<AuditCheck>;
}

/** Milliseconds a record is left alone after it was stored: its link may be on the way. */
const GRACE_MS = 10 * 60_000;
/** Rows of one step, between which others get a turn. */
const PAGE = 1000;
/** Who deletes entries that nothing can bring back; no token has this name. */
const REPAIR = "verify --repair";
/** Lines of `problems`; the counts go on. */
const MAX_PROBLEMS = 1000;

/** Verification and collection of one store. */
export function createMaintenance(parts: MaintenanceParts): Maintenance {
  return {
    verify: (options = {}) => verify(parts, options),
    gc: (options = {}) => gc(parts, options),
  };
}

/** A blob in a namespace. */
interface Seen {
  readonly namespace: string;
  readonly blob: BlobRef;
}

async function* visibleBlobs(
  { index }: MaintenanceParts,
  signal: AbortSignal | undefined,
): AsyncGenerator<Seen[], void, void> {
  for (const namespace of index.namespaces()) {
    let after: Digest | undefined;
    while (true) {
      throwIfAborted(signal);
      const page = index.visibility.list(namespace, after, PAGE);
      if (page.length === 0) break;
      yield page.map((blob) => ({ namespace, blob }));
      after = page.at(-1)!.digest;
    }
  }
}

async function verify(
  parts: MaintenanceParts,
  { repair = false, signal }: { repair?: boolean } & SignalOptions,
): Promise<VerifyReport> {
  const { packs, index } = parts;
  const problems: { what: string; where: string }[] = [];
  const tell = (where: string, what: string) => {
    if (problems.length < MAX_PROBLEMS) problems.push({ where, what });
  };
  // Always set aside: a record that is known to be damaged must not be served a second longer.
  const found = await packs.verify({ repair: true, signal });
  const damaged = packs.damaged();
  for (const row of damaged) {
    const id = row.id ? row.id.toHex() : "unreadable";
    tell(`segment ${row.segment}, byte ${row.offset}`, `${row.kind ?? "record"} ${id} is damaged`);
  }
  // Before anything is dropped: where only a row of the tables was wrong, the record is found again.
  const { logDamaged } = repair ? await packs.care.mend({ signal }) : { logDamaged: false };
  const broken = damaged.length === 0 ? { lost: [], entries: [] } : await brokenBy(parts, signal);
  for (const { namespace, blob } of broken.lost) {
    tell(`blob ${blob.digest}`, `lost in ${namespace}`);
  }
  for (const key of broken.entries) {
    tell(`entry ${key.key}`, `${key.namespace}, ${key.scope}, ${key.protocol}: names a lost blob`);
  }
  const audit = await parts.checkAudit(signal);
  for (const { where, what } of audit.problems) tell(where, what);
  let repaired = 0;
  if (repair) {
    repaired = damaged.length + broken.lost.length + broken.entries.length + audit.problems.length;
    await drop(parts, broken);
    // The index holds all that the log says: it writes a new one.
    if (logDamaged) await index.compact({ force: true });
    packs.forgetDamage();
    if (audit.problems.length > 0) index.mendAudit();
  }
  const { segments } = packs.stats();
  return {
    segments,
    records: found.records,
    bytes: found.bytes,
    entries: index.totals().entries,
    quarantined: damaged.length,
    lost: broken.lost.length,
    broken_entries: broken.entries.length,
    repaired,
    audit_rows: audit.rows,
    audit_damaged: audit.problems.length,
    lost_blobs: broken.lost.slice(0, MAX_LOST_BLOBS)
      .map(({ namespace, blob: { digest, size } }) => ({ namespace, digest, size })),
    problems,
  };
}

/** What fell with damaged records: without any, a blob that is not whole was evicted on purpose. */
async function brokenBy(
  parts: MaintenanceParts,
  signal: AbortSignal | undefined,
): Promise<{ lost: Seen[]; entries: EntryKey[] }> {
  const lost: Seen[] = [];
  const digests = new Set<string>();
  for await (const page of visibleBlobs(parts, signal)) {
    const whole = await parts.presence.whole(page.map(({ blob }) => blob));
    for (const [n, seen] of page.entries()) {
      if (whole[n]) continue;
      lost.push(seen);
      digests.add(`${seen.namespace} ${seen.blob.digest}`);
    }
  }
  const entries: EntryKey[] = [];
  for await (const item of parts.index.scan({ incomplete: true, signal })) {
    if (item.type !== "entry") continue;
    const { namespace, scope, protocol, key, blobs } = item.entry;
    const names = blobs.some(({ digest }) => digests.has(`${namespace} ${digest}`));
    if (names) entries.push({ namespace, scope, protocol, key });
  }
  return { lost, entries };
}

async function drop(
  { port }: MaintenanceParts,
  broken: { lost: readonly Seen[]; entries: readonly EntryKey[] },
): Promise<void> {
  for (let from = 0; from < broken.entries.length; from += PAGE) {
    await port.commit({ remove: broken.entries.slice(from, from + PAGE), by: REPAIR });
  }
  await unlink(port, broken.lost);
}

async function unlink(port: WriterPort, seen: readonly Seen[]): Promise<void> {
  for (let from = 0; from < seen.length; from += PAGE) {
    const page = seen.slice(from, from + PAGE);
    await port.commit({
      unlink: page.map(({ namespace, blob }) => ({ namespace, digest: blob.digest })),
    });
  }
}

async function gc(
  parts: MaintenanceParts,
  { dryRun = false, signal }: GcOptions,
): Promise<GcReport> {
  const { packs, presence } = parts;
  const before = packs.stats().segments;
  const gone: Seen[] = [];
  async function* roots() {
    for await (const page of visibleBlobs(parts, signal)) {
      const whole = await presence.whole(page.map(({ blob }) => blob));
      for (const [n, seen] of page.entries()) {
        if (whole[n]) yield { kind: kindOf(seen.blob), id: idOf(seen.blob.digest) };
        else gone.push(seen);
      }
    }
  }
  const collected = await packs.gc({ roots: roots(), grace: GRACE_MS, dryRun, signal });
  if (!dryRun) await forgetEvicted(parts, gone);
  return {
    dry_run: dryRun,
    segments_removed: dryRun
      ? collected.packs.length
      : Math.max(before - packs.stats().segments, 0),
    records_removed: collected.removed,
    record_bytes: collected.removed_bytes,
    bytes_freed: collected.freed_bytes,
    packs: collected.packs,
    next: packs.nextToGo(MAX_NEXT_PACKS),
    namespaces: parts.quotas.uses(),
    next_entries: dryRun ? parts.quotas.next() : [],
    kept: parts.board.list().slice(0, MAX_TOLD_PINS),
    pinned: parts.board.totals(),
  };
}

/**
 * Marks of evicted blobs go: nobody can read them. The look and the request to the writer are one
 * turn of this thread, so a blob that is stored again meanwhile is linked behind the unlink.
 */
async function forgetEvicted(
  { chunks, port }: MaintenanceParts,
  gone: readonly Seen[],
): Promise<void> {
  for (let from = 0; from < gone.length; from += PAGE) {
    const still = gone.slice(from, from + PAGE).filter(({ blob }) =>
      !chunks.has(kindOf(blob), [idOf(blob.digest)])[0]
    );
    if (still.length > 0) await unlink(port, still);
  }
}

function kindOf(blob: BlobRef): "chunk" | "recipe" {
  return isOneChunk(blob) ? "chunk" : "recipe";
}
