/** Range and conditional requests of RFC 9110, as far as one range and strong tags go. */
import type { ByteRange } from "../core/bytes.ts";

/** What a `Range` header asks for, given the size. */
export type RangeChoice =
  | { readonly type: "whole" }
  | { readonly type: "part"; readonly range: ByteRange }
  | { readonly type: "unsatisfiable" };

const ONE_RANGE = /^bytes=(\d*)-(\d*)$/i;
const WHOLE: RangeChoice = { type: "whole" };

/**
 * Reads `bytes=a-b`, `bytes=a-` and `bytes=-n`. Anything else, several ranges too, is the whole:
 * RFC 9110 14.2 lets a server ignore the header.
 */
export function chooseRange(header: string | null, size: number): RangeChoice {
  const match = header === null ? null : ONE_RANGE.exec(header.trim());
  if (!match || (match[1] === "" && match[2] === "")) return WHOLE;
  if (match[1] === "") return suffix(Number(match[2]), size);
  const start = Number(match[1]);
  const last = match[2] === "" ? Infinity : Number(match[2]);
  if (last < start) return WHOLE;
  if (start >= size) return { type: "unsatisfiable" };
  return { type: "part", range: { start, end: Math.min(last + 1, size) } };
}

function suffix(length: number, size: number): RangeChoice {
  if (length === 0) return { type: "unsatisfiable" };
  if (size === 0) return WHOLE;
  return { type: "part", range: { start: Math.max(0, size - length), end: size } };
}

/** `Content-Range` of a part. */
export function contentRange(range: ByteRange, size: number): string {
  return `bytes ${range.start}-${range.end - 1}/${size}`;
}

/** `Content-Range` of a 416. */
export function unsatisfiedRange(size: number): string {
  return `bytes */${size}`;
}

/** Whether `If-Range` lets the range stand: only the same strong tag does; we have no dates. */
export function ifRangeHolds(header: string | null, tag: string): boolean {
  return header === null || header.trim() === tag;
}

/** Whether `If-None-Match` or `If-Match` names this tag, by weak comparison; `*` is every tag. */
export function namesTag(header: string, tag: string): boolean {
  if (header.trim() === "*") return true;
  const plain = tag.replace(/^W\//, "");
  return header.split(",").some((part) => part.trim().replace(/^W\//, "") === plain);
}
