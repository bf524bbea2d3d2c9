/**
 * Recipes: how a blob that is larger than one chunk is put together. Little-endian.
 *
 * ```
 * root, stored as a recipe under the blob's own id
 *  0  4  magic "VRCP"
 *  4  1  version, 1
 *  5  1  level: 1 entries are chunks, 2 entries are parts
 *  6  1  chunker: 1 FastCDC-2020; 0 cut by somebody else, the next five fields are 0
 *  7  1  normalization, 2
 *  8  4  min    12  4  avg    16  4  max    20  4  seed
 * 24  8  bytes of the blob
 * 32 32  SHA-256 of the blob
 * 64  4  number of entries
 * 68  4  reserved, 0
 * 72     entries: level 1: id 32 bytes, length u32; level 2: id 32 bytes, bytes it covers u64
 *
 * part, stored as a recipe under SHA-256 of these bytes
 *  0  4  magic "VRCP"
 *  4  1  version, 1
 *  5  1  level, 0
 *  6  2  reserved, 0
 *  8  4  number of entries
 * 12     entries: chunk id 32 bytes, length u32
 * ```
 *
 * A root has level 1 up to 255 chunks, above that level 2.
 */
import type { Bytes, Digest } from "../core/digest.ts";
import { digestBytes, digestFromBytes } from "../core/digest.ts";
import { CacheError } from "../core/errors.ts";
import { MAX_RECORD_BYTES } from "../core/limits.ts";
import type { ChunkerParams } from "./chunker.ts";
import { safeAt, setSafe } from "./segment.ts";

/** The version of recipes that this program reads and writes. */
export const RECIPE_VERSION = 1;

/** Chunks from which on a root lists parts instead. */
export const PART_THRESHOLD = 256;

/** Entries of one part: never fewer but in the last, about so many more, never more. */
export const PART_ENTRIES = { min: 32, more: 96, max: 512 } as const;

/** A chunk or part: its id, and the bytes of the blob that it stands for. */
export interface RecipeEntry {
  /** 32 bytes; of a decoded recipe a view of it. */
  readonly id: Bytes;
  readonly length: number;
}

/** A root. */
export interface Recipe {
  /** 1: entries are chunks. 2: entries are parts. */
  readonly level: 1 | 2;
  /** `undefined`: somebody else cut the blob. */
  readonly chunker: ChunkerParams | undefined;
  /** Bytes of the blob. */
  readonly size: number;
  readonly digest: Digest;
  readonly entries: readonly RecipeEntry[];
}

const MAGIC = new TextEncoder().encode("VRCP");
const ROOT_BYTES = 72;
const PART_BYTES = 12;
const CHUNK_ENTRY_BYTES = 36;
const PART_ENTRY_BYTES = 40;
const FASTCDC_2020 = 1;

/** Packs a root. `RecipeBuilder` makes roots that keep the rules; this does not look. */
export function encodeRecipe(recipe: Recipe): Bytes {
  const entryBytes = recipe.level === 1 ? CHUNK_ENTRY_BYTES : PART_ENTRY_BYTES;
  const bytes = new Uint8Array(ROOT_BYTES + recipe.entries.length * entryBytes);
  const view = start(bytes, recipe.level);
  if (recipe.chunker) {
    const { min, avg, max, normalization, seed } = recipe.chunker;
    bytes[6] = FASTCDC_2020;
    bytes[7] = normalization;
    [min, avg, max, seed].forEach((value, i) => view.setUint32(8 + 4 * i, value, true));
  }
  setSafe(view, 24, recipe.size);
  bytes.set(digestBytes(recipe.digest), 32);
  view.setUint32(64, recipe.entries.length, true);
  recipe.entries.forEach(({ id, length }, i) => {
    const at = ROOT_BYTES + i * entryBytes;
    bytes.set(id, at);
    if (recipe.level === 1) view.setUint32(at + 32, length, true);
    else setSafe(view, at + 32, length);
  });
  return bytes;
}

/** Packs a part. */
export function encodePart(entries: readonly RecipeEntry[]): Bytes {
  const bytes = new Uint8Array(PART_BYTES + entries.length * CHUNK_ENTRY_BYTES);
  const view = start(bytes, 0);
  view.setUint32(8, entries.length, true);
  entries.forEach(({ id, length }, i) => {
    const at = PART_BYTES + i * CHUNK_ENTRY_BYTES;
    bytes.set(id, at);
    view.setUint32(at + 32, length, true);
  });
  return bytes;
}

/**
 * Reads a root.
 * @throws {CacheError} `corrupt` when a field is out of range, lengths do not add up or bytes are
 * left over; `unsupported` for a newer version
 */
