/** `serve`: the writer on this thread, serving threads beside it, until a signal. */
import { onAbort } from "../core/abort.ts";
import { CacheError, isKind } from "../core/errors.ts";
import { STOP_GRACE_MS } from "../core/limits.ts";
import type { NamespaceQuota } from "../core/quota.ts";
import type { Durability } from "../store/pack/options.ts";
import { claimAddress } from "../server/listener/listen.ts";
import type { AccessLogMode } from "./access_log.ts";
import { addSummary, emptySummary, summaryLine } from "./access_log.ts";
import { openEngine } from "./compose.ts";
import type { Environment } from "./environment.ts";
import { metricsPage } from "./metrics.ts";
import type { Output } from "./output.ts";
import { describeReach, urlOf } from "./reachability.ts";
import { Scrubber } from "./scrubber.ts";
import { ServingThreads } from "./serving_threads.ts";
import { openTrim, SpareMemory } from "./spare_memory.ts";

/** Settings of `serve`. */
export interface ServeOptions {
  readonly dir: string;
  readonly host: string;
  /** 0 takes a free one. */
  readonly port: number;
  readonly threads: number;
  readonly maxSize: number | "none" | undefined;
  readonly maxBlobSize: number;
  /** What namespaces may hold. */
  readonly quotas: readonly NamespaceQuota[];
  readonly durability: Durability;
  readonly publicUrl: string | undefined;
  readonly allowedHosts: readonly string[];
  readonly publicRead: readonly string[];
  readonly tls: { readonly certFile: string; readonly keyFile: string } | undefined;
  readonly accessLog: AccessLogMode;
  /** Bytes per second that the scrub may read; `none` for no scrub. */
  readonly scrubRate: number | "none";
  /** A file with an administrator's token to take instead of making one. */
  readonly adminTokenFile: string | undefined;
}

const SUMMARY_MS = 60_000;

/** In the folder of a store that is served: the address for programs of this machine. */
export const ADDRESS_FILE = "address";

/** Serves until SIGINT or SIGTERM, then finishes what is in flight. */
export async function serve(
  environment: Environment,
  output: Output,
  options: ServeOptions,
): Promise<void> {
  const { clock } = environment;
  const port = claimPort(options);
  await using stack = new AsyncDisposableStack();
  const engine = stack.use(
    await openEngine(options.dir, {
      clock,
      maxSize: options.maxSize,
      quotas: options.quotas,
      durability: options.durability,
      adminTokenFile: options.adminTokenFile,
      report: (event) => output.log(event),
    }),
  );
  const summary = emptySummary();
  const threads = stack.use(
    new ServingThreads({
      engine,
      count: options.threads,
      config: {
        dir: engine.dir,
        hostname: options.host,
        port,
        tls: options.tls,
        maxBlobSize: options.maxBlobSize,
        maxSize: engine.maxSize ?? 0,
        publicUrl: options.publicUrl,
        allowedHosts: options.allowedHosts,
        publicRead: options.publicRead,
        accessLog: options.accessLog,
        started: clock.now(),
      },
      clock,
      onNotice: (text) => output.log(text),
      onSummary: (more) => addSummary(summary, more),
      onUsage: (deltas) => engine.usage.add(deltas),
    }),
  );
  engine.addOperation(
    "metrics",
    async () =>
      await metricsPage(await threads.collectMetrics(), await engine.stats(), engine.counters),
  );
  await threads.start();
  void engine.settleIn(); // what fails is reported, and costs look-ups
  const listening = { hostname: options.host, port, tls: options.tls !== undefined };
  const addressFile = `${engine.dir}/${ADDRESS_FILE}`;
  await Deno.writeTextFile(addressFile, `${urlOf(listening)}\n`);
  stack.defer(() => Deno.remove(addressFile));
  await announce(output, engine.adminTokenFile, listening, engine.dir);

  if (options.scrubRate !== "none") {
    stack.use(
      new Scrubber({
        rate: options.scrubRate,
        clock,
        counters: engine.counters,
        ...engine.scrub,
        report: (line) => output.log(line),
      }),
    );
  }
  const trim = openTrim();
  if (trim) {
    stack.use(
      new SpareMemory({
        trim,
        clock,
        resident: () => Deno.memoryUsage().rss,
        report: (line) => output.log(line),
      }),
    );
  }
  const timer = setInterval(() => {
    if (summary.requests > 0 && options.accessLog !== "none") output.note(summaryLine(summary));
    Object.assign(summary, emptySummary());
  }, SUMMARY_MS);
  stack.defer(() => clearInterval(timer));
  await untilAborted(environment.interrupted);
  output.note("stopping: finishing what is in flight");
  await threads.stop(STOP_GRACE_MS);
}

async function announce(
  output: Output,
  adminTokenFile: string,
  listening: { hostname: string; port: number; tls: boolean },
  dir: string,
): Promise<void> {
  const url = urlOf(listening);
  const { notes, warnings } = describeReach(listening);
  for (const warning of warnings) output.warn(warning);
  const text = [
    `serving ${dir} on ${url}`,
    ...notes,
    `the administrator's token is in ${adminTokenFile}`,
  ].map((line) => `vitte-remote-cache: ${line}`).join("\n");
  await output.result({ url, admin_token_file: adminTokenFile }, text);
}

/** Serving threads share a port; without this look, two servers would share it as well. */
function claimPort({ host, port }: ServeOptions): number {
  try {
    return claimAddress({ hostname: host, port }).port;
  } catch (cause) {
    if (!isKind(cause, "unavailable")) throw cause;
    throw new CacheError("conflict", `Cannot listen on ${host}:${port}: the port is taken`, {
      cause,
      hint: `is a server running already? else choose another: serve --port ${port + 1}`,
    });
  }
}

async function untilAborted(signal: AbortSignal): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  using _listener = onAbort(signal, resolve);
  await promise;
}
