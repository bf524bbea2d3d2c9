/** Short numbers of namespaces and spaces, given at first use, and what each of them holds. */
import type { DatabaseSync } from "node:sqlite";
import { namespaceId } from "../../codec/entry_id.ts";
import type { RecordContext } from "../../codec/entry_record.ts";
import {
  decodeEntryKey,
  decodeNamespace,
  encodeEntryKey,
  encodeNamespace,
} from "../../codec/sealed_part.ts";
import { equalBytes } from "../../core/bytes.ts";
import type { Bytes } from "../../core/digest.ts";
import type { EntryKey } from "../../core/entry.ts";
import { CacheError } from "../../core/errors.ts";
import type { NamespaceShare, SpaceShare } from "../contract.ts";
import { spaceId } from "./queries.ts";

/** A namespace with its number. Counts are changed in place and written by `store`. */
export interface NamespaceRow {
  readonly no: number;
  readonly name: string;
  epoch: number;
  blobs: number;
  bytes: number;
}

/** A (namespace, scope) with its number, likewise. */
export interface SpaceRow {
  readonly no: number;
  readonly namespace: string;
  readonly scope: string;
  entries: number;
  bytes: number;
}

/** How much more, or below 0 less, a space holds than before a transaction. */
export type SpaceListener = (
  space: Pick<EntryKey, "namespace" | "scope">,
  more: { readonly entries: number; readonly bytes: number },
) => void;

/** The numbers as the writer of the tables keeps them. */
export interface Numbers {
  known(name: string): NamespaceRow | undefined;
  namespace(name: string): NamespaceRow;
  raiseEpoch(name: string, epoch: number): void;
  /** Without making one. */
  knownSpace(key: Pick<EntryKey, "namespace" | "scope">): SpaceRow | undefined;
  space(key: Pick<EntryKey, "namespace" | "scope">): SpaceRow;
  spaceOf(no: number): SpaceRow;
  /** Blobs that a namespace sees more, or, below 0, less. */
  see(row: NamespaceRow, blobs: number, bytes: number): void;
  /** Entries that a space holds more, or, below 0, less. */
  hold(row: SpaceRow, entries: number, bytes: number): void;
  /** Writes what changed; inside the transaction. */
  store(): void;
  /** Hears of what spaces hold more, or less. */
  watch(listener: SpaceListener): void;
  /** Tells the listener; behind the transaction. */
  tell(): void;
  namespaces(): { readonly no: number; readonly name: string }[];
  shares(): { readonly namespaces: NamespaceShare[]; readonly spaces: SpaceShare[] };
  /** Forgets what a transaction that failed may have changed. */
  clear(): void;
}

