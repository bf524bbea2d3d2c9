/** Builds stores: the only file that knows what a folder is made of. */
// size: everything that a folder is made of meets here, each part once
import { ensureAdminToken } from "../auth/admin_token.ts";
import { openDomainKey } from "../auth/domain_key.ts";
import { openServerKey } from "../auth/server_key.ts";
import { openTokenStore } from "../auth/token_store.ts";
import { noSeal } from "../codec/seal.ts";
import { Background } from "../core/background.ts";
import type { Clock } from "../core/clock.ts";
import { Counters } from "../core/counters.ts";
import { toCacheError } from "../core/errors.ts";
import { CacheError } from "../core/errors.ts";
import { KnownBlobs, KnownBlobsWriter } from "../core/known_blobs.ts";
import { RowsBehind } from "../core/rows_behind.ts";
import { AUDIT_FILE_BYTES, AUDIT_TOTAL_BYTES, MAX_BLOB_BYTES } from "../core/limits.ts";
import type { NamespaceQuota } from "../core/quota.ts";
import { checkAudit } from "../index/audit/read.ts";
import type { AuditLimits } from "../index/audit/trail.ts";
import type { Present } from "../index/contract.ts";
import { openIndexWriter } from "../index/open.ts";
import { policy } from "../policy/decide.ts";
import { blobsPresent, Presence } from "../store/cas/presence.ts";
import { tableBytes } from "../store/pack/disk_bytes.ts";
import type { Durability } from "../store/pack/options.ts";
import { openPackReader } from "../store/pack/reader.ts";
import type { PackReader } from "../store/pack/reader.ts";
import { openPackWriter } from "../store/pack/writer.ts";
import { explainOpening } from "./open_failure.ts";
import { diskFacts, roomLimit } from "./disk_room.ts";
import { Engine } from "./engine.ts";
import { openObjects, pathsOf } from "./folder_parts.ts";
import { IndexRoom } from "./index_room.ts";
import { createInsight } from "./insight.ts";
import { runLateChecks } from "./late_checks.ts";
import { createLocalWriter } from "./local_writer.ts";
import { lockFolder } from "./lock.ts";
import { createMaintenance } from "./maintenance.ts";
import type { Opened } from "./opened.ts";
import { describePackEvent } from "./pack_events.ts";
import { createPinning } from "./pinning.ts";
import { openShares } from "./shares.ts";
import { areTokensLost, ensureStoreFolder, refuseLostKeys } from "./store_format.ts";
import { LazyUsage } from "./usage/lazy.ts";
import { openThreadStack } from "./thread_stack.ts";
import { RowCommits } from "./row_commits.ts";
import type { ServedThread } from "./writer_server.ts";

/** The audit of a small store is small: it must not take the room of what is cached. */
function auditLimits(maxSize: number | undefined): AuditLimits {
  const totalBytes = Math.min(AUDIT_TOTAL_BYTES, Math.floor((maxSize ?? Infinity) / 32));
  return { totalBytes, fileBytes: Math.min(AUDIT_FILE_BYTES, Math.floor(totalBytes / 8)) };
}

/** Options of {@linkcode openEngine}. */
export interface EngineOptions {
  readonly clock: Clock;
  /** Bytes, or `none`. Default: what the first start chose. */
  readonly maxSize?: number | "none" | undefined;
  /** Bytes of the largest blob that this process stores. Default 10 GiB. */
  readonly maxBlobSize?: number | undefined;
  readonly adminTokenFile?: string | undefined;
  /** Whether an acknowledged write is on the disk (`strict`, the default) or soon will be. */
  readonly durability?: Durability | undefined;
  /** What namespaces may hold. Default: no limits. */
  readonly quotas?: readonly NamespaceQuota[] | undefined;
  /** Lines for the log. Default: nobody hears them. */
  readonly report?: ((line: string) => void) | undefined;
}

