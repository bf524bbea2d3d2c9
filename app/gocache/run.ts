/** `go-cacheprog`: puts one session together and takes it apart again. */
import type { RemoteGoCache } from "../../client/remote_go_cache.ts";
import { CacheError, toCacheError } from "../../core/errors.ts";
import { GO_LOCAL_BYTES } from "../../core/limits.ts";
import { formatSize } from "../../core/units.ts";
import type { Environment } from "../environment.ts";
import type { StoreName } from "../open_named_store.ts";
import type { Output } from "../output.ts";
import { greetGo } from "./greeting.ts";
import { LocalOutputs } from "./local_outputs.ts";
import { Patience } from "./patience.ts";
import { RemoteOutputs } from "./remote_outputs.ts";
import type { SessionCounts } from "./session.ts";
import { runSession } from "./session.ts";
import { Uploads } from "./uploads.ts";

/** Settings of one session. */
export interface GoSettings {
  /** Absolute; `undefined` if there is no place for a cache: then a folder for this time is made. */
  readonly dir: string | undefined;
  /** Bytes of the local files. Default: 10 GiB, at most a tenth of the disk. */
  readonly maxBytes: number | undefined;
  /** The server, `undefined` for none. */
  readonly store: StoreName | undefined;
  /** Whether to send nothing. */
  readonly readOnly: boolean;
  /** Milliseconds without a sign of life of the server. */
  readonly waitMs: number;
  /** Whether to tell at the end what was done. */
  readonly verbose: boolean;
}

/** Answers the go command until it closes. */
export async function runGoCache(
  environment: Environment,
  output: Output,
  settings: GoSettings,
): Promise<void> {
  await greetGo(environment);
  const { clock, interrupted } = environment;
  const { dir, store, waitMs } = settings;
  await using stack = new AsyncDisposableStack();
  const local = stack.use(
    new LocalOutputs(dir, {
      clock,
      makeSpare: () => Deno.makeTempDirSync({ prefix: "vitte-go-" }),
      onTrouble: (thrown) =>
        output.warn(`cannot use "${dir}": ${toCacheError(thrown, "gocache.local").message}`),
    }),
  );
  const patience = new Patience(clock, (text) => output.warn(text));
  const connect = () => connectTo(store!, { environment, stack });
  const remote = store && new RemoteOutputs({ connect, local, patience, clock, waitMs });
  const uploads = remote && !settings.readOnly
    ? new Uploads({ server: () => remote.server(), patience, clock, waitMs })
    : undefined;
  const began = clock.monotonic();
  const counts = await runSession({
    requests: environment.stdin(),
    write: (text) => environment.stdout(text),
    local,
    remote,
    uploads,
    clock,
    interrupted,
    tidy: () => tidy(environment, settings, { local, output }),
  });
  const ms = clock.monotonic() - began;
  if (settings.verbose) tell(output, { ...counts, local, remote, uploads, patience, ms });
}

/** Loads the client only now: a build that has all it needs here never does. */
async function connectTo(
  store: StoreName,
  { environment, stack }: { environment: Environment; stack: AsyncDisposableStack },
): Promise<RemoteGoCache> {
  const [{ openNamedStore }, { RemoteCache }] = await Promise.all([
    import("../open_named_store.ts"),
    import("../../client/remote_cache.ts"),
  ]);
  const { cache } = stack.use(await openNamedStore(environment, store));
  if (cache instanceof RemoteCache) return cache.go(store.namespace);
  throw new CacheError("unsupported", "Cannot use a folder as the server of go builds");
}

async function tidy(
  environment: Environment,
  { dir, maxBytes }: GoSettings,
  { local, output }: { local: LocalOutputs; output: Output },
): Promise<void> {
  if (dir === undefined) return;
  try {
    const { trim } = await import("./trim.ts");
    await trim(dir, {
      clock: environment.clock,
      maxBytes: async () => maxBytes ?? await defaultLimit(dir),
      added: local.added,
      signal: environment.interrupted,
    });
  } catch (thrown) {
    // The build is done; the next one cleans up.
    const { message } = toCacheError(thrown, "gocache.trim");
    if (!environment.interrupted.aborted) output.warn(`cannot clean up "${dir}": ${message}`);
  }
}

async function defaultLimit(dir: string): Promise<number> {
  const { diskFacts } = await import("../disk_room.ts");
  return Math.min(GO_LOCAL_BYTES, Math.floor(diskFacts(dir).total / 10));
}

interface Told extends SessionCounts {
  readonly local: LocalOutputs;
  readonly remote: RemoteOutputs | undefined;
  readonly uploads: Uploads | undefined;
  readonly patience: Patience;
  readonly ms: number;
}

function tell(output: Output, { gets, localHits, puts, ms, ...parts }: Told): void {
  const { local, remote, uploads, patience } = parts;
  const facts = {
    gets,
    local_hits: localHits,
    remote_hits: remote?.hits ?? 0,
    misses: gets - localHits - (remote?.answered ?? 0),
    puts,
    uploaded: uploads?.stored ?? 0,
    not_uploaded: uploads?.dropped ?? 0,
    remote_bytes: remote?.bytes ?? 0,
    damaged: local.damaged + (remote?.damaged ?? 0),
    outages: patience.outages,
    lost_ms: Math.round(remote?.lostMs ?? 0),
    close_ms: Math.round(uploads?.waitedMs ?? 0),
    ms: Math.round(ms),
  };
  output.log(
    output.json
      ? JSON.stringify(facts)
      : `go: ${facts.gets} asked, ${facts.local_hits} here, ${facts.remote_hits} from the server ` +
        `(${formatSize(facts.remote_bytes)}), ${facts.misses} missing; ${facts.puts} built, ` +
        `${facts.uploaded} sent, ${facts.not_uploaded} not sent; ${facts.damaged} damaged`,
  );
}
