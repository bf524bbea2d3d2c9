/** Pinned records: they move when their segment goes, and are never lost. */
import type { Bytes } from "../../core/digest.ts";
import type { DataKind } from "../../core/record.ts";
import type { Pack } from "./pack.ts";

/** A record that a pin needs. */
export interface PinnedRecord {
  readonly kind: DataKind;
  readonly id: Bytes;
}

/**
 * Holds these records from now on under a name, instead of what it held before; tells whether all
 * of them are here. If not, nothing has changed.
 */
export function pinRecords(pack: Pack, name: string, records: readonly PinnedRecord[]): boolean {
  const { tables, holdings, pins } = pack;
  if (!records.every(({ kind, id }) => tables.find(kind, id))) return false;
  const upload = holdings.upload(undefined);
  for (const record of records) holdings.hold(upload, record, () => true);
  unpinRecords(pack, name);
  pins.set(name, upload);
  return true;
}

/** Lets go what a name holds. Safe for an unknown one. */
export function unpinRecords({ holdings, pins }: Pack, name: string): void {
  const upload = pins.get(name);
  if (upload) holdings.end(upload);
  pins.delete(name);
}
