/**
 * The order of keys while nothing is sealed: the only code that writes plain names to a column.
 * With a seal this table does not exist and {@linkcode NameOrder} has to be made in memory.
 */
import type { DatabaseSync } from "node:sqlite";
import type { EntryId, EntryKey } from "../../core/entry.ts";
import type { ScanFilter } from "../scan_filter.ts";
import { compareText } from "../../core/text_order.ts";
import { utf8 } from "../../core/utf8.ts";
import { nameSum } from "./row_sum.ts";

/** One place of the order. */
export interface NamedId {
  readonly key: EntryKey;
  readonly id: EntryId;
}

/** The identities that are here, tombstones included, in the order of `compareKeys`. */
export interface NameOrder {
  /** The next ones behind `after` that the filter's names let through; empty at the end. */
  page(filter: ScanFilter, after: EntryKey | undefined, limit: number): NamedId[];
}

/** The newest changes first. */
export interface NewestNames {
  /**
   * Living entries of one scope that the filter's names let through and that changed before this
   * sequence, latest change first.
   */
  page(filter: ScanFilter, at: { scope: string; before: number }, limit: number): NewestId[];
}

/** One place of it. */
export interface NewestId extends NamedId {
  readonly sequence: number;
}

/** The names as the writer changes them. */
export interface NameWriter {
  insert(key: EntryKey, id: EntryId): void;
  remove(key: EntryKey): void;
}

const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** Writes the table. Texts are stored as UTF-8 blobs: their order is `compareText`, NUL is fine. */
export function nameWriter(db: DatabaseSync): NameWriter {
  const insert = db.prepare(`INSERT OR REPLACE INTO names VALUES (?, ?, ?, ?, ?, ?)`);
  const remove = db.prepare(
    `DELETE FROM names WHERE namespace = ? AND scope = ? AND protocol = ? AND key = ?`,
  );
  return {
    insert(key, id) {
      const namespace = blob(key.namespace);
      const [scope, protocol, name] = [blob(key.scope), blob(key.protocol), blob(key.key)];
      const sum = nameSum([namespace, scope, protocol, name, id]);
      insert.run(namespace, scope, protocol, name, id, sum);
    },
    remove(key) {
      remove.run(blob(key.namespace), blob(key.scope), blob(key.protocol), blob(key.key));
    },
  };
}

type Strip = Omit<EntryKey, "key">;

/** Reads the table. A strip is all keys of one (namespace, scope, protocol). */
export function nameOrder(db: DatabaseSync): NameOrder {
  const nextStrip = db.prepare(
    `SELECT namespace, scope, protocol FROM names WHERE (namespace, scope, protocol) > (?, ?, ?)
     ORDER BY namespace, scope, protocol LIMIT 1`,
  );
  const keysFrom = db.prepare(
    `SELECT key, id FROM names WHERE namespace = ? AND scope = ? AND protocol = ?
       AND key >= ? AND key < ? ORDER BY key LIMIT ?`,
  );

  function stripAfter(namespace: string, scope: string, protocol: Uint8Array): Strip | undefined {
    const row = nextStrip.get(blob(namespace), blob(scope), protocol);
    return row && {
      namespace: plain(row.namespace),
      scope: plain(row.scope),
      protocol: plain(row.protocol),
    };
  }

  function page(filter: ScanFilter, after: EntryKey | undefined, limit: number): NamedId[] {
    const lower = blob(filter.prefix);
    const upper = prefixEnd(lower);
    const found: NamedId[] = [];
    let strip: Strip | undefined = after ?? stripAfter(filter.namespace ?? "", "", NOTHING);
    let first = after;
    while (strip && found.length < limit) {
      const jump = misplaced(strip, filter);
      if (jump === "end") break;
      if (jump === undefined) {
        const { namespace, scope, protocol } = strip;
        const from = first && compareText(first.key, filter.prefix) >= 0
          ? behind(first.key)
          : lower;
        for (
          const row of keysFrom.all(
            blob(namespace),
            blob(scope),
            blob(protocol),
            from,
            upper,
            limit - found.length,
          )
        ) {
          const key = { namespace, scope, protocol, key: plain(row.key) };
          found.push({ key, id: row.id as EntryId });
        }
      }
      first = undefined;
      strip = jump === undefined || jump === "next"
        ? stripAfter(strip.namespace, strip.scope, blob(strip.protocol))
        : stripAfter(jump.namespace, jump.scope, NOTHING);
    }
    return found;
  }

  return { page };
}

/** Reads the table along with the changes; the filter names namespace, scopes and protocol. */
export function newestNames(db: DatabaseSync): NewestNames {
  // Records are not touched: one of a large tree has a megabyte.
  const newest = db.prepare(
    `SELECT names.key, names.id, entries.sequence
     FROM names CROSS JOIN entries ON entries.id = names.id
     WHERE namespace = ? AND scope = ? AND protocol = ? AND key >= ? AND key < ?
       AND sequence < ? AND state = 1 ORDER BY sequence DESC LIMIT ?`,
  );
  return {
    page({ namespace = "", protocol = "", prefix }, { scope, before }, limit) {
      const lower = blob(prefix);
      const strip = [blob(namespace), blob(scope), blob(protocol)] as const;
      return newest.all(...strip, lower, prefixEnd(lower), before, limit).map((row) => ({
        key: { namespace, scope, protocol, key: plain(row.key) },
        id: row.id as EntryId,
        sequence: Number(row.sequence),
      }));
    },
  };
}

const NOTHING = new Uint8Array(0);
/** Greater than every UTF-8 text: no such text holds the byte FF. */
const ABOVE_ALL = new Uint8Array([0xff]);

/**
 * Where to go from a strip that the filter does not want: to the next one, to the next wanted
 * namespace or scope, or nowhere. `undefined` if the strip is wanted.
 */
function misplaced(
  strip: Strip,
  filter: ScanFilter,
): "next" | "end" | { readonly namespace: string; readonly scope: string } | undefined {
  const { namespace } = filter;
  if (namespace !== undefined && strip.namespace !== namespace) {
    return compareText(strip.namespace, namespace) > 0 ? "end" : { namespace, scope: "" };
  }
  if (filter.scopes && !filter.scopes.includes(strip.scope)) {
    const scope = filter.scopes.find((wanted) => compareText(wanted, strip.scope) > 0);
    if (scope !== undefined) return { namespace: strip.namespace, scope };
    return namespace === undefined ? "next" : "end";
  }
  return filter.protocol === undefined || strip.protocol === filter.protocol ? undefined : "next";
}

/** The first bytes behind a text: nothing stands between a text and itself with a NUL. */
function behind(text: string): Uint8Array {
  return blob(`${text}\0`);
}

/** The first bytes that are greater than all texts with this prefix. */
function prefixEnd(prefix: Uint8Array): Uint8Array {
  if (prefix.length === 0) return ABOVE_ALL;
  const end = prefix.slice();
  end[end.length - 1]!++; // UTF-8 has no byte FF, so this cannot overflow
  return end;
}

function blob(text: string): Uint8Array {
  return utf8(text);
}

function plain(value: unknown): string {
  return decoder.decode(value as Uint8Array);
}
