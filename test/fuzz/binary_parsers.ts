/** Every parser of bytes that another party wrote, with bytes that are right. */
import { crc32 } from "node:zlib";
import {
  decodeAuditRow,
  decodeNote,
  encodeAuditRow,
  encodeNote,
} from "../../codec/audit_record.ts";
import { decodeFooter, decodeTrailer, encodeFooter, TRAILER_BYTES } from "../../codec/footer.ts";
import type { FooterRow } from "../../codec/footer.ts";
import {
  decodeEntry,
  decodeTombstone,
  encodeEntry,
  encodeTombstone,
} from "../../codec/entry_record.ts";
import { decodePart, decodeRecipe, encodePart, encodeRecipe } from "../../codec/recipe.ts";
import { checkBody, decodeHeader, encodeHeader, openBody } from "../../codec/record.ts";
import { scanRecords } from "../../codec/record_scan.ts";
import { noSeal } from "../../codec/seal.ts";
import { decodeSegmentHeader, encodeSegmentHeader } from "../../codec/segment.ts";
import { decodeTree, encodeTree } from "../../codec/tree_manifest.ts";
import { decodeVisibility, encodeVisibility } from "../../codec/visibility_record.ts";
import { compress, decompress } from "../../codec/zstd.ts";
import { frameBytes } from "../../codec/zstd_frame.ts";
import { concat } from "../../core/bytes.ts";
import { digestOf, sha256 } from "../../core/digest.ts";
import type { Bytes } from "../../core/digest.ts";
import { decodeBlobs, encodeBlobs } from "../../protocol/blob_batch.ts";
import {
  BlobSet,
  expandTree,
  readActionResult,
  referencesOf,
} from "../../server/adapters/action_result.ts";
import { treeFile, treeFolder, treeLink } from "../helpers/raw_tree.ts";
import { actionResults, bazelTrees } from "./action_results.ts";

/** One parser under fire. */
export interface BinaryParser {
  readonly valid: readonly Uint8Array[];
  parse(bytes: Bytes): unknown;
  /** Writes again what was read: it must be read as the same. */
  readonly encode?: (value: never) => Bytes;
  /** Makes checksums right again, so that what stands behind them is reached. */
  readonly reseal?: (bytes: Bytes) => Bytes;
}

const context = { keys: { indexKey: new Uint8Array(32).fill(1) }, seal: noSeal };
const version = { epoch: 3, hlc: 2n ** 62n, device: "00112233445566ff" };
const blob = (size: number) => ({ digest: digestOf(new Uint8Array([size & 255])), size });
const key = { namespace: "web", scope: "pr/12", protocol: "kv", key: "a/b ü" };
const facts = {
  ...key,
  content: "opaque",
  blobs: [blob(3), blob(300_000)],
  tags: ["linux"],
  writer: "anne",
  created: 1_700_000_000_000,
  cost: 12,
  inputs: { source: "abc" },
  headers: { "x-artifact-tag": "t" },
} as const;
const id = (n: number) => sha256(new Uint8Array([n]));
const entries = (count: number) =>
  Array.from({ length: count }, (_, n) => ({ id: id(n & 255), length: 1000 + n }));
const sizeOf = (list: readonly { length: number }[]) =>
  list.reduce((sum, one) => sum + one.length, 0);

const rows = Array.from({ length: 4 }, (_, n): FooterRow => ({
  kind: n % 2 ? "chunk" : "recipe",
  codec: 0,
  storedLength: 100,
  rawLength: 100,
  id: id(n),
  offset: 56 + n * 156,
}));
const RECORDS_END = 56 + 4 * 156;
const segmentId = new Uint8Array(16).fill(3);

const record = (body: Bytes, kind: "chunk" | "entry" = "chunk") =>
  concat([
    encodeHeader({ kind, codec: 0, rawLength: body.length, stored: body, id: sha256(body) }),
    body,
  ]);
const zipped = compress(new Uint8Array(5000).fill(7));
const audit = { kind: "audit", id: id(9) } as const;

function resealRecord(bytes: Bytes): Bytes {
  if (bytes.length < 56) return bytes;
  const copy = bytes.slice();
  const view = new DataView(copy.buffer);
  view.setUint32(48, crc32(copy.subarray(56)), true);
  view.setUint32(52, crc32(copy.subarray(0, 52)), true);
  return copy;
}

function resealFooter(bytes: Bytes): Bytes {
  if (bytes.length < TRAILER_BYTES) return bytes;
  const copy = bytes.slice();
  const trailer = copy.length - TRAILER_BYTES;
  const view = new DataView(copy.buffer);
  view.setUint32(trailer + 56, crc32(copy.subarray(0, trailer)), true);
  view.setUint32(trailer + 60, crc32(copy.subarray(trailer, trailer + 60)), true);
  return copy;
}

