/** A store in memory that sessions meet: records of several places, their chunks and their summaries. */
import {
  decodeEntry,
  decodeTombstone,
  encodeEntry,
  itemIdOfRecord,
  readClearPart,
} from "../../codec/entry_record.ts";
import type { RecordContext } from "../../codec/entry_record.ts";
import { nextHlc } from "../../codec/hlc.ts";
import { noSeal } from "../../codec/seal.ts";
import { concat } from "../../core/bytes.ts";
import type { Bytes } from "../../core/digest.ts";
import { digestFromBytes, sha256 } from "../../core/digest.ts";
import { compareStamps } from "../../core/entry.ts";
import type { EntryFacts } from "../../core/entry.ts";
import { CacheError } from "../../core/errors.ts";
import { SummarySet } from "../../core/summary/summary_set.ts";
import { MemoryBodies, nameKey, partsOf } from "./memory_sync_bodies.ts";
import type {
  RecordOutcome,
  SyncBody,
  SyncCommit,
  SyncName,
  SyncPlace,
  SyncPosition,
  SyncRecord,
  SyncStore,
  SyncVerb,
} from "../../core/sync_store.ts";

/** The sync domain of all stores of a test. */
export const CONTEXT: RecordContext = {
  keys: { indexKey: new Uint8Array(32).fill(9) },
  seal: noSeal,
};

interface Place {
  readonly set: SummarySet;
  /** By entry id. */
  readonly records: Map<string, Bytes>;
  /** By item id. */
  readonly items: Map<string, Bytes>;
  readonly log: Bytes[];
  readonly visible: Set<string>;
  sequence: number;
}

/** What a peer may do; and what the store makes of its records otherwise. */
export interface PeerRights {
  readonly can?: (verb: SyncVerb, place: SyncPlace) => boolean;
  /** Writer of records of a peer that may not replicate. */
  readonly writer?: string;
}

/** All of one machine, and what each peer sees of it. */
export class MemorySyncWorld {
  readonly #places = new Map<string, Place>();
  readonly #bodies = new MemoryBodies();
  readonly #device: string;
  /** Records that were stamped here, by the item that was brought. */
  readonly #stamped = new Map<string, Bytes>();
  #hlc = 0n;
  /** Bodies that were stored through sessions, and how often. */
  stores = 0;
  readonly epochs = new Map<string, number>();

  /** `device`: 16 hex digits. */
  constructor(device: string) {
    this.#device = device;
  }

  /** The place, made when it is asked for. */
  place({ namespace, scope }: SyncPlace): Place {
    const key = `${namespace} ${scope}`;
    let place = this.#places.get(key);
    if (!place) {
      place = {
        set: new SummarySet(),
        records: new Map(),
        items: new Map(),
        log: [],
        visible: new Set(),
        sequence: 0,
      };
      this.#places.set(key, place);
    }
    return place;
  }

  /** Puts an entry as an own write; a blob above the largest chunk, or one that is `cut`, gets a recipe. */
  put(place: SyncPlace, key: string, bodies: readonly Bytes[], at = 1000): Bytes {
    const blobs = bodies.map((body) => ({
      digest: digestFromBytes(sha256(body)),
      size: body.length,
    }));
    const facts: EntryFacts = {
      ...place,
      protocol: "plain",
      key,
      content: "opaque",
      blobs,
      headers: {},
      tags: [],
      inputs: {},
      writer: "someone",
      created: at,
      cost: 0,
    };
    const { visible } = this.place(place);
    for (const body of bodies) {
      for (const name of this.#bodies.putBlob(body)) visible.add(nameKey(name));
    }
    this.#hlc = nextHlc(this.#hlc, at);
    const version = { epoch: 0, hlc: this.#hlc, device: this.#device };
    const { record } = encodeEntry(facts, version, CONTEXT);
    this.#take(place, record.body);
    return record.body;
  }

  /** Last writer wins; returns by how much the sequence grew. */
  #take(place: SyncPlace, record: Bytes): number {
    const at = this.place(place);
    const part = readClearPart(record);
    const id = part.entryId.toHex();
    const old = at.records.get(id);
    if (old && compareStamps(readClearPart(old).stamp, part.stamp) >= 0) return 0;
    this.#drop(at, old);
    const item = itemIdOfRecord(CONTEXT.keys, record);
    at.records.set(id, record);
    at.items.set(item.toHex(), record);
    at.set.add(item);
    at.log.push(item);
    for (const blob of part.blobs) this.#show(at, { kind: blob.kind, id: blob.id });
    at.sequence++;
    return 1;
  }

  #drop(at: Place, record: Bytes | undefined): void {
    if (!record) return;
    const item = itemIdOfRecord(CONTEXT.keys, record);
    at.records.delete(readClearPart(record).entryId.toHex());
    at.items.delete(item.toHex());
    at.set.delete(item);
  }

