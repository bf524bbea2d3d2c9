/** Sizes and times as people write them. */
import { CacheError } from "./errors.ts";

const SIZE = /^(\d+(?:\.\d+)?)\s*([kmgt]?i?b?)$/i;
const SIZE_FACTORS: Readonly<Record<string, number>> = {
  "": 1,
  b: 1,
  k: 1024,
  kib: 1024,
  kb: 1000,
  m: 1024 ** 2,
  mib: 1024 ** 2,
  mb: 1000 ** 2,
  g: 1024 ** 3,
  gib: 1024 ** 3,
  gb: 1000 ** 3,
  t: 1024 ** 4,
  tib: 1024 ** 4,
  tb: 1000 ** 4,
};
const DURATION = /^(\d+(?:\.\d+)?)\s*(ms|s|m|h|d|w)$/;
const DURATION_FACTORS: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
  w: 604_800_000,
};

/**
 * Bytes of `10GiB`, `500MB`, `64k` (a letter alone is binary) or a plain number.
 * @throws {CacheError} `invalid_argument` for anything else, or above 2^53 - 1
 */
export function parseSize(text: string): number {
  const match = SIZE.exec(text.trim());
  const factor = match ? SIZE_FACTORS[match[2]!.toLowerCase()] : undefined;
  const bytes = match && factor ? Math.round(Number(match[1]) * factor) : NaN;
  if (!Number.isSafeInteger(bytes)) {
    throw new CacheError(
      "invalid_argument",
      `Cannot read size "${text}": want a number with a unit, such as 10GiB`,
    );
  }
  return bytes;
}

/**
 * Milliseconds of `30d`, `12h`, `5m`, `10s`, `250ms`.
 * @throws {CacheError} `invalid_argument` for anything else
 */
export function parseDuration(text: string): number {
  const match = DURATION.exec(text.trim());
  const ms = match ? Math.round(Number(match[1]) * DURATION_FACTORS[match[2]!]!) : NaN;
  if (!Number.isSafeInteger(ms)) {
    throw new CacheError(
      "invalid_argument",
      `Cannot read duration "${text}": want a number with a unit, such as 30d or 12h`,
    );
  }
  return ms;
}

/** `1.5 GiB`, for people. */
export function formatSize(bytes: number): string {
  const units = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];
  let value = bytes;
  let unit = 0;
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024;
    unit++;
  }
  return unit === 0 ? `${value} B` : `${value.toFixed(value < 10 ? 2 : 1)} ${units[unit]}`;
}

/** `41 %`, for people; never rounded up. */
export function formatShare(share: number): string {
  return share > 0 && share < 0.01 ? "less than 1 %" : `${Math.floor(100 * share)} %`;
}

/** `1.2 s`, `3 min 20 s`, `4 d`, for people. */
export function formatDuration(ms: number): string {
  if (ms < 1000) return `${Math.round(ms)} ms`;
  if (ms < 59_950) return `${(ms / 1000).toFixed(1)} s`;
  const seconds = Math.round(ms / 1000);
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ${seconds % 60} s`;
  const minutes = Math.round(ms / 60_000);
  if (minutes < 1440) return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
  return `${Math.round(ms / 86_400_000)} d`;
}
