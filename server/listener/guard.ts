/** Watches over the connections of one listener: who is busy, who holds a place for nothing. */
import type { Clock } from "../../core/clock.ts";
import { toCacheError } from "../../core/errors.ts";
import {
  CONNECTION_SWEEP_MS,
  HEADER_TIMEOUT_MS,
  KEEP_ALIVE_IDLE_MS,
  MAX_CONNECTIONS,
  MAX_CONNECTIONS_PER_ADDRESS,
} from "../../core/limits.ts";
import type { ListenerEvent, ListenOptions } from "./contract.ts";
import { descriptorLimit, descriptorsOpen, openKernel } from "./kernel.ts";
import type { Kernel } from "./kernel.ts";
import { peerId, PeerTable } from "./peer_table.ts";
import { plainHost } from "./proc_net.ts";
import type { LocalAddress } from "./proc_net.ts";
import { Reaper } from "./reaper.ts";
import type { Sweep } from "./reaper.ts";
import { Visit } from "./visit.ts";

/** Share of the descriptors that connections may take; files and databases need the rest. */
const DESCRIPTOR_SHARE = 0.7;

/** {@linkcode ConnectionGuard}'s options: those of the listener, and the address it got. */
export interface GuardOptions extends ListenOptions {
  readonly local: LocalAddress;
  readonly clock: Clock;
  onEvent(event: ListenerEvent): void;
  /** Hears at each look which sockets listen: the runtime may have lost its own and not say so. */
  check(listening: readonly number[]): void;
  /** Where single connections can not be ended: a new server, and the old one lets go of all. */
  rotate(): void;
}

/** The guard; one for each listener, with a table that all threads of a port share. */
export class ConnectionGuard implements Disposable {
  readonly #options: GuardOptions;
  readonly #kernel: Kernel | undefined;
  readonly #table: PeerTable;
  readonly #reaper: Reaper | undefined;
  readonly #most: number;
  readonly #descriptorLimit = descriptorLimit();
  /** Requests under way in this thread. */
  readonly #busy = new Set<Visit>();
  /** Peers whose connections are ended at the next look: to the runtime their requests are over. */
  readonly #abandoned = new Set<number>();
  readonly #quiet = new Set<() => void>();
  #open = 0;

