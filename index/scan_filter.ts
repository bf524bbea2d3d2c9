/** What a scan asks for, read once and checked against each row. */
import type { EntryFacts, EntryKey } from "../core/entry.ts";
import type { ScanOptions } from "../core/metadata_index.ts";
import { compareText } from "../core/text_order.ts";

/** Scan options with their defaults filled in. */
export interface ScanFilter {
  readonly namespace: string | undefined;
  /** Sorted, each once; `undefined` for all. */
  readonly scopes: readonly string[] | undefined;
  readonly protocol: string | undefined;
  readonly prefix: string;
  readonly writer: string | undefined;
  readonly since: number;
  readonly until: number;
  readonly order: "key" | "sequence" | "newest";
  readonly afterSequence: number;
  readonly after: EntryKey | undefined;
  readonly tombstones: boolean;
  readonly incomplete: boolean;
  readonly limit: number;
}

/** Reads scan options. Throws `RangeError` for a limit or sequence that is no count. */
export function scanFilter(options: ScanOptions): ScanFilter {
  const limit = options.limit ?? Number.MAX_SAFE_INTEGER;
  const afterSequence = options.afterSequence ?? 0;
  if (!Number.isSafeInteger(limit) || limit < 0) {
    throw new RangeError(`Cannot scan: limit is ${limit}, want a whole number`);
  }
  if (!Number.isSafeInteger(afterSequence) || afterSequence < 0) {
    throw new RangeError(`Cannot scan: afterSequence is ${afterSequence}, want a whole number`);
  }
  if (options.order === "newest") {
    const { namespace, scopes, protocol } = options;
    if (namespace === undefined || scopes === undefined || protocol === undefined) {
      throw new RangeError("Cannot scan the newest: want a namespace, scopes and a protocol");
    }
  }
  return {
    namespace: options.namespace,
    scopes: options.scopes && [...new Set(options.scopes)].sort(compareText),
    protocol: options.protocol,
    prefix: options.prefix ?? "",
    writer: options.writer,
    since: options.since ?? -Infinity,
    until: options.until ?? Infinity,
    order: options.order ?? "key",
    afterSequence,
    after: options.after,
    tombstones: options.tombstones ?? false,
    incomplete: options.incomplete ?? false,
    limit,
  };
}

/** Whether namespace, scope, protocol and key are as asked. */
export function matchesKey(filter: ScanFilter, key: EntryKey): boolean {
  return (filter.namespace === undefined || key.namespace === filter.namespace) &&
    (filter.scopes === undefined || filter.scopes.includes(key.scope)) &&
    (filter.protocol === undefined || key.protocol === filter.protocol) &&
    // Half of a surrogate pair is no prefix: in UTF-8, which orders keys, there is no such thing.
    filter.prefix.isWellFormed() && key.key.startsWith(filter.prefix);
}

/** Whether writer and time are as asked; tombstones have neither. */
export function matchesFacts(filter: ScanFilter, { writer, created }: EntryFacts): boolean {
  return (filter.writer === undefined || writer === filter.writer) &&
    created >= filter.since && created < filter.until;
}

const HEX_PREFIX = /^[0-9a-f]{0,32}$/;

/**
 * The item ids that begin with these hex digits: from `first` to `last`, both included, 16 bytes
 * each. Throws `RangeError` for anything but 0 to 32 lowercase hex digits.
 */
export function itemRange(prefix: string): { first: string; last: string } {
  if (!HEX_PREFIX.test(prefix)) {
    throw new RangeError(
      `Cannot summarize range "${prefix.slice(0, 40)}": want at most 32 lowercase hex digits`,
    );
  }
  return { first: prefix.padEnd(32, "0"), last: prefix.padEnd(32, "f") };
}