/** Prepares all statements. */
export function prepareNumbers(db: DatabaseSync, context: RecordContext): Numbers {
  const namespaces = new Map<string, NamespaceRow>();
  const spaces = new Map<string, SpaceRow>();
  const byNumber = new Map<number, SpaceRow>();
  const changedNamespaces = new Set<NamespaceRow>();
  const changedSpaces = new Set<SpaceRow>();
  const toTell = new Map<SpaceRow, { readonly entries: number; readonly bytes: number }>();
  let listener: SpaceListener | undefined;
  const findNamespace = db.prepare(`SELECT * FROM namespaces WHERE id = ?`);
  const addNamespace = db.prepare(`INSERT INTO namespaces (id, name) VALUES (?, ?)`);
  const setNamespace = db.prepare(
    `UPDATE namespaces SET epoch = ?, blobs = ?, bytes = ? WHERE no = ?`,
  );
  const all = db.prepare(`SELECT * FROM namespaces ORDER BY no`);
  const findSpace = db.prepare(`SELECT * FROM spaces WHERE id = ?`);
  const numberedSpace = db.prepare(`SELECT * FROM spaces WHERE no = ?`);
  const addSpace = db.prepare(`INSERT INTO spaces (id, namespace_no, name) VALUES (?, ?, ?)`);
  const setSpace = db.prepare(`UPDATE spaces SET entries = ?, bytes = ? WHERE no = ?`);
  const allSpaces = db.prepare(`SELECT * FROM spaces ORDER BY no`);

  function known(name: string): NamespaceRow | undefined {
    const cached = namespaces.get(name);
    if (cached) return cached;
    const row = findNamespace.get(namespaceId(context.keys, name));
    if (!row) return undefined;
    const { no, epoch, blobs, bytes } = numbersOf(row);
    const found = { no, name, epoch, blobs, bytes };
    namespaces.set(name, found);
    return found;
  }

  function namespace(name: string): NamespaceRow {
    const found = known(name);
    if (found) return found;
    const id = namespaceId(context.keys, name);
    const sealed = context.seal.seal(encodeNamespace(name), id);
    const no = Number(addNamespace.run(id, sealed).lastInsertRowid);
    const added = { no, name, epoch: 0, blobs: 0, bytes: 0 };
    namespaces.set(name, added);
    return added;
  }

  function readSpace(row: Record<string, unknown>): SpaceRow {
    const { no, entries, bytes } = numbersOf(row);
    const { namespace, scope } = openSpace(row, context);
    const found = { no, namespace, scope, entries, bytes };
    spaces.set(nameOf(found), found);
    byNumber.set(no, found);
    return found;
  }

  function knownSpace(key: Pick<EntryKey, "namespace" | "scope">): SpaceRow | undefined {
    const cached = spaces.get(nameOf(key));
    if (cached) return cached;
    const row = findSpace.get(spaceId(context, key));
    return row && readSpace(row);
  }

  return {
    known,
    namespace,
    raiseEpoch(name, epoch) {
      const row = namespace(name);
      if (epoch <= row.epoch) return;
      row.epoch = epoch;
      changedNamespaces.add(row);
    },
    knownSpace,
    space(key) {
      const found = knownSpace(key);
      if (found) return found;
      const id = spaceId(context, key);
      const { namespace: of, scope } = key;
      const { no: namespaceNo } = namespace(of);
      const plain = encodeEntryKey({ namespace: of, scope, protocol: "space", key: "-" });
      const { lastInsertRowid } = addSpace.run(id, namespaceNo, context.seal.seal(plain, id));
      const added = { no: Number(lastInsertRowid), namespace: of, scope, entries: 0, bytes: 0 };
      spaces.set(nameOf(key), added);
      byNumber.set(added.no, added);
      return added;
    },
    spaceOf(no) {
      const cached = byNumber.get(no);
      if (cached) return cached;
      const row = numberedSpace.get(no);
      if (row) return readSpace(row);
      throw damaged("a space");
    },
    see(row, blobs, bytes) {
      row.blobs += blobs;
      row.bytes += bytes;
      changedNamespaces.add(row);
    },
    hold(row, entries, bytes) {
      row.entries += entries;
      row.bytes += bytes;
      changedSpaces.add(row);
      if (!listener) return;
      const more = toTell.get(row) ?? { entries: 0, bytes: 0 };
      toTell.set(row, { entries: more.entries + entries, bytes: more.bytes + bytes });
    },
    store() {
      for (const { epoch, blobs, bytes, no } of changedNamespaces) {
        setNamespace.run(epoch, blobs, bytes, no);
      }
      for (const { entries, bytes, no } of changedSpaces) setSpace.run(entries, bytes, no);
      changedNamespaces.clear();
      changedSpaces.clear();
    },
    watch: (given) => void (listener = given),
    tell() {
      for (const [space, more] of toTell) listener?.(space, more);
      toTell.clear();
    },
    namespaces: () =>
      all.all().map((row) => {
        const name = openNamespace(row, context);
        return { no: Number(row.no), name };
      }),
    shares: () => ({
      namespaces: all.all().map((row) => {
        const { blobs, bytes } = numbersOf(row);
        return { namespace: openNamespace(row, context), blobs, bytes };
      }),
      spaces: allSpaces.all().map((row) => {
        const { entries, bytes } = numbersOf(row);
        return { ...openSpace(row, context), entries, bytes };
      }),
    }),
    clear() {
      namespaces.clear();
      spaces.clear();
      byNumber.clear();
      changedNamespaces.clear();
      changedSpaces.clear();
      toTell.clear();
    },
  };
}

function nameOf({ namespace, scope }: Pick<EntryKey, "namespace" | "scope">): string {
  return `${namespace} ${scope}`; // neither holds a space
}

type Numeric = Readonly<Record<"no" | "epoch" | "blobs" | "bytes" | "entries", number>>;

function numbersOf(row: Record<string, unknown>): Numeric {
  const { no, epoch, blobs, bytes, entries } = row;
  return {
    no: Number(no),
    epoch: Number(epoch),
    blobs: Number(blobs),
    bytes: Number(bytes),
    entries: Number(entries),
  };
}

function openNamespace(row: Record<string, unknown>, context: RecordContext): string {
  const id = row["id"] as Bytes;
  const name = decodeNamespace(context.seal.open(row["name"] as Bytes, id));
  // A compaction writes down what these names see: a rotten one would lose its blobs.
  if (equalBytes(namespaceId(context.keys, name), id)) return name;
  throw damaged("a namespace");
}

function openSpace(
  row: Record<string, unknown>,
  context: RecordContext,
): Pick<EntryKey, "namespace" | "scope"> {
  const id = row["id"] as Bytes;
  const { namespace, scope } = decodeEntryKey(context.seal.open(row["name"] as Bytes, id));
  if (equalBytes(spaceId(context, { namespace, scope }), id)) return { namespace, scope };
  throw damaged("a space");
}

function damaged(what: string): CacheError {
  return new CacheError("corrupt", `Cannot read ${what} of the index: it is damaged`, {
    operation: "index.namespaces",
  });
}
