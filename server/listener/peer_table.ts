/**
 * Which connections have sent a whole request, and which have one under way: shared by all
 * threads that listen on one port, since only the kernel knows which thread accepted what.
 *
 * ```
 * Int32Array  0 owner (who sweeps, 0 nobody)   1 now (tenths of a second, moved by the sweeper)
 *             2 held while a thread starts to listen   3..15 unused
 *             then BUCKETS × 8 slots of 4: high (0 free), low, last (its bits turned over: a
 *             stranger), in flight
 * ```
 */

const HEADER = 16;
const BUCKETS = 4096;
const WAYS = 8;
const SLOT = 4;
/** Marks a slot that is being filled; no peer id has it. */
const CLAIMED = -1;
const TWO_32 = 0x1_0000_0000;

/** What is known of one peer. */
export interface PeerFacts {
  /** Requests under way. */
  readonly inFlight: number;
  /** When its last request began or ended, by {@linkcode PeerTable.now}. */
  readonly last: number;
  /** Nobody knows who it is: its last request had no token that is good. */
  readonly stranger: boolean;
}

/**
 * A number for an address and a port: 53 bits of FNV-1a (Fowler, Noll, Vo) with two offsets. Two
 * peers with one number would only spare a connection that should be cut.
 */
export function peerId(host: string, port: number): number {
  let low = 0x811c9dc5;
  let high = 0x2a3c5d79;
  for (let at = 0; at < host.length; at++) {
    const code = host.charCodeAt(at);
    low = Math.imul(low ^ code, 0x01000193);
    high = Math.imul(high ^ code, 0x01000193);
  }
  low = Math.imul(low ^ port, 0x01000193);
  high = Math.imul(Math.imul(high ^ (port % 256), 0x01000193) ^ Math.trunc(port / 256), 0x01000193);
  return (high >>> 11) * TWO_32 + (low >>> 0);
}

/** The table; every thread makes its own view of the same buffer. */
export class PeerTable {
  /** How many bytes a buffer needs. */
  static readonly BYTES = (HEADER + BUCKETS * WAYS * SLOT) * 4;

  readonly buffer: SharedArrayBuffer;
  readonly #cells: Int32Array;
  readonly #self = crypto.getRandomValues(new Int32Array(1))[0] || 1;

  /** Without a buffer: a new, empty one. */
  constructor(buffer: SharedArrayBuffer = new SharedArrayBuffer(PeerTable.BYTES)) {
    this.buffer = buffer;
    this.#cells = new Int32Array(buffer);
  }

