/**
 * Ends connections that hold a place and ask for nothing, or never had a token that is good. The runtime has no time limit for a
 * request's header: half a header stays open for ever, and enough of them take all descriptors.
 */
import type { Clock } from "../../core/clock.ts";
import type { Kernel } from "./kernel.ts";
import type { PeerTable } from "./peer_table.ts";
import { peerId } from "./peer_table.ts";
import type { Connection, LocalAddress, PortSockets } from "./proc_net.ts";

/** {@linkcode Reaper}'s options. */
export interface ReaperOptions {
  readonly local: LocalAddress;
  /** Milliseconds in which a connection must have sent a whole header, a stranger's the next one. */
  readonly headerTimeoutMs: number;
  /** Milliseconds that a connection may stand idle after a request. */
  readonly idleMs: number;
  /** Connections above which the least useful are ended; one with a request under way never. */
  readonly maxConnections: number;
  readonly maxPerAddress: number;
  readonly clock: Clock;
}

/** What one look at the connections found and did. */
export interface Sweep {
  /** Connections open after it. */
  readonly open: number;
  /** Ended because they never sent a whole header. */
  readonly silent: number;
  /** Ended because they stood idle for too long. */
  readonly idle: number;
  /** Ended because there were too many. */
  readonly crowded: number;
  /** Inodes of the sockets that listen on the port. */
  readonly listening: readonly number[];
}

interface Seen {
  /** When it was first seen, monotonic milliseconds. */
  readonly at: number;
  /** The table's time before which it can not have sent anything. */
  readonly bornAfter: number;
}

interface Judged extends Connection {
  readonly rank: "silent" | "idle" | "busy";
  /** Milliseconds of silence: since it was first seen, or since its last request. */
  readonly quietMs: number;
}

/** Looks during which the table's time stands still before another thread takes over. */
const PATIENCE = 3;

/** Looks at the connections of one port and ends the useless ones. */
export class Reaper {
  readonly #kernel: Kernel;
  readonly #table: PeerTable;
  readonly #options: ReaperOptions;
  #seen = new Map<number, Seen>();
  #sweptAt: number | undefined;
  #lastTime = -1;
  #stood = 0;

  /** Uses `kernel` and `table`, owns neither. */
  constructor(kernel: Kernel, table: PeerTable, options: ReaperOptions) {
    this.#kernel = kernel;
    this.#table = table;
    this.#options = options;
  }

  /**
   * One look. Of the threads that share a table only one sweeps: `undefined` in the others, until
   * that one has not been heard of for a while.
   */
  sweep(): Sweep | undefined {
    if (!this.#leads()) return undefined;
    const table = this.#table;
    const now = this.#options.clock.monotonic();
    const bornAfter = this.#sweptAt === undefined ? 0 : table.now;
    table.advance(this.#sweptAt === undefined ? 0 : now - this.#sweptAt);
    this.#sweptAt = now;
    const since = table.now;
    const sockets = this.#kernel.sockets(this.#options.local);
    const { connections } = sockets;
    this.#remember(connections, { at: now, bornAfter });
    const result = this.#cut(sockets, this.#options.maxConnections);
    table.forget(new Set(connections.map((one) => peerId(one.host, one.port))), since);
    return result;
  }

  /**
   * Makes room at once, from any thread, when there is no descriptor left: goes down to `keep`
   * connections as far as there are some without a request under way.
   */
  relieve(keep: number): Sweep {
    return this.#cut(this.#kernel.sockets(this.#options.local), keep);
  }

  #leads(): boolean {
    const table = this.#table;
    if (table.lead()) return true;
    this.#stood = table.now === this.#lastTime ? this.#stood + 1 : 0;
    this.#lastTime = table.now;
    if (this.#stood < PATIENCE) return false;
    table.seize();
    return true;
  }

  #remember(connections: readonly Connection[], fresh: Seen): void {
    const seen = new Map<number, Seen>();
    for (const { inode } of connections) seen.set(inode, this.#seen.get(inode) ?? fresh);
    this.#seen = seen;
  }

  #cut({ connections, listening }: PortSockets, keep: number): Sweep {
    const { headerTimeoutMs, idleMs, maxPerAddress } = this.#options;
    const judged = connections.map((one) => this.#judge(one));
    const victims = new Map<number, "silent" | "idle" | "crowded">();
    for (const one of judged) {
      if (one.rank === "silent" && one.quietMs >= headerTimeoutMs) victims.set(one.inode, "silent");
      if (one.rank === "idle" && one.quietMs >= idleMs) victims.set(one.inode, "idle");
    }
    const crowd = (group: readonly Judged[], most: number) => {
      const rest = group.filter((one) => !victims.has(one.inode));
      for (const one of leastUseful(rest, rest.length - most)) victims.set(one.inode, "crowded");
    };
    for (const group of Map.groupBy(judged, (one) => one.host).values()) {
      crowd(group, maxPerAddress);
    }
    crowd(judged, keep);
    this.#kernel.cut(new Set(victims.keys()));
    const count = (why: string) => [...victims.values()].filter((one) => one === why).length;
    return {
      open: connections.length - victims.size,
      silent: count("silent"),
      idle: count("idle"),
      crowded: count("crowded"),
      listening,
    };
  }

  #judge(connection: Connection): Judged {
    const facts = this.#table.facts(peerId(connection.host, connection.port));
    // No room in the table to tell: never cut by mistake.
    if (facts === "full") return { ...connection, rank: "busy", quietMs: 0 };
    if (facts && facts.inFlight > 0) return { ...connection, rank: "busy", quietMs: 0 };
    const seen = this.#seen.get(connection.inode);
    // What is noted may be of an older connection from the same port.
    if (facts && facts.last >= (seen?.bornAfter ?? 0)) {
      const rank = facts.stranger ? "silent" : "idle";
      return { ...connection, rank, quietMs: (this.#table.now - facts.last) * 100 };
    }
    const quietMs = seen ? this.#options.clock.monotonic() - seen.at : 0;
    return { ...connection, rank: "silent", quietMs };
  }
}

/**
 * Up to `count` connections to end: first those that never asked for anything, longest silence
 * first, since a client sends its header at once; then the idle, longest idle first.
 */
function leastUseful(connections: readonly Judged[], count: number): Judged[] {
  if (count <= 0) return [];
  const order = { silent: 0, idle: 1, busy: 2 } as const;
  return connections.filter((one) => one.rank !== "busy")
    .sort((a, b) => order[a.rank] - order[b.rank] || b.quietMs - a.quietMs)
    .slice(0, count);
}
