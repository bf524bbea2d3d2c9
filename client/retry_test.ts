import assert from "node:assert/strict";
import { CacheError, isKind } from "../core/errors.ts";
import { withRetry } from "./retry.ts";

function recordingClock() {
  const pauses: number[] = [];
  const sleep = (ms: number) => {
    pauses.push(ms);
    return Promise.resolve();
  };
  return { pauses, clock: { now: () => 0, monotonic: () => 0, sleep } };
}

const busy = (context: Record<string, number> = {}) =>
  new CacheError("unavailable", "Cannot: busy", { hint: "wait", operation: "x", context });

Deno.test("withRetry() pauses longer each time, at random within a half, and ends exhausted", async () => {
  const { pauses, clock } = recordingClock();
  let tries = 0;
  const work = () => {
    tries++;
    return Promise.reject(busy());
  };
  await assert.rejects(withRetry(work, { clock, attempts: 4 }), (thrown) => {
    assert.ok(isKind(thrown, "unavailable"));
    assert.deepEqual([thrown.retry, thrown.hint, thrown.operation], ["exhausted", "wait", "x"]);
    return true;
  });
  assert.equal(tries, 4);
  assert.equal(pauses.length, 3);
  pauses.forEach((pause, i) =>
    assert.ok(pause >= 50 * 2 ** i && pause <= 100 * 2 ** i, `${pause}`)
  );
});

Deno.test("withRetry() waits as long as Retry-After says, at most five seconds", async () => {
  const { pauses, clock } = recordingClock();
  for (const asked of [2_000, 3_600_000]) {
    const work = () => Promise.reject(busy({ retry_after_ms: asked }));
    await assert.rejects(withRetry(work, { clock, attempts: 2 }));
  }
  assert.deepEqual(pauses, [2_000, 5_000]);
});

Deno.test("withRetry() tries nothing again that is permanent, exhausted, or no CacheError", async () => {
  const { pauses, clock } = recordingClock();
  const last = new CacheError("timeout", "Cannot", { retry: "exhausted" });
  for (const error of [new CacheError("conflict", "Cannot"), last, new Error("bug")]) {
    const work = () => Promise.reject(error);
    await assert.rejects(withRetry(work, { clock, attempts: 3 }), (thrown) => thrown === error);
  }
  assert.deepEqual(pauses, []);
});
