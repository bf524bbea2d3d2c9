/** What any connection asks of the tables. Every statement ends within its call. */
import type { DatabaseSync } from "node:sqlite";
import { blobRefOf } from "../../codec/visibility_record.ts";
import { chunkIdOf, entryId, namespaceId } from "../../codec/entry_id.ts";
import { decodeEntry, decodeTombstone } from "../../codec/entry_record.ts";
import type { RecordContext } from "../../codec/entry_record.ts";
import { noSeal } from "../../codec/seal.ts";
import { createHash } from "node:crypto";
import { digestBytes, fromHex } from "../../core/digest.ts";
import { inOneRead } from "../../core/one_read.ts";
import type { Bytes, Digest } from "../../core/digest.ts";
import type { BlobRef, EntryId, EntryKey } from "../../core/entry.ts";
import { CacheError } from "../../core/errors.ts";
import type { RangeSummary, ScanItem } from "../../core/metadata_index.ts";
import { KIND_NUMBER } from "../../core/record.ts";
import type { IndexTotals } from "../contract.ts";
import { itemRange } from "../scan_filter.ts";
import { nameOrder, newestNames } from "./names.ts";
import type { NameOrder, NewestNames } from "./names.ts";
import { totalsReader } from "./state.ts";

/** The questions, answered from the file as it is at that moment. */
export interface Queries {
  readonly names: NameOrder;
  readonly newest: NewestNames;
  /** The newest version of an identity, complete or not. @throws {CacheError} `corrupt` */
  version(id: EntryId): ScanItem | undefined;
  /** Ids of the changes after this sequence, oldest first. */
  changes(after: number, limit: number): { id: EntryId; sequence: number }[];
  /** The number of a namespace in the tables; `undefined` if nothing was ever stored in it. */
  namespaceNo(namespace: string): number | undefined;
  /** The same of a namespace and scope. */
  spaceNo(namespace: string, scope: string): number | undefined;
  visibleSizes(namespace: string, digests: readonly Digest[]): (number | undefined)[];
  visibleAfter(namespace: string, after: Digest | undefined, limit: number): BlobRef[];
  summarize(namespace: string, scope: string, prefix: string): RangeSummary;
  totals(): IndexTotals;
}

/**
 * Prepares all statements.
 * @throws {CacheError} `unsupported` for a seal: the order of names is not made in memory yet
 */
export function prepareQueries(db: DatabaseSync, context: RecordContext): Queries {
  if (context.seal !== noSeal) {
    throw new CacheError("unsupported", "Cannot open the index: it is sealed, want no seal", {
      operation: "index.open",
    });
  }
  const namespaces = new Map<string, number>();
  const version = db.prepare(`SELECT state, sequence, used, record FROM entries WHERE id = ?`);
  const changes = db.prepare(
    `SELECT id, sequence FROM entries WHERE sequence > ? ORDER BY sequence LIMIT ?`,
  );
  const namespaceRow = db.prepare(`SELECT no FROM namespaces WHERE id = ?`);
  const spaceRow = db.prepare(`SELECT no FROM spaces WHERE id = ?`);
  const size = db.prepare(`SELECT size FROM visibility WHERE namespace_no = ? AND id = ?`);
  const blobs = db.prepare(
    `SELECT id, kind, size FROM visibility WHERE namespace_no = ? AND id > ? ORDER BY id LIMIT ?`,
  );
  const items = db.prepare(
    `SELECT item FROM entries WHERE space_no = ? AND item BETWEEN ? AND ? ORDER BY item`,
  );

  function namespaceNo(namespace: string): number | undefined {
    const known = namespaces.get(namespace);
    if (known !== undefined) return known;
    const row = namespaceRow.get(namespaceId(context.keys, namespace));
    if (row) namespaces.set(namespace, Number(row.no)); // numbers are never given twice
    return row && Number(row.no);
  }

  function spaceNo(namespace: string, scope: string): number | undefined {
    const row = spaceRow.get(spaceId(context, { namespace, scope }));
    return row && Number(row.no);
  }

  return {
    names: nameOrder(db),
    newest: newestNames(db),
    namespaceNo,
    spaceNo,
    version(id) {
      const row = version.get(id);
      if (!row) return undefined;
      const stored = { sequence: Number(row.sequence), used: Number(row.used) };
      return readVersion(row.state === 1, row.record as Bytes, { ...stored, context });
    },
    changes: (after, limit) =>
      changes.all(after, limit).map((row) => ({
        id: row.id as EntryId,
        sequence: Number(row.sequence),
      })),
    visibleSizes(namespace, digests) {
      const no = namespaceNo(namespace);
      if (no === undefined) return digests.map(() => undefined);
      return inOneRead(db, digests.length, () =>
        digests.map((digest) => {
          const row = size.get(no, chunkIdOf(digestBytes(digest)));
          return row && Number(row.size);
        }));
    },
    visibleAfter(namespace, after, limit) {
      const no = namespaceNo(namespace);
      if (no === undefined) return [];
      const from = after === undefined ? new Uint8Array(0) : chunkIdOf(digestBytes(after));
      return blobs.all(no, from, limit).map((row) =>
        blobRefOf({
          kind: row.kind === KIND_NUMBER.chunk ? "chunk" : "recipe",
          id: row.id as Bytes,
          size: Number(row.size),
        })
      );
    },
    summarize(namespace, scope, prefix) {
      const { first, last } = itemRange(prefix);
      const space = spaceNo(namespace, scope);
      const hash = createHash("sha256");
      let count = 0;
      if (space !== undefined) {
        // Stepped through in one turn: one snapshot, and none that is held.
        for (const row of items.iterate(space, fromHex(first), fromHex(last))) {
          hash.update(row.item as Bytes);
          count++;
        }
      }
      return { count, fingerprint: new Uint8Array(hash.digest()) };
    },
    totals: totalsReader(db),
  };
}

/** Names a (namespace, scope) without telling it: an entry id with no protocol and no key. */
export function spaceId(
  context: RecordContext,
  space: Pick<EntryKey, "namespace" | "scope">,
): Bytes {
  const { namespace, scope } = space;
  return entryId(context.keys, { namespace, scope, protocol: "", key: "" });
}

/** A row of `entries` as a scan shows it. @throws {CacheError} `corrupt` */
export function readVersion(
  alive: boolean,
  record: Bytes,
  stored: { sequence: number; used: number; context: RecordContext },
): ScanItem {
  const { sequence, used, context } = stored;
  if (alive) {
    const { facts, stamp } = decodeEntry(record, context);
    return { type: "entry", entry: { ...facts, stamp, sequence, used } };
  }
  const { key, stamp } = decodeTombstone(record, context);
  return { type: "tombstone", tombstone: { ...key, stamp, sequence } };
}
