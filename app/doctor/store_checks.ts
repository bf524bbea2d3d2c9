/** What a store says of itself, and whether it takes and gives. */
import { bodyBytes, bytesSource, equalBytes } from "../../core/bytes.ts";
import type { Cache } from "../../core/cache.ts";
import { CacheError, isKind } from "../../core/errors.ts";
import type { Clock } from "../../core/clock.ts";
import { parseDigest, sha256 } from "../../core/digest.ts";
import type { Verb } from "../../core/policy.ts";
import { formatDuration, formatSize } from "../../core/units.ts";
import { maskedHint, maskedParts } from "../masked.ts";
import type { Stats } from "../opened.ts";
import type { Verdict } from "./finding.ts";
import { failed, ok, warning } from "./finding.ts";

/** The verdict on totals and counters. */
export function judgeTotals(stats: Stats): Verdict[] {
  const { entries, stored_bytes } = stats;
  const masked = Number(stats["masked_errors"] ?? 0);
  const verdicts = [];
  if (Number(stats["quarantined"] ?? 0) > 0) {
    verdicts.push(warning(
      "damaged records are quarantined",
      "find and repair them: vitte-remote-cache verify --repair",
    ));
  }
  if (masked > 0) {
    const parts = maskedParts(stats);
    verdicts.push(warning(
      `${masked} errors were hidden from build tools, so that no build fails` +
        (parts.length > 0 ? ` (${parts.join("; ")})` : ""),
      maskedHint(stats) ??
        "the server's log names each; a full disk and overload are the usual reasons",
    ));
  }
  if (verdicts.length > 0) return verdicts;
  return [ok(`${entries} entries, ${formatSize(stored_bytes)} stored, no error was hidden`)];
}

/** The verdict on a disk. */
export function judgeDisk(disk: { free: number; total: number; reserve: number }): Verdict {
  const { free, total, reserve } = disk;
  const detail = `${formatSize(free)} of ${formatSize(total)} are free`;
  if (free >= reserve) return ok(detail);
  return warning(
    `${detail}, less than the reserve of ${formatSize(reserve)}: writes are refused`,
    "make room on the disk, or give the store less: serve --max-size",
  );
}

/** The verdict on what the server keeps its store on. */
export function judgeBackend(
  { expected, from }: { readonly expected: string; readonly from: string },
  actual: string | undefined,
): Verdict {
  if (actual === undefined) return ok("the server does not say");
  if (actual === expected) return ok(actual);
  return warning(
    `the server keeps its store on ${actual}, and ${from} expects ${expected}`,
    "is it the right server? config show --origin tells who named it",
  );
}

/** What the round trip is made with. */
export interface RoundTrip {
  readonly cache: Cache;
  readonly namespace: string;
  readonly verbs: readonly Verb[];
  readonly clock: Clock;
  readonly signal: AbortSignal;
}

const BYTES = 1000;

/** Writes a little, reads it back and takes it away; as much of that as the token may. */
export async function checkRoundTrip(trip: RoundTrip): Promise<Verdict> {
  const { cache, namespace, verbs, clock, signal } = trip;
  const may = (verb: Verb) => verbs.includes(verb) || verbs.includes("admin");
  if (!may("write")) return ok("left out: this token may not write");
  const began = clock.monotonic();
  const blobs = cache.blobs(namespace);
  const bytes = crypto.getRandomValues(new Uint8Array(BYTES));
  if (!may("invalidate") || !may("read")) {
    // What it can not take away it must not leave: bytes under a wrong digest are never kept.
    try {
      const wrong = parseDigest(sha256(crypto.getRandomValues(new Uint8Array(32))).toHex());
      await blobs.put(wrong, bytesSource(bytes), { signal });
    } catch (thrown) {
      if (!isKind(thrown, "invalid_argument")) throw thrown;
      return ok(
        `1,000 bytes were taken and checked in ${formatDuration(clock.monotonic() - began)}`,
      );
    }
    return failed("bytes were kept under a digest that is not theirs", "is this our server?");
  }
  const { digest } = await blobs.put(undefined, bytesSource(bytes), { signal });
  try {
    const body = await blobs.get(digest, { signal });
    const back = body && await bodyBytes(body, BYTES);
    if (!back) {
      throw new CacheError("corrupt", "Cannot read back what was just written: it is gone");
    }
    if (!equalBytes(back, bytes)) {
      return failed("other bytes came back", "look for damage: vitte-remote-cache verify");
    }
  } finally {
    await blobs.delete([digest]);
  }
  return ok(`1,000 bytes in ${formatDuration(clock.monotonic() - began)}`);
}
