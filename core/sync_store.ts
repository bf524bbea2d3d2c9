/** What a session with a peer asks of the store on its side, made for just this peer. */
import type { SignalOptions } from "./bytes.ts";
import type { Bytes } from "./digest.ts";
import type { SummaryView } from "./summary/trie.ts";

/** What a peer may be allowed to do. `replicate`: bring records with their stamps, as they are. */
export type SyncVerb = "read" | "write" | "replicate" | "invalidate";

/** The world that a comparison is about. */
export interface SyncPlace {
  readonly namespace: string;
  readonly scope: string;
}

/** Where a peer stood when its changes were seen last. */
export interface SyncCursor {
  /** The peer's index, 16 hex digits. */
  readonly indexId: string;
  readonly epoch: number;
  readonly sequence: number;
}

/** Where this store stands in one place. */
export interface SyncPosition extends SyncCursor {
  /** Tombstones with an older hybrid logical clock are not in its summary. */
  readonly horizon: bigint;
  /** The newest horizon that a peer may ask for. */
  readonly maxHorizon: bigint;
  /** How far it has seen the peer; `undefined` compares summaries. */
  readonly seen: SyncCursor | undefined;
  /** The summary without tombstones that are older than this. */
  readonly view: (horizon: bigint) => SummaryView;
}

/** A chunk or a recipe by SHA-256: of the chunk, of the blob for a root, of its body for a part. */
export interface SyncName {
  readonly kind: "chunk" | "recipe";
  /** 32 bytes. */
  readonly id: Bytes;
}

/** One that came and was checked. */
export interface SyncBody extends SyncName {
  readonly body: Bytes;
}

/** One record that a peer brings. */
export interface SyncRecord {
  /** An entry record or tombstone as `codec/entry_record.ts` packs it. */
  readonly body: Bytes;
  /** Whether all that it names is here now. */
  readonly complete: boolean;
}

/**
 * - `taken`: kept as it came, or known already, or older than what is here.
 * - `missing`: not kept, something that it names is not here.
 * - `refused`: not kept, the peer may not bring it.
 * - bytes: kept with the writer, scope and stamp that this store gave it; this is the record.
 */
export type RecordOutcome = "taken" | "missing" | "refused" | Bytes;

/** What a commit did. */
export interface SyncCommit {
  /** One for each record. */
  readonly outcomes: readonly RecordOutcome[];
  /** By how much the sequence of the place grew through it. */
  readonly changes: number;
}

/**
 * A store as one peer meets it. Every question is asked with the place that it is about, so that
 * what this peer may not see is not here for it.
 */
export interface SyncStore {
  /** Whether the peer may do this; asked anew each time, since rights end while a session runs. */
  can(verb: SyncVerb, place: SyncPlace): boolean;
  position(place: SyncPlace): SyncPosition;
  /** The records of these item ids, packed; those that are gone meanwhile are left out. */
  records(place: SyncPlace, items: Bytes, options?: SignalOptions): Promise<Bytes[]>;
  /** Item ids that came behind a sequence, packed, in pages. */
  feed(place: SyncPlace, after: number, options?: SignalOptions): AsyncIterable<Bytes>;
  /**
   * Which of these the place lacks. What only another namespace can see is lacking too. A recipe is
   * here when all its chunks are.
   */
  missing(
    place: SyncPlace,
    names: readonly SyncName[],
    options?: SignalOptions,
  ): Promise<boolean[]>;
  /**
   * The body of a chunk or recipe that a record of the place leads to, or that was stored for it;
   * `undefined` if it is not here.
   */
  read(place: SyncPlace, name: SyncName, options?: SignalOptions): Promise<Bytes | undefined>;
  /**
   * Stores what was checked against its name; durable when it resolves. Kept for a while though no
   * record names it yet, so that a session that was cut goes on where it was.
   */
  store(place: SyncPlace, bodies: readonly SyncBody[], options?: SignalOptions): Promise<void>;
  /**
   * Keeps records, in one step; durable when it resolves. Where the peer may not `replicate`,
   * writer, scope, device, stamp and epoch are set here, and nothing incomplete is kept. A record
   * that is brought again, because its acknowledgement was lost, is not stamped again: it would win
   * over what others wrote since.
   */
  commit(
    place: SyncPlace,
    records: readonly SyncRecord[],
    options?: SignalOptions,
  ): Promise<SyncCommit>;
  /**
   * Puts the record that the peer made of one of ours in its stead; where ours was replaced
   * meanwhile, it is only added. Returns by how much the sequence grew.
   */
  adopt(place: SyncPlace, ours: Bytes, theirs: Bytes, options?: SignalOptions): Promise<number>;
  /** Voids all older records of a namespace. The session has asked for the right. */
  invalidate(namespace: string, epoch: number, options?: SignalOptions): Promise<void>;
}
