/**
 * A server of one command's own, on this machine: passes on what the command's build tools ask, and
 * tells them of a miss when the cache is away, hangs or talks nonsense. Tools that fail then, or wait
 * for each answer anew, do not notice. See docs/decisions/0011-relay.md.
 */
import type { Clock } from "../../core/clock.ts";
import type { CacheError } from "../../core/errors.ts";
import { toCacheError } from "../../core/errors.ts";
import type { Secret } from "../../core/secret.ts";
import { parsePath, targetOf } from "../../protocol/path.ts";
import type { ParsedPath } from "../../protocol/path.ts";
import { isPreflight } from "../../server/middleware/preflight.ts";
import { carries, localToken } from "./local_token.ts";
import type { Misses } from "./miss.ts";
import { Outage } from "./outage.ts";
import { Upstream } from "./upstream.ts";

/** Options of {@linkcode startRelay}. */
export interface RelayOptions {
  /** The server. */
  readonly url: string;
  readonly token: Secret<string>;
  readonly clock: Clock;
  /** Variables that name proxies, for large uploads. */
  readonly proxyEnv: Readonly<Record<string, string>>;
}

/** What a relay did for its command. */
export interface RelayReport {
  /** Answers that were its own. */
  readonly hidden: number;
  /** Times that the server was left alone. */
  readonly outages: number;
  /** Why, the first time. */
  readonly reason: string | undefined;
}

/** A running relay. Disposing it ends its connections. */
export interface Relay extends AsyncDisposable {
  readonly url: string;
  /** What it wants to see; not the server's. */
  readonly token: Secret<string>;
  report(): RelayReport;
}

/** Listens on a free port of 127.0.0.1. */
export function startRelay(options: RelayOptions): Relay {
  return new RunningRelay(options);
}

/** Failures in which a request waited, or would have to: the server is left alone for a while. */
const OUTAGES: ReadonlySet<string> = new Set(["timeout", "unavailable"]);

class RunningRelay implements Relay {
  readonly token: Secret<string>;
  readonly #options: RelayOptions;
  readonly #upstream: Upstream;
  readonly #outage: Outage;
  readonly #server: Deno.HttpServer<Deno.NetAddr>;
  readonly #stop = new AbortController();
  #misses: Promise<Misses> | undefined;
  #hidden = 0;
  #reason: string | undefined;

  constructor(options: RelayOptions) {
    const { token, clock, proxyEnv } = options;
    const base = options.url.replace(/\/+$/, "");
    this.#options = options;
    this.token = localToken(token);
    this.#upstream = new Upstream({ base, token, clock, proxyEnv });
    this.#outage = new Outage({ clock, probe: (signal) => this.#upstream.probe(signal) });
    this.#server = Deno.serve({
      hostname: "127.0.0.1",
      port: 0,
      signal: this.#stop.signal,
      onListen() {},
      // A bug in here must not be one more thing that a build fails over.
      onError: () => new Response(null, { status: 404 }),
    }, (request) => this.#answer(request));
  }

  get url(): string {
    return `http://127.0.0.1:${this.#server.addr.port}`;
  }
  report(): RelayReport {
    return { hidden: this.#hidden, outages: this.#outage.count, reason: this.#reason };
  }
  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await this.#outage[Symbol.asyncDispose]();
    this.#upstream[Symbol.dispose]();
    await this.#server.finished;
  }

  async #answer(request: Request): Promise<Response> {
    const { url, headers } = request;
    if (isPreflight(request)) return (await this.#ownAnswers()).preflight(request);
    // The real one too: who has it needs no relay, and tools may read it from a file.
    if (!carries(headers.get("authorization"), [this.token, this.#options.token])) {
      return (await this.#ownAnswers()).refuse(request);
    }
    let path: ParsedPath | undefined;
    try {
      path = parsePath(url);
      this.#outage.signal.throwIfAborted();
      const { signal: given } = this.#outage;
      const target = targetOf(url);
      const onBroken = (error: CacheError) => this.#failed(error);
      return await this.#upstream.forward({ request, target, path, given, onBroken });
    } catch (thrown) {
      const error = toCacheError(thrown, "client.relay");
      this.#failed(error);
      return (await this.#ownAnswers()).answer(request, path, error);
    }
  }

  #failed(error: CacheError): void {
    // What the tool asked wrongly, or gave up itself, is no failure of the cache.
    if (this.#stop.signal.aborted || error.operation?.startsWith("client.") !== true) return;
    this.#hidden++;
    this.#reason ??= error.message;
    if (OUTAGES.has(error.kind)) this.#outage.began(error);
  }
  #ownAnswers(): Promise<Misses> {
    const { clock } = this.#options;
    return this.#misses ??= import("./miss.ts").then(({ Misses }) => new Misses(clock));
  }
}
