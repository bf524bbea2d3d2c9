/** The writer's side of a store: everything that exists once a process. */
import type { AdminToken } from "../auth/admin_token.ts";
import type { TokenStore } from "../auth/token_store.ts";
import type { Maintenance } from "../core/cache.ts";
import type { Counters } from "../core/counters.ts";
import type { Insight, UsageQuery } from "../core/insight.ts";
import type { PinnedEntry, Pinning } from "../core/pins.ts";
import type { Principal } from "../core/policy.ts";
import { VERBS } from "../core/policy.ts";
import type { RoomFacts } from "../core/quota.ts";
import type { ScrubStatus } from "../core/scrub.ts";
import type { ScrubStep } from "../store/pack/scrub.ts";
import type { LazyUsage } from "./usage/lazy.ts";
import type { EngineCache } from "./engine_cache.ts";
import { BACKEND } from "./folder_parts.ts";
import type { Opened, Stats } from "./opened.ts";
import type { PinBoard } from "./pin_board.ts";
import type { PinCall } from "./pinning.ts";
import type { KnownBuffers } from "./worker_messages.ts";
import type { ServedThread, WriterServices } from "./writer_server.ts";
import { serveWriter } from "./writer_server.ts";

/** What an engine is made of. */
export interface EngineParts {
  readonly dir: string;
  readonly maxSize: number | undefined;
  readonly counters: Counters;
  readonly tokens: TokenStore;
  readonly adminToken: AdminToken;
  readonly cache: EngineCache;
  readonly maintenance: Maintenance;
  readonly insight: Insight;
  readonly usage: LazyUsage;
  readonly board: PinBoard;
  readonly pinning: Pinning;
  /** How the room is shared out. */
  room(): RoomFacts;
  readonly services: Omit<WriterServices, "operations">;
  /** Serving threads that hear of segments about to go. */
  readonly threads: Set<ServedThread>;
  readonly scrub: {
    step(signal: AbortSignal): Promise<ScrubStep>;
    status(): ScrubStatus | undefined;
  };
  readonly known: KnownBuffers;
  /** Work that may come after the start; a close ends it. */
  settleIn(): Promise<void>;
  /** More numbers for `stats`. */
  facts(): Record<string, unknown>;
  close(): Promise<void>;
}

/** An open store with its writer on this thread. */
export class Engine implements Opened {
  readonly #parts: EngineParts;
  readonly #operations: Record<string, (argument: unknown) => Promise<unknown>>;

  /** Use `openEngine` of `compose.ts`. */
  constructor(parts: EngineParts) {
    this.#parts = parts;
    const { maintenance } = parts;
    this.#operations = {
      verify: (argument) => maintenance.verify(argument as { repair: boolean }),
      gc: (argument) => maintenance.gc(argument as { dryRun: boolean }),
      pins: (call) => this.#callPins(call as PinCall),
      room: () => Promise.resolve(parts.room()),
      usage: (query) => Promise.resolve(parts.usage.query(query as UsageQuery)),
    };
  }

  async #callPins(call: PinCall): Promise<PinnedEntry[]> {
    const { board } = this.#parts;
    if (call.what === "list") return board.list(call.namespace);
    return await board[call.what](call.keys, call.by);
  }

  get where(): string {
    return this.#parts.dir;
  }
  get dir(): string {
    return this.#parts.dir;
  }
  get maxSize(): number | undefined {
    return this.#parts.maxSize;
  }
  get counters(): Counters {
    return this.#parts.counters;
  }
  get adminTokenFile(): string {
    return this.#parts.adminToken.path;
  }
  get cache(): EngineCache {
    return this.#parts.cache;
  }
  get maintenance(): Maintenance {
    return this.#parts.maintenance;
  }
  get insight(): Insight {
    return this.#parts.insight;
  }
  /** What serving threads counted goes here. */
  get usage(): LazyUsage {
    return this.#parts.usage;
  }
  /** What serving threads are given, to know without a look-up what is not here. */
  get known(): KnownBuffers {
    return this.#parts.known;
  }
  /**
   * Begins what may come after the start of a server: to fill {@linkcode known}, which is of no
   * use before, and to check large tables after an unclean stop. Failures are reported.
   * Resolves when all entries are known.
   */
  settleIn(): Promise<void> {
    return this.#parts.settleIn();
  }
  get tokens(): TokenStore {
    return this.#parts.tokens;
  }
  get pinning(): Pinning {
    return this.#parts.pinning;
  }
  async stats(): Promise<Stats> {
    return { ...await this.cache.totals(), ...this.#parts.room(), ...this.#parts.facts() };
  }
  /** Whoever opened the folder may do everything. */
  whoami(): Promise<Principal & { readonly backend: string }> {
    return Promise.resolve({
      id: "local",
      name: "local",
      verbs: VERBS,
      namespaces: ["*"],
      scope: "main",
      readScopes: ["main"],
      expires: undefined,
      backend: BACKEND,
    });
  }
  /** Reads on in the background, about 1 MiB a step; see `store/pack/scrub.ts`. */
  get scrub(): EngineParts["scrub"] {
    return this.#parts.scrub;
  }
  /** Adds rare work that serving threads may ask for by name. */
  addOperation(name: string, work: (argument: unknown) => Promise<unknown>): void {
    this.#operations[name] = work;
  }
  /** Serves the writer to one thread; disposing the result ends its uploads. */
  serveThread(port: MessagePort): ServedThread {
    const { services, threads } = this.#parts;
    const served = serveWriter(port, { ...services, operations: this.#operations });
    const tracked: ServedThread = {
      retire: (segments) => served.retire(segments),
      async [Symbol.asyncDispose]() {
        threads.delete(tracked);
        await served[Symbol.asyncDispose]();
      },
    };
    threads.add(tracked);
    return tracked;
  }
  [Symbol.asyncDispose](): Promise<void> {
    return this.#parts.close();
  }
}
