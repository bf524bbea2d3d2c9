/** Pins: entries that nothing evicts, whatever room is needed. */
import type { SignalOptions } from "./bytes.ts";
import type { EntryKey } from "./entry.ts";

/** An entry that is pinned. */
export interface PinnedEntry extends EntryKey {
  /** Name of the token that pinned it. */
  readonly by: string;
  /** Milliseconds since 1970. */
  readonly at: number;
  /** Bytes of the blobs that it names. */
  readonly bytes: number;
}

/** Which entries are to be pinned, or no longer: of some keys, or with a tag. */
export interface PinRequest extends SignalOptions {
  readonly namespace: string;
  readonly keys?: readonly string[] | undefined;
  readonly tag?: string | undefined;
  /** Default: every tool's. */
  readonly protocol?: string | undefined;
  /** Scopes that may be touched; `undefined` for all. A server knows that itself. */
  readonly scopes: readonly string[] | undefined;
  /** Name of the token that asks. A server knows it itself. */
  readonly by: string;
}

/** How much is pinned, and how much may be. */
export interface PinTotals {
  readonly entries: number;
  /** Bytes of the blobs that pinned entries name, each counted once. */
  readonly bytes: number;
  /** `null` for a store without a limit. */
  readonly max_bytes: number | null;
}

/** Whoever can pin. The same on a folder and over the wire, where the token decides the reach. */
export interface Pinning {
  /**
   * Pins entries, durably; tells those that are pinned now. All of them or none.
   * @throws {CacheError} `quota_exceeded` where pins would take too much of the store,
   * `too_large` for more than `MAX_PIN_KEYS` entries
   */
  pin(request: PinRequest): Promise<PinnedEntry[]>;
  /** Lets pins go; tells which. */
  unpin(request: PinRequest): Promise<PinnedEntry[]>;
  /** All pinned entries of a namespace, by scope and key. */
  pins(namespace: string, scopes?: readonly string[]): Promise<PinnedEntry[]>;
}
