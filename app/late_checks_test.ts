import assert from "node:assert/strict";
import type { LateCheck } from "../core/late_check.ts";
import type { CheckAnswer } from "./check_worker.ts";
import { runLateChecks } from "./late_checks.ts";

function dueCheck(): LateCheck & { readonly settled: (string | undefined)[] } {
  const settled: (string | undefined)[] = [];
  return {
    settled,
    get due() {
      return settled.length === 0;
    },
    settle: (problem) => void settled.push(problem),
  };
}

function world(answer: CheckAnswer) {
  const checks = { index: dueCheck(), packs: dueCheck() };
  const lines: string[] = [];
  const stop = new AbortController();
  const asked: string[] = [];
  const run = () =>
    runLateChecks({
      dir: "/nowhere",
      checks,
      signal: stop.signal,
      report: (line) => void lines.push(line),
      check({ what }) {
        asked.push(what);
        return Promise.resolve(answer);
      },
    });
  return { checks, lines, stop, asked, run };
}

Deno.test("runLateChecks() hands on what each check found, and asks once", async () => {
  const { checks, asked, run } = world({ problem: "it fails SQLite's check" });
  await run();
  await run();
  assert.deepEqual(asked, ["index", "packs"]);
  assert.deepEqual(checks.index.settled, ["it fails SQLite's check"]);
});

Deno.test("runLateChecks() leaves a check due that could not be done, and says so", async () => {
  const { checks, lines, run } = world({ failed: "Cannot open the file" });
  await run();
  assert.ok(checks.index.due && checks.packs.due);
  assert.equal(lines.length, 2);
  assert.match(lines[0]!, /Cannot open the file/);
});

Deno.test("runLateChecks() leaves a check due when the store is closed meanwhile", async () => {
  const { checks, stop, run } = world({ problem: undefined });
  const running = run();
  stop.abort();
  await running;
  assert.ok(checks.index.due && checks.packs.due);
});