  /** Notes that a request of this peer has begun. Give what it returns to {@linkcode end}. */
  begin(id: number): number {
    const slot = this.#find(id) || this.#claim(id);
    if (slot === 0) return 0;
    Atomics.store(this.#cells, slot + 2, this.now);
    Atomics.add(this.#cells, slot + 3, 1);
    return slot;
  }

  /** Notes a request that is answered already: as {@linkcode begin} and {@linkcode end}. */
  note(id: number, stranger: boolean): void {
    const slot = this.#find(id) || this.#claim(id);
    if (slot !== 0) Atomics.store(this.#cells, slot + 2, stranger ? ~this.now : this.now);
  }

  /** Notes that it has ended. A slot that was given to somebody else since is left alone. */
  end(slot: number, id: number, stranger = false): void {
    if (slot === 0 || !this.#holds(slot, id)) return;
    Atomics.store(this.#cells, slot + 2, stranger ? ~this.now : this.now);
    const count = Atomics.load(this.#cells, slot + 3);
    if (count > 0) Atomics.compareExchange(this.#cells, slot + 3, count, count - 1);
  }

  /** What is known of a peer; `"full"` if there was no room to note it; `undefined`: a stranger. */
  facts(id: number): PeerFacts | "full" | undefined {
    const slot = this.#find(id);
    if (slot === 0) return this.#free(id) === 0 ? "full" : undefined;
    const last = Atomics.load(this.#cells, slot + 2);
    return {
      last: timeOf(last),
      stranger: last < 0,
      inFlight: Atomics.load(this.#cells, slot + 3),
    };
  }

  /** Tenths of a second by the sweeper's clock. */
  get now(): number {
    return Atomics.load(this.#cells, 1);
  }

  /** Whether this view is the one that sweeps; takes the task if nobody has it. */
  lead(): boolean {
    const owner = Atomics.compareExchange(this.#cells, 0, 0, this.#self);
    return owner === 0 || owner === this.#self;
  }

  /** Takes the task of sweeping from a thread that no longer does it. */
  seize(): void {
    Atomics.store(this.#cells, 0, this.#self);
  }

  /** Gives the task back. */
  resign(): void {
    Atomics.compareExchange(this.#cells, 0, this.#self, 0);
  }

  /**
   * Runs `start` while no other thread does. Waits at most a second: a thread that died in there
   * must not stop the others.
   */
  alone<T>(start: () => T): T {
    const cells = this.#cells;
    for (
      let turn = 0;
      turn < 100 && Atomics.compareExchange(cells, 2, 0, this.#self) !== 0;
      turn++
    ) {
      Atomics.wait(cells, 2, Atomics.load(cells, 2), 10);
    }
    try {
      return start();
    } finally {
      Atomics.compareExchange(cells, 2, this.#self, 0);
      Atomics.notify(cells, 2);
    }
  }

  /** Moves the time on, by at least a tenth so that before and after can be told apart. */
  advance(ms: number): void {
    Atomics.add(this.#cells, 1, Math.max(1, Math.round(ms / 100)));
  }

  /**
   * Forgets the peers that are not in `present`, unless they were active since `since`: then they
   * may have come after `present` was read.
   */
  forget(present: ReadonlySet<number>, since: number): void {
    const cells = this.#cells;
    for (let slot = HEADER; slot < cells.length; slot += SLOT) {
      const high = cells[slot]!;
      if (high === 0 || high === CLAIMED || timeOf(cells[slot + 2]!) >= since) continue;
      const id = (high - 1) * TWO_32 + (cells[slot + 1]! >>> 0);
      if (!present.has(id)) Atomics.compareExchange(cells, slot, high, 0);
    }
  }

  #bucket(id: number): number {
    return HEADER + (id % BUCKETS) * WAYS * SLOT;
  }

  #holds(slot: number, id: number): boolean {
    return this.#cells[slot + 1] === (id % TWO_32 | 0) &&
      Atomics.load(this.#cells, slot) === Math.trunc(id / TWO_32) + 1;
  }

  /** The peer's slot, 0 if it has none. */
  #find(id: number): number {
    const first = this.#bucket(id);
    for (let slot = first; slot < first + WAYS * SLOT; slot += SLOT) {
      if (this.#holds(slot, id)) return slot;
    }
    return 0;
  }

  /** A free slot where the peer could be noted, 0 if there is none. */
  #free(id: number): number {
    const first = this.#bucket(id);
    for (let slot = first; slot < first + WAYS * SLOT; slot += SLOT) {
      if (Atomics.load(this.#cells, slot) === 0) return slot;
    }
    return 0;
  }

  #claim(id: number): number {
    const cells = this.#cells;
    for (let slot = this.#free(id); slot !== 0; slot = this.#free(id)) {
      if (Atomics.compareExchange(cells, slot, 0, CLAIMED) !== 0) continue;
      Atomics.store(cells, slot + 1, id % TWO_32 | 0);
      Atomics.store(cells, slot + 2, this.now);
      Atomics.store(cells, slot + 3, 0);
      Atomics.store(cells, slot, Math.trunc(id / TWO_32) + 1);
      return slot;
    }
    return 0;
  }
}

function timeOf(last: number): number {
  return last < 0 ? ~last : last;
}
