/** Short numbers of namespaces and spaces, which stand in rows instead of their ids. */
import type { DatabaseSync } from "node:sqlite";
import { namespaceId } from "../../codec/entry_id.ts";
import type { RecordContext } from "../../codec/entry_record.ts";
import { decodeNamespace, encodeNamespace } from "../../codec/sealed_part.ts";
import { equalBytes } from "../../core/bytes.ts";
import type { Bytes } from "../../core/digest.ts";
import type { EntryKey } from "../../core/entry.ts";
import { CacheError } from "../../core/errors.ts";
import { spaceId } from "./queries.ts";

interface NamespaceRow {
  readonly no: number;
  epoch: number;
}

/** Short numbers of namespaces and spaces, given at first use and remembered. */
export function prepareNumbers(db: DatabaseSync, context: RecordContext) {
  const namespaces = new Map<string, NamespaceRow>();
  const spaces = new Map<string, number>();
  const findNamespace = db.prepare(`SELECT no, epoch FROM namespaces WHERE id = ?`);
  const addNamespace = db.prepare(`INSERT INTO namespaces (id, name) VALUES (?, ?)`);
  const setEpoch = db.prepare(`UPDATE namespaces SET epoch = ? WHERE no = ?`);
  const all = db.prepare(`SELECT no, id, name FROM namespaces ORDER BY no`);
  const findSpace = db.prepare(`SELECT no FROM spaces WHERE id = ?`);
  const addSpace = db.prepare(`INSERT INTO spaces (id) VALUES (?)`);

  function known(name: string): NamespaceRow | undefined {
    const cached = namespaces.get(name);
    if (cached) return cached;
    const row = findNamespace.get(namespaceId(context.keys, name));
    if (!row) return undefined;
    const found = { no: Number(row.no), epoch: Number(row.epoch) };
    namespaces.set(name, found);
    return found;
  }

  function namespace(name: string): NamespaceRow {
    const found = known(name);
    if (found) return found;
    const id = namespaceId(context.keys, name);
    const sealed = context.seal.seal(encodeNamespace(name), id);
    const added = { no: Number(addNamespace.run(id, sealed).lastInsertRowid), epoch: 0 };
    namespaces.set(name, added);
    return added;
  }

  return {
    known,
    namespace,
    raiseEpoch(name: string, epoch: number): void {
      const row = namespace(name);
      if (epoch <= row.epoch) return;
      setEpoch.run(epoch, row.no);
      row.epoch = epoch;
    },
    space(key: EntryKey): number {
      const name = `${key.namespace} ${key.scope}`; // neither holds a space
      const cached = spaces.get(name);
      if (cached !== undefined) return cached;
      const id = spaceId(context, key);
      const no = Number(findSpace.get(id)?.no ?? addSpace.run(id).lastInsertRowid);
      spaces.set(name, no);
      return no;
    },
    namespaces: () =>
      all.all().map((row) => {
        const id = row.id as Bytes;
        const name = decodeNamespace(context.seal.open(row.name as Bytes, id));
        // A compaction writes down what these names see: a rotten one would lose its blobs.
        if (equalBytes(namespaceId(context.keys, name), id)) return { no: Number(row.no), name };
        throw new CacheError("corrupt", "Cannot read a namespace of the index: it is damaged", {
          operation: "index.namespaces",
        });
      }),
    /** Forgets what a transaction that failed may have added. */
    clear(): void {
      namespaces.clear();
      spaces.clear();
    },
  };
}
