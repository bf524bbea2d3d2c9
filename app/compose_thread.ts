/** Builds what a serving thread is made of. */
import { createAuthenticator } from "../auth/authenticate.ts";
import { openDomainKey } from "../auth/domain_key.ts";
import { answerChallenge } from "../auth/identity.ts";
import { openServerKey } from "../auth/server_key.ts";
import { openTokenStore } from "../auth/token_store.ts";
import type { GcReport, VerifyReport } from "../core/cache.ts";
import { noSeal } from "../codec/seal.ts";
import type { UsageRow } from "../core/insight.ts";
import type { PinnedEntry } from "../core/pins.ts";
import type { RoomFacts } from "../core/quota.ts";
import { systemClock } from "../core/clock.ts";
import { Counters } from "../core/counters.ts";
import { KnownBlobs } from "../core/known_blobs.ts";
import { KeyFilter } from "../core/key_filter.ts";
import { RowsBehind } from "../core/rows_behind.ts";
import { policy } from "../policy/decide.ts";
import type { Handler } from "../server/deps.ts";
import { createHandler } from "../server/handler.ts";
import { allowHosts } from "../server/middleware/host.ts";
import { openPackReader } from "../store/pack/reader.ts";
import { diskRoom } from "./disk_room.ts";
import { AccessLog } from "./access_log.ts";
import { BACKEND, openObjects, pathsOf } from "./folder_parts.ts";
import { ownHostNames } from "./host_names.ts";
import { createInsight } from "./insight.ts";
import { createPinning } from "./pinning.ts";
import type { PinCall } from "./pinning.ts";
import { UsageTally } from "./usage/tally.ts";
import { ThreadMetrics } from "./metrics.ts";
import { openThreadStack } from "./thread_stack.ts";
import { VERSION } from "./version.ts";
import type { KnownBuffers, WorkerConfig } from "./worker_messages.ts";
import { WriterClient } from "./writer_client.ts";

/** Options of {@linkcode openServingThread}. */
export interface ServingThreadOptions {
  readonly config: WorkerConfig;
  readonly counters: SharedArrayBuffer;
  /** Where this thread notes what it holds of them. */
  readonly share: SharedArrayBuffer;
  readonly writer: MessagePort;
  readonly known: KnownBuffers;
  notice(text: string): void;
}

/** A handler and what stands behind it. */
export interface ServingThread extends AsyncDisposable {
  readonly handler: Handler;
  readonly log: AccessLog;
  readonly metrics: ThreadMetrics;
  readonly usage: UsageTally;
}

/** Opens everything read-only; writes go through the port. */
export async function openServingThread(options: ServingThreadOptions): Promise<ServingThread> {
  const { config, notice } = options;
  const clock = systemClock;
  const counters = new Counters(options.counters, options.share);
  await using stack = new AsyncDisposableStack();
  const paths = pathsOf(config.dir);
  const serverKey = openServerKey(config.dir);
  const tokens = stack.use(openTokenStore(paths.tokens, {
    serverKey,
    clock,
    counters,
    onDamage(error) {
      counters.add("quarantined");
      notice(`ALARM: ${error.message}`);
    },
  }));
  const objects = stack.use(await openObjects(paths));
  const port = stack.use(
    new WriterClient(options.writer, { onRetire: (segments) => chunks.retire(segments) }),
  );
  const behind = new RowsBehind(options.known.behind, () => port.commitRows());
  const chunks = stack.use(openPackReader({
    store: { dir: config.dir },
    objects,
    counters,
    behind,
    onDamage: (place) => port.damaged(place),
  }));
  const keys = openDomainKey(config.dir);
  const { cache } = stack.use(openThreadStack({
    indexPath: paths.index,
    keys,
    chunks,
    port,
    clock,
    counters,
    maxBlobSize: config.maxBlobSize,
    filter: new KeyFilter(options.known.entries),
    behind,
    known: new KnownBlobs(options.known.blobs),
    recordTotals: () => chunks.totals(),
    forwardTouch: (ids, at) => port.touchEntries(ids, at),
    report: (error) => notice(error.message),
  }));
  const log = new AccessLog(config.accessLog, notice);
  const metrics = new ThreadMetrics();
  const usage = new UsageTally();
  const authenticator = createAuthenticator({
    store: tokens,
    clock,
    counters,
    serverKey: serverKey.publicKey,
  });
  const callPins = (call: PinCall) => port.call<PinnedEntry[]>("pins", call);
  const handler = createHandler({
    cache,
    memory: cache,
    maintenance: {
      verify: ({ repair = false } = {}) => port.call<VerifyReport>("verify", { repair }),
      gc: ({ dryRun = false } = {}) => port.call<GcReport>("gc", { dryRun }),
    },
    insight: createInsight({
      cache,
      tokens,
      auditDir: paths.audit,
      context: { keys, seal: noSeal },
      usage: (query) => port.call<UsageRow[]>("usage", query),
    }),
    pinning: createPinning(cache, {
      pin: (keys, by) => callPins({ what: "pin", keys, by }),
      unpin: (keys, by) => callPins({ what: "unpin", keys, by }),
      list: (namespace) => callPins({ what: "list", namespace }),
    }),
    room: () => port.call<RoomFacts>("room", {}),
    tokens,
    policy,
    clock,
    counters,
    authenticate: authenticator.authenticate,
    prove: (question) => answerChallenge(serverKey, question),
    allowsHost: allowHosts(ownHostNames({ ...config, listen: config.hostname })),
    log(event) {
      metrics.observe(event);
      usage.observe(event);
      log.log(event);
    },
    metricsText: () => port.call<string>("metrics", {}),
    takesParts: true,
    publicRead: new Set(config.publicRead),
    limits: { maxBlobSize: config.maxBlobSize, maxSize: config.maxSize },
    version: VERSION,
    backend: BACKEND,
    disk: () => diskRoom(config.dir),
    scrub: () => chunks.scrub(),
    uptimeSeconds: () => (clock.now() - config.started) / 1000,
  });
  const owned = stack.move();
  return { handler, log, metrics, usage, [Symbol.asyncDispose]: () => owned.disposeAsync() };
}
