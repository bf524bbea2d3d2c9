/** The table of damages: every file of a store, and every field of what is in segments and packs. */
import type { RecordKind } from "../../core/record.ts";
import { harnessNth } from "../helpers/long.ts";
import type { SeededRandom } from "../helpers/random.ts";
import { BYTE_KINDS, FILE_KINDS } from "./kinds.ts";
import type { Spot } from "./kinds.ts";
import {
  FIELDS,
  FOOTER_ROW_BYTES,
  RECORD_HEADER_BYTES,
  ROW_FIELDS,
  SEGMENT_FIELDS,
  TRAILER_BYTES,
  TRAILER_FIELDS,
} from "./records.ts";
import type { PlacedRecord, Span, StoreFile } from "./records.ts";

/** One damage. */
export interface DamageCase {
  /** Kind, file, and place. */
  readonly name: string;
  /** The kind alone, for counting. */
  readonly kind: string;
  readonly type: StoreFile["type"];
  /** Whether the tables are taken away besides, so that the damage is met by a rebuild. */
  readonly rebuild: boolean;
  apply(dir: string, random: SeededRandom): Promise<void>;
}

/** All damages of these files. */
export function damageCases(files: readonly StoreFile[]): DamageCase[] {
  return [...fileCases(files), ...recordCases(files), ...frameCases(files)];
}

/** What only a check on every read can find; no short form may be without them. */
const ESSENTIAL = /^(flip: body of (chunk|recipe) inner of|exchange: data|other's bytes: data)/;

/** All cases in the long form; in the short one every `nth`, and the essential ones. */
export function chosenCases(cases: readonly DamageCase[], nth: number): DamageCase[] {
  const some = new Set(harnessNth(cases, nth));
  return cases.filter((one) => some.has(one) || ESSENTIAL.test(one.name) && !one.rebuild);
}

/** Of several packs of a kind one is enough; all others are tried, each. */
function chosen(files: readonly StoreFile[]): StoreFile[] {
  const types = new Set<string>();
  return files.filter(({ type }) => {
    if (!type.endsWith("pack")) return true;
    const first = !types.has(type);
    types.add(type);
    return first;
  });
}

function fileCases(files: readonly StoreFile[]): DamageCase[] {
  return chosen(files).flatMap((file) =>
    Object.entries(FILE_KINDS).flatMap(([kind, damage]) => {
      const other = files.find(({ type, path }) => type === file.type && path !== file.path)?.path;
      if (other === undefined && (kind === "exchange" || kind === "other's bytes")) return [];
      const span = { from: 0, to: file.size };
      const rebuilds = file.records.length > 0 ? [false, true] : [false];
      return rebuilds.map((rebuild) =>
        makeCase(`${kind}: ${file.type}`, {
          ...{ kind, file, damage, span, other, rebuild },
        })
      );
    })
  );
}

/** Every field of a record of each kind, in the middle and at the end of its file. */
function recordCases(files: readonly StoreFile[]): DamageCase[] {
  const cases: DamageCase[] = [];
  const seen = new Set<string>();
  for (const file of files) {
    for (const [at, record] of file.records.entries()) {
      const where = at === file.records.length - 1 ? "last" : "inner";
      const name = `${record.kind} ${where} of ${file.type}`;
      if (seen.has(name)) continue;
      seen.add(name);
      for (const [field, span] of Object.entries(fieldsOf(record))) {
        for (const kind of ["flip", "zero", "ones", "noise"]) {
          // Where the tables say what should stand there, one other thing is like the next.
          const rebuilds = kind === "flip" || kind === "zero" ? [false, true] : [true];
          for (const rebuild of rebuilds) {
            const full = `${kind}: ${field} of ${name}`;
            const damage = BYTE_KINDS[kind]!;
            cases.push(
              makeCase(full, { kind, file, damage, span: moved(span, record.from), rebuild }),
            );
          }
        }
      }
      for (const kind of ["cut", "left out", "duplicate", "swap"]) {
        for (const rebuild of [false, true]) {
          const damage = BYTE_KINDS[kind]!;
          cases.push(makeCase(`${kind}: ${name}`, { kind, file, damage, span: record, rebuild }));
        }
      }
    }
  }
  return cases;
}

function fieldsOf(record: PlacedRecord): Record<string, Span> {
  return { ...FIELDS, body: { from: RECORD_HEADER_BYTES, to: record.to - record.from } };
}

/** Headers of segments, rows and trailers of footers; the latter count when all is read anew. */
function frameCases(files: readonly StoreFile[]): DamageCase[] {
  return chosen(files).filter(({ records }) => records.length > 0).flatMap((file) => {
    const parts = [["segment header", SEGMENT_FIELDS, 0]] as [string, typeof FIELDS, number][];
    if (file.type.endsWith("pack")) {
      const row = file.recordsEnd + FOOTER_ROW_BYTES * (file.records.length >> 1);
      parts.push(["footer row", ROW_FIELDS, row]);
      parts.push(["trailer", TRAILER_FIELDS, file.size - TRAILER_BYTES]);
    }
    return parts.flatMap(([part, fields, at]) =>
      Object.entries(fields).flatMap(([field, span]) =>
        ["flip", "zero", "noise"].flatMap((kind) =>
          [false, true].map((rebuild) =>
            makeCase(`${kind}: ${field} of ${part} of ${file.type}`, {
              ...{ kind, file, damage: BYTE_KINDS[kind]!, span: moved(span, at), rebuild },
            })
          )
        )
      )
    );
  });
}

function makeCase(name: string, parts: {
  kind: string;
  file: StoreFile;
  damage: (spot: Spot) => Promise<void>;
  span: Span;
  other?: string | undefined;
  rebuild: boolean;
}): DamageCase {
  const { kind, file, damage, span, other, rebuild } = parts;
  return {
    name: rebuild ? `${name}, tables gone` : name,
    kind,
    type: file.type,
    rebuild,
    apply: (dir, random) => damage({ dir, path: file.path, span, other, random }),
  };
}

function moved({ from, to }: Span, by: number): Span {
  return { from: from + by, to: to + by };
}

/** The kinds of records that cases are about, for a count. */
export type { RecordKind };