  constructor(options: GuardOptions) {
    this.#options = options;
    this.#table = new PeerTable(options.peers);
    this.#kernel = options.kernel === null ? undefined : options.kernel ?? openKernel();
    this.#most = Math.min(
      options.maxConnections ?? MAX_CONNECTIONS,
      Math.floor((this.#descriptorLimit ?? Infinity) * DESCRIPTOR_SHARE),
    );
    this.#reaper = !this.#kernel?.cuts ? undefined : new Reaper(this.#kernel, this.#table, {
      local: options.local,
      headerTimeoutMs: options.headerTimeoutMs ?? HEADER_TIMEOUT_MS,
      idleMs: options.idleMs ?? KEEP_ALIVE_IDLE_MS,
      maxConnections: this.#most,
      maxPerAddress: options.maxPerAddress ?? MAX_CONNECTIONS_PER_ADDRESS,
      clock: options.clock,
    });
  }

  /** Whether single connections can be seen and ended on this machine. */
  get protects(): boolean {
    return this.#reaper !== undefined;
  }

  /** Connections at the last look; requests under way where none can be taken. */
  get open(): number {
    return this.#reaper ? this.#open : this.#busy.size;
  }

  /** A request whose header has come; {@linkcode note} or {@linkcode enter} is to follow. */
  visit(info: Deno.ServeHandlerInfo<Deno.NetAddr>): Visit {
    const { hostname, port } = info.remoteAddr;
    return new Visit({ host: plainHost(hostname), port }, this.#abandoned);
  }

  /** Notes a request that was answered at once, with what the socket takes without waiting. */
  note(visit: Visit): void {
    this.#table.note(visit.id, visit.stranger);
  }

  /** Notes a request from its first to its last byte. */
  enter(visit: Visit, info: Deno.ServeHandlerInfo<Deno.NetAddr>): void {
    const { id } = visit;
    const slot = this.#table.begin(id);
    this.#busy.add(visit);
    const leave = () => {
      this.#busy.delete(visit);
      if (!visit.upgraded) this.#table.end(slot, id, visit.stranger);
      if (this.#busy.size === 0) { for (const tell of this.#quiet) tell(); }
    };
    info.completed.then(leave, leave);
  }

  /** Resolves once no request is under way. */
  async quiet(): Promise<void> {
    if (this.#busy.size === 0) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#quiet.add(resolve);
    await promise.finally(() => this.#quiet.delete(resolve));
  }

  /**
   * Runs `serve`, and tells the inode of the socket that listens since; `undefined` where that can
   * not be known.
   */
  begun<T>(serve: () => T): { readonly result: T; readonly inode: number | undefined } {
    return this.#table.alone(() => {
      const before = new Set(this.#listening());
      const result = serve();
      const fresh = this.#listening().filter((inode) => !before.has(inode));
      return { result, inode: fresh.length === 1 ? fresh[0] : undefined };
    });
  }

  #listening(): readonly number[] {
    return this.#kernel?.sockets(this.#options.local).listening ?? [];
  }

  /** Ends the connections that are worth least until there is room for a burst. */
  relieve(): void {
    this.#attempt("relieve", () => this.#reaper?.relieve(this.#room()));
  }

  /** Ends the connections whose requests are under way in this thread. */
  endBusy(): void {
    this.#end(new Set([...this.#busy].map(({ id }) => id)));
  }

  /** Ends those of which a handler said that nobody reads the answer. */
  #endAbandoned(): void {
    if (this.#abandoned.size === 0) return;
    const peers = new Set(this.#abandoned);
    this.#abandoned.clear();
    this.#end(peers);
  }

  #end(peers: ReadonlySet<number>): void {
    const ours = (this.#kernel?.sockets(this.#options.local).connections ?? [])
      .filter((one) => peers.has(peerId(one.host, one.port)));
    this.#kernel?.cut(new Set(ours.map((one) => one.inode)));
  }

  /** Looks at the connections again and again, until the signal aborts. */
  async watch(signal: AbortSignal): Promise<void> {
    const header = this.#options.headerTimeoutMs ?? HEADER_TIMEOUT_MS;
    const calm = this.#options.sweepMs ?? Math.min(CONNECTION_SWEEP_MS, Math.ceil(header / 4));
    let costMs = 0;
    for (;;) {
      // Four times as often once half of the places are taken, but never more than a twentieth of
      // the time: the list is longer the more connections all programs of the machine have.
      const pauseMs = this.#open > this.#most / 2 ? Math.ceil(calm / 4) : calm;
      try {
        await this.#options.clock.sleep(Math.max(pauseMs, costMs * 20), signal);
      } catch {
        return; // stopped
      }
      const began = this.#options.clock.monotonic();
      this.#attempt("sweep", () => this.#look());
      costMs = this.#options.clock.monotonic() - began;
    }
  }

  [Symbol.dispose](): void {
    this.#table.resign();
    this.#kernel?.[Symbol.dispose]();
  }

  #look(): Sweep | undefined {
    this.#endAbandoned();
    const result = this.#reaper?.sweep();
    if (result) this.#open = result.open;
    if (this.#kernel) this.#options.check(result?.listening ?? this.#listening());
    if (!this.#reaper) this.#rotateIfFull();
    return result;
  }

  #rotateIfFull(): void {
    if (!this.#kernel) return;
    const open = descriptorsOpen();
    const limit = this.#descriptorLimit;
    if (open === undefined || limit === undefined || open <= limit * DESCRIPTOR_SHARE) return;
    this.#options.rotate();
    this.#options.onEvent({ type: "rotated", descriptors: Math.min(open, limit) });
  }

  #room(): number {
    return Math.floor(this.#most * DESCRIPTOR_SHARE);
  }

  /** A look that fails is told and tried again at the next turn; it must not end the server. */
  #attempt(what: string, look: () => Sweep | undefined): void {
    try {
      const result = look();
      if (!result) return;
      const { open, silent, idle, crowded } = result;
      if (silent + idle + crowded > 0) {
        this.#options.onEvent({ type: "cut", open, silent, idle, crowded });
      }
    } catch (thrown) {
      const error = toCacheError(thrown, `listener.${what}`);
      this.#options.onEvent({ type: "failed", what, error });
    }
  }
}
