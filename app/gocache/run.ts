/** `go-cacheprog`: puts one session together and takes it apart again. */
import type { RemoteGoCache } from "../../client/remote_go_cache.ts";
import { CacheError, toCacheError } from "../../core/errors.ts";
import { GO_LOCAL_BYTES } from "../../core/build_limits.ts";
import { formatSize } from "../../core/units.ts";
import type { Environment } from "../environment.ts";
import { UsageError } from "../exit_codes.ts";
import type { StoreName } from "../open_named_store.ts";
import type { Opened } from "../opened.ts";
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
  /** The server, as far as flags and environment name it; there may be none. */
  readonly store: StoreName;
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
  const server = new ServerOfStore(environment, store);
  stack.use(server);
  const patience = new Patience(clock, (text) => {
    if (server.named) output.warn(text);
  });
  const connect = () => server.connect();
  const remote = new RemoteOutputs({ connect, local, patience, clock, waitMs });
  const uploads = settings.readOnly
    ? undefined
    : new Uploads({ server: () => remote.server(), patience, clock, waitMs });
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
  if (settings.verbose) tell(output, { ...counts, local, remote, uploads, patience, server, ms });
}

/** The server that the user named, if he named one. */
class ServerOfStore implements AsyncDisposable {
  readonly #environment: Environment;
  readonly #store: StoreName;
  #opened: Opened | undefined;
  /** False once it is known that nobody named one: a local cache then, and no word about it. */
  named = true;

  constructor(environment: Environment, store: StoreName) {
    this.#environment = environment;
    this.#store = store;
  }

  /** Loads the client only now: a build that has all it needs here never does. */
  async connect(): Promise<RemoteGoCache> {
    const [{ openNamedStore }, { RemoteCache }] = await Promise.all([
      import("../open_named_store.ts"),
      import("../../client/remote_cache.ts"),
    ]);
    try {
      this.#opened = await openNamedStore(this.#environment, this.#store);
    } catch (thrown) {
      if (!(thrown instanceof UsageError)) throw thrown;
      this.named = false;
      throw new CacheError("unsupported", thrown.message, { cause: thrown });
    }
    const { cache } = this.#opened;
    if (cache instanceof RemoteCache) return cache.go(this.#store.namespace);
    throw new CacheError("unsupported", "Cannot use a folder as the server of go builds");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#opened?.[Symbol.asyncDispose]();
  }
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
  readonly remote: RemoteOutputs;
  readonly uploads: Uploads | undefined;
  readonly patience: Patience;
  readonly server: ServerOfStore;
  readonly ms: number;
}

function tell(output: Output, { gets, localHits, puts, ms, ...parts }: Told): void {
  const { local, remote, uploads, patience, server } = parts;
  const facts = {
    gets,
    local_hits: localHits,
    remote_hits: remote.hits,
    misses: gets - localHits - remote.answered,
    puts,
    uploaded: uploads?.stored ?? 0,
    not_uploaded: server.named ? uploads?.dropped ?? 0 : 0,
    remote_bytes: remote.bytes,
    damaged: local.damaged + remote.damaged,
    outages: patience.outages,
    lost_ms: Math.round(remote.lostMs),
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
