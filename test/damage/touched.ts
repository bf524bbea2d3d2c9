/** What a damage has touched, and what may be missing because of it: no more than that. */
import { Buffer } from "node:buffer";
import { openDomainKey } from "../../auth/domain_key.ts";
import { entryId } from "../../codec/entry_id.ts";
import { decodeRecipe } from "../../codec/recipe.ts";
import { MAX_CHUNK_BYTES } from "../../core/limits.ts";
import type { PlacedRecord, StoreFile } from "./records.ts";
import { RECORD_HEADER_BYTES } from "./records.ts";
import type { World, WorldBlob, WorldEntry } from "./world.ts";
import { draftOf } from "./world.ts";

/** What may be missing after a damage. */
export interface Touched {
  readonly blobs: ReadonlySet<WorldBlob>;
  /** Entries whose own records in the log were touched; those whose blobs were are not in here. */
  readonly entries: ReadonlySet<WorldEntry>;
  /** Records that are not as they were. */
  readonly records: number;
}

/** What hangs on which record of a whole store. */
export interface Dependencies {
  /** Blobs by the hex ids of the records that they need. */
  readonly blobs: ReadonlyMap<string, readonly WorldBlob[]>;
  readonly entries: ReadonlyMap<string, WorldEntry>;
  /** Hex ids of the blobs that a record of visibility speaks of, by path and offset. */
  readonly visible: ReadonlyMap<string, readonly string[]>;
}

/** Reads from a whole store what hangs on what. */
export async function dependenciesOf(
  world: World,
  files: readonly StoreFile[],
): Promise<Dependencies> {
  const keys = openDomainKey(world.dir);
  const recipes = new Map<string, readonly string[]>();
  const visible = new Map<string, readonly string[]>();
  for (const file of files) {
    if (file.records.length === 0) continue;
    const bytes = await Deno.readFile(`${world.dir}/${file.path}`);
    for (const record of file.records) {
      const body = bytes.slice(record.from + RECORD_HEADER_BYTES, record.to);
      if (record.kind === "recipe") {
        recipes.set(record.id, decodeRecipe(body).entries.map(({ id }) => id.toHex()));
      }
      if (record.kind !== "visibility") continue;
      const count = new DataView(body.buffer).getUint32(36, true);
      const ids = Array.from({ length: count }, (_, n) => body.slice(41 + 41 * n, 73 + 41 * n));
      visible.set(`${file.path} ${record.from}`, ids.map((id) => id.toHex()));
    }
  }
  const blobs = new Map<string, WorldBlob[]>();
  for (const blob of world.blobs) {
    const id = blob.digest.replace("sha256-", "");
    const chunked = blob.bytes.length > MAX_CHUNK_BYTES;
    for (const needed of chunked ? [id, ...recipes.get(id)!] : [id]) {
      blobs.set(needed, [...blobs.get(needed) ?? [], blob]);
    }
  }
  const entries = new Map(
    world.entries.map((entry) => [entryId(keys, draftOf(entry)).toHex(), entry]),
  );
  return { blobs, entries, visible };
}

/** Compares a damaged store with the whole one. */
export async function touchedIn(
  world: World,
  dir: string,
  { files, hangs }: { files: readonly StoreFile[]; hangs: Dependencies },
): Promise<Touched> {
  const blobs = new Set<WorldBlob>();
  const entries = new Set<WorldEntry>();
  let records = 0;
  const touch = (file: StoreFile, record: PlacedRecord) => {
    records++;
    for (const blob of hangs.blobs.get(record.id) ?? []) blobs.add(blob);
    const entry = hangs.entries.get(record.id);
    if (entry) entries.add(entry);
    for (const id of hangs.visible.get(`${file.path} ${record.from}`) ?? []) {
      for (const blob of hangs.blobs.get(id) ?? []) {
        if (blob.digest.endsWith(id)) blobs.add(blob);
      }
    }
  };
  for (const file of files) {
    if (file.records.length === 0) continue;
    const before = await Deno.readFile(`${world.dir}/${file.path}`);
    const after = await Deno.readFile(`${dir}/${file.path}`).catch(() => new Uint8Array(0));
    if (Buffer.compare(before, after) === 0) continue;
    for (const record of file.records) {
      const { from, to } = record;
      if (Buffer.compare(before.subarray(from, to), after.subarray(from, to)) !== 0) {
        touch(file, record);
      }
    }
  }
  return { blobs, entries, records };
}
