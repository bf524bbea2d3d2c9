import assert from "node:assert/strict";
import type { AccessEvent } from "../server/deps.ts";
import { accessLine, AccessLog, addSummary, emptySummary, summaryLine } from "./access_log.ts";
import type { AccessLogMode } from "./access_log.ts";

function event(rest: Partial<AccessEvent> = {}): AccessEvent {
  return {
    id: "4bf92f35",
    method: "GET",
    route: "blob",
    tool: "native",
    namespace: "default",
    principal: "ci",
    digest: "0123456789ab",
    status: 200,
    outcome: "hit",
    bytesReceived: 0,
    bytesSent: 10,
    milliseconds: 1.26,
    lookup: true,
    savedMs: 0,
    ...rest,
  };
}

/** Outcomes that get a line in this mode. */
function written(mode: AccessLogMode, events: AccessEvent[]): string[] {
  const lines: string[] = [];
  const log = new AccessLog(mode, (line) => lines.push(line));
  for (const one of events) log.log(one);
  return lines.map((line) => /outcome=(\w+)/.exec(line)![1]!);
}

const OUTCOMES = ["ok", "hit", "miss", "masked", "denied", "error", "cancelled"] as const;

Deno.test("AccessLog writes failures, or everything, or nothing", () => {
  const events = OUTCOMES.map((outcome) => event({ outcome }));
  assert.deepEqual(written("errors", events), ["masked", "denied", "error"]);
  assert.deepEqual(written("all", events), [...OUTCOMES]);
  assert.deepEqual(written("none", events), []);
});

Deno.test("AccessLog writes what was slow for its size, more than a second and 0.1 ms a kilobyte", () => {
  const slow = (milliseconds: number, bytes: number) =>
    written("errors", [event({ milliseconds, bytesSent: bytes, bytesReceived: 0 })]).length > 0;
  assert.equal(slow(1000, 0), false);
  assert.equal(slow(1001, 0), true);
  assert.equal(slow(1001, 100_000), false);
  assert.equal(slow(2000, 10_000_000), false);
  assert.equal(slow(2001, 10_000_000), true);
  assert.equal(
    written("errors", [event({ milliseconds: 1500, bytesReceived: 10_000_000 })]).length,
    0,
  );
});

Deno.test("AccessLog.take sums up since the last time, whatever is written", () => {
  for (const mode of ["errors", "all", "none"] as const) {
    const log = new AccessLog(mode, () => {});
    assert.equal(log.take(), undefined);
    for (const outcome of OUTCOMES) log.log(event({ outcome, bytesReceived: 1, bytesSent: 2 }));
    assert.deepEqual(log.take(), { requests: 7, hits: 1, misses: 1, errors: 3, bytes: 21 });
    assert.equal(log.take(), undefined);
  }
});

Deno.test("addSummary adds every number; summaryLine says them", () => {
  const sum = emptySummary();
  const one = { requests: 2, hits: 1, misses: 1, errors: 0, bytes: 1024 };
  addSummary(sum, one);
  addSummary(sum, { ...one, errors: 5 });
  assert.deepEqual(sum, { requests: 4, hits: 2, misses: 2, errors: 5, bytes: 2048 });
  assert.equal(
    summaryLine(sum),
    "last minute: 4 requests, 2 hits, 2 misses, 5 errors, 2.00 KiB",
  );
});

Deno.test("accessLine leaves out what is not known and rounds to tenths", () => {
  assert.equal(
    accessLine(event()),
    "id=4bf92f35 method=GET route=blob tool=native ns=default who=ci digest=0123456789ab " +
      "status=200 outcome=hit in=0 out=10 ms=1.3",
  );
  const line = accessLine(event({
    principal: "",
    digest: "",
    outcome: "error",
    error: { kind: "internal", message: 'Cannot read "a": broken' },
  }));
  assert.ok(!line.includes("who=") && !line.includes("digest="), line);
  assert.match(line, / error=internal message="Cannot read \\"a\\": broken"$/);
});

Deno.test("accessLine lets no line break, escape sequence or false pair of a client through", () => {
  const hostile = [
    "a\nid=forged method=GET",
    "a\r\nb",
    "\x1b[2J\x1b]0;title\x07",
    "\u009b31m",
    "\x7f\b\b\b",
    "\u2028\u2029\u202e\u{1f600}\ud800",
    'a" who="root',
    "a who=root",
    "a\\",
    "=",
    " ",
    "\0",
  ];
  for (const text of hostile) {
    const line = accessLine(event({
      method: text,
      namespace: text,
      principal: text,
      error: { kind: "internal", message: text },
    }));
    assert.match(line, /^[\x20-\x7e]*$/, JSON.stringify(text));
    const pairs = [...line.matchAll(/(\w+)=("(?:[^"\\]|\\.)*"|[\w./:@+-]*)(?: |$)/g)];
    assert.equal(pairs.map(([whole]) => whole).join(""), line, "all of it is pairs");
    const names = pairs.map(([, name]) => name);
    assert.equal(new Set(names).size, names.length, `a name twice: ${line}`);
    assert.equal(names.length, 14, line);
  }
});