export function decodeRecipe(bytes: Bytes): Recipe {
  const view = open(bytes, ROOT_BYTES);
  const level = bytes[5];
  if (level !== 1 && level !== 2) throw corrupt(`its level is ${level}`);
  const chunker = chunkerOf(bytes, view);
  const size = safeAt(view, 24);
  const count = view.getUint32(64, true);
  if (size === undefined || view.getUint32(68, true) !== 0) {
    throw corrupt("a field is out of range");
  }
  if (level === 1 && count >= PART_THRESHOLD) throw corrupt(`it lists ${count} chunks in its root`);
  const longest = level === 2 ? Number.MAX_SAFE_INTEGER : chunker?.max ?? MAX_RECORD_BYTES;
  const entries = entriesOf(bytes, view, { level, count, from: ROOT_BYTES, longest });
  const sum = lengthOf(entries);
  if (sum !== size) throw corrupt(`its entries have ${sum} bytes, want ${size}`);
  const digest = digestFromBytes(bytes.subarray(32, 64));
  return { level, chunker, size, digest, entries };
}

/**
 * Reads a part that has to cover `length` bytes.
 * @throws {CacheError} `corrupt`, `unsupported`, as {@linkcode decodeRecipe}
 */
export function decodePart(bytes: Bytes, length: number): RecipeEntry[] {
  const view = open(bytes, PART_BYTES);
  const reserved = view.getUint16(6, true);
  if (bytes[5] !== 0 || reserved !== 0) throw corrupt("it is no part");
  const count = view.getUint32(8, true);
  if (count > PART_ENTRIES.max) throw corrupt(`it lists ${count} chunks in a part`);
  const entries = entriesOf(bytes, view, {
    level: 1,
    count,
    from: PART_BYTES,
    longest: MAX_RECORD_BYTES,
  });
  const sum = lengthOf(entries);
  if (sum !== length) throw corrupt(`the entries of a part have ${sum} bytes, want ${length}`);
  return entries;
}

function start(bytes: Bytes, level: number): DataView {
  bytes.set(MAGIC);
  bytes[4] = RECIPE_VERSION;
  bytes[5] = level;
  return new DataView(bytes.buffer);
}

function open(bytes: Bytes, fixed: number): DataView {
  if (bytes.length < fixed) throw corrupt(`it has only ${bytes.length} bytes`);
  if (!MAGIC.every((byte, i) => byte === bytes[i])) throw corrupt("it does not begin as one");
  if (bytes[4] !== RECIPE_VERSION) {
    if (bytes[4] === 0) throw corrupt("its version is 0");
    throw new CacheError(
      "unsupported",
      `Cannot read the recipe: it has version ${bytes[4]}, want ${RECIPE_VERSION}`,
      { operation: "recipe.decode" },
    );
  }
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
}

function chunkerOf(bytes: Bytes, view: DataView): ChunkerParams | undefined {
  const [min, avg, max, seed] = [8, 12, 16, 20].map((at) => view.getUint32(at, true)) as [
    number,
    number,
    number,
    number,
  ];
  if (bytes[6] === 0 && bytes[7] === 0 && min + avg + max + seed === 0) return undefined;
  if (bytes[6] !== FASTCDC_2020 || bytes[7] !== 2) throw corrupt("its chunker is not known");
  if (min === 0 || min > avg || avg > max || max > MAX_RECORD_BYTES) {
    throw corrupt("the sizes of its chunker are out of range");
  }
  return { min, avg, max, normalization: 2, seed };
}

function entriesOf(
  bytes: Bytes,
  view: DataView,
  { level, count, from, longest }: {
    level: 1 | 2;
    count: number;
    from: number;
    longest: number;
  },
): RecipeEntry[] {
  const entryBytes = level === 1 ? CHUNK_ENTRY_BYTES : PART_ENTRY_BYTES;
  if (count === 0 || bytes.length !== from + count * entryBytes) {
    throw corrupt(`it has ${bytes.length} bytes, which does not fit ${count} entries`);
  }
  const entries: RecipeEntry[] = [];
  for (let at = from; at < bytes.length; at += entryBytes) {
    const length = level === 1 ? view.getUint32(at + 32, true) : safeAt(view, at + 32);
    if (length === undefined || length === 0 || length > longest) {
      throw corrupt(`entry ${entries.length} has a length out of range`);
    }
    entries.push({ id: bytes.subarray(at, at + 32), length });
  }
  return entries;
}

function lengthOf(entries: readonly RecipeEntry[]): number {
  const sum = entries.reduce((total, entry) => total + entry.length, 0);
  if (!Number.isSafeInteger(sum)) throw corrupt("its lengths are out of range");
  return sum;
}

function corrupt(state: string): CacheError {
  return new CacheError("corrupt", `Cannot read the recipe: ${state}`, {
    operation: "recipe.decode",
  });
}