/** Opens a folder for a command or a program. */
export function openFolder(dir: string, options: EngineOptions): Promise<Opened> {
  return openEngine(dir, options);
}

/**
 * Opens the store in `dir`, and makes it if need be, with its writer on this thread.
 * @throws {CacheError} `conflict` when another process has it open, `unsupported`, `corrupt`
 */
export async function openEngine(dir: string, options: EngineOptions): Promise<Engine> {
  try {
    return await compose(dir, options);
  } catch (thrown) {
    // Who cannot open his store is always told what to do next.
    throw explainOpening(toCacheError(thrown, "store.open"), dir);
  }
}

async function compose(dir: string, options: EngineOptions): Promise<Engine> {
  const { clock, report = () => {} } = options;
  await using stack = new AsyncDisposableStack();
  await ensureStoreFolder(dir);
  await refuseLostKeys(dir);
  stack.use(await lockFolder(dir, `${Deno.build.os} process ${Deno.pid}`));
  const folder = await Deno.realPath(dir);
  const paths = pathsOf(folder);
  const { maxSize } = await roomLimit(folder, options.maxSize);
  const counters = new Counters();
  const serverKey = openServerKey(folder);
  const { indexKey, device } = openDomainKey(folder);
  const keys = { indexKey };
  const tokensLost = await areTokensLost(folder);
  const alarm = (error: CacheError) => {
    const damage = error.kind === "corrupt";
    // What was set aside and made anew counts as damage, like a record.
    if (damage) counters.add("quarantined");
    report(`${damage ? "ALARM: " : ""}${error.message}`);
  };
  const tokens = stack.use(
    openTokenStore(paths.tokens, { serverKey, clock, counters, onDamage: alarm }),
  );
  tokens.check();
  const adminToken = await ensureAdminToken(folder, tokens, {
    serverKey,
    bringFile: options.adminTokenFile,
  });

  if (tokensLost) {
    const text =
      `Cannot find "auth.sqlite": all tokens and revocations of this store are gone, and ` +
      `the one of the administrator begins anew`;
    alarm(new CacheError("corrupt", text, { operation: "engine.tokens" }));
  }
  const threads = new Set<ServedThread>();
  const objects = stack.use(await openObjects(paths, { alone: true }));
  let audited = () => 0;
  let lookAtIndex = () => {};
  // Not yet there while the writer opens, which may finish a deletion that a crash cut off.
  let retire: PackReader["retire"] = () => {};
  const rows = stack.use(
    new RowCommits({
      clock,
      free: () => diskFacts(folder)?.free,
      report: (error) => report(error.message),
    }),
  );
  const packs = stack.use(
    await openPackWriter({
      dir: folder,
      openRows: rows.open.of("packs"),
      objects,
      maxSize,
      policy,
      durability: options.durability,
      reserve: () => diskFacts(folder),
      otherBytes: () => tableBytes(paths.index) + tableBytes(paths.tokens) + audited(),
      clock,
      counters,
      report(event) {
        if (event.type === "evicted") lookAtIndex();
        const line = describePackEvent(event);
        if (line !== undefined) report(line);
      },
      onRetire(segments) {
        retire(segments);
        for (const thread of threads) thread.retire(segments);
      },
    }),
  );
  const behind = new RowsBehind(rows.open.buffer, () => rows.now());
  const chunks = stack.use(
    openPackReader({
      store: { dir: folder },
      objects,
      counters,
      behind,
      onDamage: (place) => packs.reportDamage(place),
    }),
  );
  retire = (segments) => chunks.retire(segments);
  const presence = new Presence(chunks);
  const present: Present = (namespace, blobs) =>
    blobsPresent(namespace, blobs, { presence, visibility: index.visibility });
  const index = stack.use(
    await openIndexWriter({
      path: paths.index,
      log: packs.log,
      keys,
      seal: noSeal,
      device,
      clock,
      audit: { dir: paths.audit, limits: auditLimits(maxSize) },
      present,
      openRows: rows.open.of("index"),
      report: alarm,
    }),
  );
  rows.follow([packs, index]);
  audited = () => index.auditBytes();
  const context = { keys, seal: noSeal };
  const usage = stack.use(
    new LazyUsage({
      path: paths.usage,
      context,
      clock,
      report: alarm,
    }),
  );
  const background = stack.use(new Background((error) => report(error.message)));
  const indexRoom = new IndexRoom({
    maxSize,
    background,
    bytes: () => tableBytes(paths.index) + index.logBytes(),
    entries: () => index.totals().entries,
    losses: () => counters.get("losses"),
    forget: () => index.forgetLost(({ kind, id }) => !chunks.has(kind, [id])[0]),
    report,
  });
  lookAtIndex = () => indexRoom.look();
  // The packs, which close last, may still evict when the index is closed.
  stack.defer(() => void (lookAtIndex = () => {}));
  const known = new KnownBlobsWriter(packs.stats().records);
  const settling = new AbortController();
  stack.defer(() => settling.abort());
  const { board, quotas, ...entrance } = await openShares({
    quotas: options.quotas ?? [],
    packs,
    index,
    chunks,
    maxSize,
    counters,
    clock,
    report,
  });
  const port = createLocalWriter(packs, index, { now: () => clock.now(), counters, ...entrance });
  const { cache } = stack.use(openThreadStack({
    indexPath: paths.index,
    keys,
    chunks,
    port,
    clock,
    counters,
    maxBlobSize: options.maxBlobSize ?? MAX_BLOB_BYTES,
    filter: index.filter,
    behind,
    known: new KnownBlobs(known.buffer),
    recordTotals: () => chunks.totals(),
    forwardTouch: (ids, at) => index.touchIds(ids, at),
    report: alarm,
  }));
  const owned = stack.move();
  return new Engine({
    dir: folder,
    maxSize,
    counters,
    tokens,
    adminToken,
    cache,
    maintenance: createMaintenance({
      packs,
      index,
      presence,
      chunks,
      port,
      quotas,
      board,
      checkAudit: (signal) => checkAudit(paths.audit, context, { signal }),
    }),
    usage,
    insight: createInsight({
      cache,
      tokens,
      auditDir: paths.audit,
      context,
      usage: (query) => Promise.resolve(usage.query(query)),
    }),
    board,
    pinning: createPinning(cache, {
      pin: (keys, by) => board.pin(keys, by),
      unpin: (keys, by) => board.unpin(keys, by),
      list: (namespace) => Promise.resolve(board.list(namespace)),
    }),
    room: () => ({ namespaces: quotas.uses(), pinned: board.totals() }),
    services: {
      writer: port,
      touchEntries: (ids, at) => index.touchIds(ids, at),
      damaged: (place) => packs.reportDamage(place),
      commitRows: () => void rows.now(),
    },
    threads,
    known: { entries: index.filter.buffer, blobs: known.buffer, behind: rows.open.buffer },
    settleIn() {
      const { signal } = settling;
      const learnt = index.learn(signal);
      const told = learnt.then(() =>
        Promise.all([packs.tell(known, signal), index.tell(known, signal)])
      );
      background.run("learn", told.then(() => signal.aborted ? undefined : known.complete()));
      const checks = { index: index.check, packs: packs.check };
      background.run("check", runLateChecks({ dir: folder, checks, signal, report }));
      return learnt;
    },
    scrub: {
      step: (signal) => packs.care.scrub({ signal }),
      status: () => chunks.scrub(),
    },
    facts: () => {
      const { quarantined, segments } = packs.stats();
      const scrub = chunks.scrub();
      return {
        // What is known of damaged places, or what was found by this process.
        quarantined: Math.max(quarantined, counters.get("quarantined")),
        segments,
        ...(scrub ? { scrub } : {}),
      };
    },
    close: () => owned.disposeAsync(),
  });
}
