/** Outputs on the server, fetched into local files; never a reason for a build to fail or to hang. */
import type { GoOutput, RemoteGoCache } from "../../client/remote_go_cache.ts";
import { IdleWatch } from "../../client/idle_watch.ts";
import { onAbort } from "../../core/abort.ts";
import type { Clock } from "../../core/clock.ts";
import { CacheError, isKind, toCacheError } from "../../core/errors.ts";
import { GO_FETCH_MS, GO_SLOWEST_BYTES } from "../../core/build_limits.ts";
import { MAX_BLOB_BYTES } from "../../core/limits.ts";
import type { LocalOutputs } from "./local_outputs.ts";
import type { LocalOutput } from "./messages.ts";
import type { Patience } from "./patience.ts";

/** What it is made of. */
export interface RemoteOutputsParts {
  /** Connects, at the first question. @throws {CacheError} when there is no way to */
  connect(): Promise<RemoteGoCache>;
  readonly local: LocalOutputs;
  readonly patience: Patience;
  readonly clock: Clock;
  /** Milliseconds without a sign of life. */
  readonly waitMs: number;
}

/** One build's view of the server. */
export class RemoteOutputs {
  readonly #parts: RemoteOutputsParts;
  readonly #flights = new Map<string, Promise<LocalOutput | undefined>>();
  readonly #missing = new Set<string>();
  readonly #stop = new AbortController();
  #connected: Promise<RemoteGoCache> | undefined;
  /** Outputs that came whole. */
  hits = 0;
  /** Questions that were answered with one of them. */
  answered = 0;
  /** Bytes of them. */
  bytes = 0;
  /** Milliseconds that the build waited for answers that did not come. */
  lostMs = 0;
  /** Bodies that were not what they should be. */
  damaged = 0;

  constructor(parts: RemoteOutputsParts) {
    this.#parts = parts;
  }

  /** The output of an action, in a local file by now; `undefined` also when the server is ill. */
  async find(action: string): Promise<LocalOutput | undefined> {
    if (this.#missing.has(action)) return undefined;
    const advice = this.#parts.patience.advice();
    if (advice === "miss") return undefined;
    let flight = this.#flights.get(action);
    if (!flight) {
      flight = this.#fetch(action).finally(() => this.#flights.delete(action));
      this.#flights.set(action, flight);
    }
    if (advice === "probe") return undefined;
    const found = await flight;
    if (found) this.answered++;
    return found;
  }

  /** The server, as soon as it is connected to. @throws as `connect` */
  server(): Promise<RemoteGoCache> {
    return this.#connected ??= this.#parts.connect();
  }

  /** Breaks off what nobody waits for any more. */
  async stop(): Promise<void> {
    this.#stop.abort();
    await Promise.all(this.#flights.values());
  }

  /** Never rejects. */
  async #fetch(action: string): Promise<LocalOutput | undefined> {
    const { patience, clock, waitMs } = this.#parts;
    const abort = new AbortController();
    const began = clock.monotonic();
    const gone = patience.up ? patience.gone : undefined;
    using _gone = onAbort(gone, () => abort.abort(gone?.reason));
    using _stop = onAbort(this.#stop.signal, () => abort.abort(this.#stop.signal.reason));
    using watch = new IdleWatch({ clock, idleMs: waitMs, onIdle: (error) => abort.abort(error) });
    try {
      const server = await this.server();
      watch.touch();
      const found = await server.get(action, { signal: abort.signal });
      watch.touch();
      if (!found) this.#missing.add(action);
      const kept = found && await this.#keep(found, { action, watch, abort });
      patience.succeeded();
      return kept;
    } catch (thrown) {
      // The others that waited when the server went away do not each count as an outage.
      const error = toCacheError(thrown, "gocache.fetch");
      if (error.kind === "corrupt") this.damaged++;
      if (gone?.aborted || this.#stop.signal.aborted) return undefined;
      if (gone) this.lostMs += clock.monotonic() - began;
      patience.failed(error);
      return undefined;
    }
  }

  async #keep(
    { output, size, created, body }: GoOutput,
    { action, watch, abort }: { action: string; watch: IdleWatch; abort: AbortController },
  ): Promise<LocalOutput> {
    const { local, clock } = this.#parts;
    const reader = body.getReader();
    const until = clock.monotonic() + GO_FETCH_MS + size / GO_SLOWEST_BYTES * 1000;
    try {
      if (size > MAX_BLOB_BYTES) throw wrong(action, `it says it has ${size} bytes`);
      using file = local.begin();
      while (true) {
        const { done, value } = await reader.read();
        if (done) break;
        watch.touch();
        if (file.size + value.length > size) throw wrong(action, `it has more than ${size} bytes`);
        if (clock.monotonic() > until) throw tooSlow(action);
        file.write(value);
      }
      const kept = local.keep(file, { action, output, size, time: created ?? clock.now() });
      this.hits++;
      this.bytes += size;
      return kept;
    } catch (thrown) {
      // What failed first is what counts; a body that broke breaks again here.
      await reader.cancel(thrown).catch(() => {});
      if (abort.signal.aborted) throw abort.signal.reason;
      // A full disk of ours says nothing about the server.
      if (isKind(thrown, "quota_exceeded")) throw noRoom(thrown);
      throw thrown;
    }
  }
}

function wrong(action: string, state: string): CacheError {
  return new CacheError("corrupt", `Cannot use the output of ${action}: ${state}`, {
    operation: "gocache.fetch",
  });
}

function tooSlow(action: string): CacheError {
  return new CacheError("timeout", `Cannot wait for the output of ${action}: it comes too slowly`, {
    operation: "gocache.fetch",
  });
}

function noRoom(cause: unknown): CacheError {
  return new CacheError(
    "permission_denied",
    "Cannot keep what the server sends: the disk is full",
    {
      operation: "gocache.fetch",
      cause,
    },
  );
}
