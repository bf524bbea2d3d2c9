import assert from "node:assert/strict";
import { isKind } from "./errors.ts";
import { formatDuration, formatSize, parseDuration, parseSize } from "./units.ts";

Deno.test("parseSize() reads binary and decimal units, and refuses the rest", () => {
  const cases: [string, number][] = [
    ["0", 0],
    ["64k", 65_536],
    ["10GiB", 10_737_418_240],
    ["500MB", 500_000_000],
    ["1.5 GiB", 1_610_612_736],
    ["2t", 2_199_023_255_552],
  ];
  for (const [text, bytes] of cases) assert.equal(parseSize(text), bytes, text);
  for (const text of ["", "-1", "10 parsecs", "1e9", "GiB", "9999999TiB", "0x10", "1 2"]) {
    assert.throws(() => parseSize(text), (thrown) => isKind(thrown, "invalid_argument"), text);
  }
});

Deno.test("parseDuration() reads one number with a unit, and refuses the rest", () => {
  const cases: [string, number][] = [["250ms", 250], ["10s", 10_000], ["1.5h", 5_400_000]];
  for (const [text, ms] of [...cases, ["30d", 2_592_000_000], ["2w", 1_209_600_000]] as const) {
    assert.equal(parseDuration(text), ms, text);
  }
  for (const text of ["", "10", "-1s", "1y", "1h30m", "s"]) {
    assert.throws(() => parseDuration(text), (thrown) => isKind(thrown, "invalid_argument"), text);
  }
});

Deno.test("formatDuration() never shows 60 seconds or 60 minutes", () => {
  const cases: [number, string][] = [
    [0, "0 ms"],
    [999, "999 ms"],
    [1000, "1.0 s"],
    [59_940, "59.9 s"],
    [59_999, "1 min 0 s"],
    [119_999, "2 min 0 s"],
    [3_599_999, "1 h 0 min"],
    [86_399_999, "1 d"],
    [14 * 86_400_000, "14 d"],
  ];
  for (const [ms, text] of cases) assert.equal(formatDuration(ms), text, String(ms));
});

Deno.test("formatSize() keeps three digits", () => {
  const cases: [number, string][] = [[0, "0 B"], [1023, "1023 B"], [1024, "1.00 KiB"], [
    10_737_418_240,
    "10.0 GiB",
  ]];
  for (const [bytes, text] of cases) assert.equal(formatSize(bytes), text);
});
