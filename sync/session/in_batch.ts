/** What one batch of the other side still waits for. Knows no messages and no store. */
import type { Bytes } from "../../core/digest.ts";
import type { SyncPlace } from "../../core/sync_store.ts";
import { violation } from "./messages.ts";
import { namedBlobs } from "./named_blobs.ts";
import type { NamedBlob, NamedBlobs } from "./named_blobs.ts";

/** A recipe whose chunks are on their way. */
export interface HeldRecipe {
  readonly blob: NamedBlob;
  readonly body: Bytes;
  /** How many of those that it lists are not here. */
  left: number;
  /** Those that wait for this one. */
  readonly waiters: HeldRecipe[];
}

/** Something that was asked for. */
interface Asked {
  readonly blob: NamedBlob;
  readonly waiters: HeldRecipe[];
  came: boolean;
}

/** One batch while it is received. */
export class InBatch {
  readonly blobs: NamedBlobs;
  /** Work that has to be over before it is committed. */
  readonly work = new Set<Promise<void>>();
  readonly #have = new Set<string>();
  readonly #asked = new Map<string, Asked>();
  #nextSmall = 0;
  /** Bytes of recipes that wait for their chunks. */
  heldBytes = 0;
  /** COMMIT has come: nothing else may. */
  committed = false;

  /** `place` is `undefined` where nothing of it will be kept. */
  constructor(
    readonly number: number,
    readonly comparison: number,
    readonly place: SyncPlace | undefined,
    readonly records: readonly Bytes[],
  ) {
    this.blobs = namedBlobs(records);
  }

  /** This is here. */
  has(blob: NamedBlob): void {
    this.#have.add(blob.key);
  }

  /** Whether all that a record names is here. */
  complete(record: number): boolean {
    return this.blobs.byRecord[record]!.every((key) => this.#have.has(key));
  }

  /** Whether this has to be asked for, and is not yet; `waiter` waits for it in any case. */
  ask(blob: NamedBlob, waiter?: HeldRecipe): boolean {
    const asked = this.#asked.get(blob.key);
    if (asked && asked.blob.length !== blob.length) {
      throw violation("it names one chunk in two lengths");
    }
    if (asked && this.#have.has(blob.key)) return false;
    if (waiter) waiter.left++;
    const waiters = asked?.waiters ?? [];
    if (waiter) waiters.push(waiter);
    if (!asked) this.#asked.set(blob.key, { blob, waiters, came: false });
    return !asked;
  }

  /**
   * Something came; how long it must be, and who waits for it.
   * @throws {CacheError} `invalid_argument` for what was not asked for, or came twice
   */
  came(key: string): Asked {
    const asked = this.#asked.get(key);
    if (!asked || asked.came) throw violation("it sends what nobody asked for");
    asked.came = true;
    return asked;
  }

  /** The next small blobs, which a PACK brings. */
  nextSmall(count: number): readonly NamedBlob[] {
    const next = this.blobs.small.slice(this.#nextSmall, this.#nextSmall + count);
    if (next.length < count) throw violation("a PACK brings more than its records name");
    this.#nextSmall += count;
    return next;
  }
}