  /** What a record leads to is seen in its place. */
  #show(at: Place, name: SyncName): void {
    const body = this.#bodies.get(name);
    if (!body) return;
    at.visible.add(nameKey(name));
    if (name.kind === "recipe") { for (const part of partsOf(body)) this.#show(at, part); }
  }

  /** All of a blob as a reader of the place gets it. */
  blob(place: SyncPlace, name: SyncName): Bytes | undefined {
    const body = this.place(place).visible.has(nameKey(name)) ? this.#bodies.get(name) : undefined;
    if (!body || name.kind === "chunk") return body;
    const parts = partsOf(body).map((part) => this.blob(place, part));
    return parts.some((part) => !part) ? undefined : concat(parts as Bytes[]);
  }

  /** Forgets a body, as eviction does: records stay. */
  evict(name: SyncName): void {
    this.#bodies.delete(name);
  }

  /** Swaps a body for another, as a liar does. */
  forge(name: SyncName, body: Bytes): void {
    this.#bodies.set(name, body);
  }

  /** The store as one peer meets it, in one session. */
  for({ can = () => true, writer = "peer" }: PeerRights = {}): SyncStore {
    const here = (place: SyncPlace, name: SyncName) =>
      this.#bodies.get(name) !== undefined &&
      (this.place(place).visible.has(nameKey(name)) || this.#staged(place).has(nameKey(name)));
    return {
      can,
      position: (place): SyncPosition => ({
        indexId: this.#device,
        epoch: 0,
        sequence: this.place(place).sequence,
        horizon: 0n,
        maxHorizon: 0n,
        seen: undefined,
        view: () => this.place(place).set,
      }),
      records: async (place, items) => {
        const found: Bytes[] = [];
        for (let at = 0; at < items.length; at += 16) {
          const record = this.place(place).items.get(items.subarray(at, at + 16).toHex());
          if (record) found.push(record);
        }
        return found;
      },
      feed: (place, after) => this.#feed(place, after),
      missing: async (place, names) => names.map((name) => !here(place, name)),
      read: async (place, name) => here(place, name) ? this.#bodies.get(name) : undefined,
      store: async (place, bodies: readonly SyncBody[]) => {
        for (const name of bodies) {
          this.#bodies.set(name, name.body);
          this.#staged(place).add(nameKey(name));
          this.stores++;
        }
      },
      commit: async (place, records) => this.#commit(place, records, { can, writer }),
      adopt: async (place, ours, theirs) => {
        const at = this.place(place);
        const id = readClearPart(ours).entryId.toHex();
        let changes = 0;
        if (at.records.get(id) === ours) {
          this.#drop(at, ours);
          changes++;
          at.sequence++;
        }
        const facts = decodeEntry(theirs, CONTEXT).facts;
        const taken = this.#take(facts, theirs);
        return facts.namespace === place.namespace && facts.scope === place.scope
          ? changes + taken
          : changes;
      },
      invalidate: async (namespace, epoch) => void this.epochs.set(namespace, epoch),
    };
  }

  async *#feed(place: SyncPlace, after: number): AsyncGenerator<Bytes> {
    const log = this.place(place).log.slice(after);
    if (log.length > 0) yield concat(log);
  }

  readonly #stagedBy = new Map<string, Set<string>>();
  #staged({ namespace }: SyncPlace): Set<string> {
    let set = this.#stagedBy.get(namespace);
    if (!set) this.#stagedBy.set(namespace, set = new Set());
    return set;
  }

  #commit(
    place: SyncPlace,
    records: readonly SyncRecord[],
    { can, writer }: Required<PeerRights>,
  ): SyncCommit {
    let changes = 0;
    const replicates = can("replicate", place);
    const outcomes = records.map(({ body, complete }): RecordOutcome => {
      const tombstone = readClearPart(body).kind === "tombstone";
      const opened = opening(() =>
        tombstone ? decodeTombstone(body, CONTEXT).key : decodeEntry(body, CONTEXT).facts
      );
      if (!opened || opened.namespace !== place.namespace) return "refused";
      if (!replicates && (tombstone || !complete)) return complete ? "refused" : "missing";
      if (opened.scope !== place.scope) return "refused";
      if (replicates) {
        changes += this.#take(place, body);
        return "taken";
      }
      const item = itemIdOfRecord(CONTEXT.keys, body).toHex();
      if (this.place(place).items.has(item)) return "taken";
      const stamped = this.#stamped.get(item);
      if (stamped) return stamped;
      this.#hlc = nextHlc(this.#hlc, 5000);
      const facts = { ...(opened as EntryFacts), writer };
      const version = { epoch: 0, hlc: this.#hlc, device: this.#device };
      const { record } = encodeEntry(facts, version, CONTEXT);
      changes += this.#take(place, record.body);
      this.#stamped.set(item, record.body);
      return record.body;
    });
    return { outcomes, changes };
  }
}

function opening<T>(open: () => T): T | undefined {
  try {
    return open();
  } catch (error) {
    if (error instanceof CacheError) return undefined;
    throw error;
  }
}