function resealSegment(bytes: Bytes): Bytes {
  if (bytes.length < 56) return bytes;
  const copy = bytes.slice();
  new DataView(copy.buffer).setUint32(52, crc32(copy.subarray(0, 52)), true);
  return copy;
}

/** The parsers by name. */
export const BINARY_PARSERS: Readonly<Record<string, BinaryParser>> = {
  "recipe": {
    valid: [1, 5, 200].map((n) =>
      encodeRecipe({
        digest: digestOf(id(1)),
        chunker: undefined,
        level: 1,
        size: sizeOf(entries(n)),
        entries: entries(n),
      })
    ),
    parse: decodeRecipe,
    encode: encodeRecipe as never,
  },
  "part of a recipe": {
    valid: [encodePart(entries(40))],
    parse: (bytes) => decodePart(bytes, sizeOf(entries(40))),
    encode: encodePart as never,
  },
  "record": {
    valid: [record(new Uint8Array(80).fill(5)), record(new Uint8Array(0), "entry")],
    parse(bytes) {
      const header = decodeHeader(bytes);
      const stored = bytes.subarray(56);
      return header && checkBody(header, stored) ? openBody(header, stored) : undefined;
    },
    reseal: resealRecord,
  },
  "records of a segment": {
    valid: [concat([1, 2, 3, 4].map((n) => record(new Uint8Array(n * 50).fill(n))))],
    parse: (bytes) =>
      [...scanRecords((at, length) => bytes.subarray(at, at + length), 0, bytes.length)].length,
  },
  "segment header": {
    valid: [encodeSegmentHeader({ kind: "data", id: segmentId, created: 1.7e12, number: 4 })],
    parse: decodeSegmentHeader,
    encode: encodeSegmentHeader as never,
    reseal: resealSegment,
  },
  "footer of a pack": {
    valid: [encodeFooter({ kind: "data", segmentId, recordsEnd: RECORDS_END }, rows)],
    parse(bytes) {
      const trailer = decodeTrailer(
        bytes.slice(-TRAILER_BYTES),
        RECORDS_END + bytes.length,
      );
      return decodeFooter(bytes.subarray(0, trailer.rowsBytes), trailer);
    },
    reseal: resealFooter,
  },
  "entry record": {
    valid: [encodeEntry(facts as never, version, context).record.body],
    parse: (bytes) => decodeEntry(bytes, context),
  },
  "tombstone record": {
    valid: [encodeTombstone(key as never, version, context).record.body],
    parse: (bytes) => decodeTombstone(bytes, context),
  },
  "visibility record": {
    valid: [
      encodeVisibility({ namespace: "web", linked: true, blobs: [blob(2), blob(3)] }, context).body,
    ],
    parse: (bytes) => decodeVisibility(bytes, context),
  },
  "note of the audit": {
    valid: [
      encodeNote({ kind: "replace", at: 5, writer: "anne", before: digestOf(id(1)) }, id(9), noSeal)
        .body,
    ],
    parse: (body) => decodeNote({ ...audit, body }, noSeal),
  },
  "row of the audit": {
    valid: [
      encodeAuditRow(
        { kind: "put", at: 5, writer: "anne", before: undefined, after: digestOf(id(1)), ...key },
        { hlc: 5n, position: { segment: 7, offset: 100 }, id: id(9) },
        noSeal,
      ).body,
    ],
    parse: (body) => decodeAuditRow({ ...audit, body }, noSeal),
  },
  "tree": {
    valid: [encodeTree([
      treeFile("bin/run", "#!/bin/sh\n", 0o755),
      treeFolder("empty", 0o700),
      treeLink("latest", "bin/run"),
      treeFile("z", ""),
    ])],
    parse: decodeTree,
    encode: encodeTree as never,
  },
  "zstd frame": {
    valid: [
      zipped,
      compress(new Uint8Array(0)),
      compress(crypto.getRandomValues(new Uint8Array(900))),
    ],
    parse: (bytes) => {
      frameBytes(bytes);
      const raw = decompress(bytes, { limit: 10_000 });
      if (raw.length > 10_000) throw new Error("more than the limit");
      return raw.length;
    },
  },
  "batch of blobs": {
    valid: [encodeBlobs([1, 2].map((n) => {
      const bytes = new Uint8Array(n * 30).fill(n);
      return { digest: digestOf(bytes), bytes } as never;
    }))],
    parse: decodeBlobs,
    encode: encodeBlobs as never,
  },
  "ActionResult": {
    valid: actionResults,
    parse: (bytes) => referencesOf(readActionResult(bytes)),
  },
  "Bazel's Tree": {
    valid: bazelTrees.trees,
    parse: (bytes) => expandTree(bytes, "tree", new BlobSet()),
  },
  "Bazel's Directory": {
    valid: bazelTrees.directories,
    parse: (bytes) => expandTree(bytes, "directory", new BlobSet()),
  },
};
