import assert from "node:assert/strict";
import type { Bytes } from "../core/digest.ts";
import { readBody, rejectsWith } from "../test/suites/object_store_asks.ts";
import { pullBody } from "./pull_body.ts";

function counted(count: number, read?: () => Promise<Bytes | undefined>) {
  const calls = { reads: 0, closes: 0 };
  const reader = {
    read: read ?? (() => calls.reads++ < count ? new Uint8Array(1) : undefined),
    close: () => void calls.closes++,
  };
  return { calls, reader, sizes: { size: count, total: count } };
}

Deno.test("pullBody reads nothing before somebody asks", async () => {
  const { calls, reader, sizes } = counted(3);
  const stream = pullBody(reader, sizes).stream();
  await Promise.resolve();
  assert.equal(calls.reads, 0);
  await stream.cancel();
});

Deno.test("pullBody closes once: read, cancelled, given up, aborted, failed", async () => {
  const ends: Record<string, (c: ReturnType<typeof counted>) => Promise<unknown>> = {
    read: (c) => readBody(pullBody(c.reader, c.sizes)),
    cancelled: (c) => pullBody(c.reader, c.sizes).stream().cancel(),
    "given up twice": async (c) => {
      const body = pullBody(c.reader, c.sizes);
      await body.cancel();
      await body.cancel();
    },
    "aborted, then cancelled": async (c) => {
      const abort = new AbortController();
      const body = pullBody(c.reader, { ...c.sizes, signal: abort.signal });
      abort.abort();
      await body.cancel();
    },
    "aborted before": async (c) => {
      const body = pullBody(c.reader, { ...c.sizes, signal: AbortSignal.abort("early") });
      await rejectsWith(body.stream().getReader().read(), "early");
    },
    "read, then aborted": async (c) => {
      const abort = new AbortController();
      await readBody(pullBody(c.reader, { ...c.sizes, signal: abort.signal }));
      abort.abort();
    },
  };
  for (const [how, end] of Object.entries(ends)) {
    const c = counted(3);
    await end(c);
    assert.equal(c.calls.closes, 1, how);
  }
  const failing = counted(3, () => Promise.reject(new Error("disk")));
  await assert.rejects(readBody(pullBody(failing.reader, failing.sizes)), /disk/);
  assert.equal(failing.calls.closes, 1);
});

Deno.test("pullBody aborts a read that is under way", async () => {
  const c = counted(1, () => new Promise(() => {}));
  const abort = new AbortController();
  const body = pullBody(c.reader, { ...c.sizes, signal: abort.signal });
  const read = body.stream().getReader().read();
  abort.abort("enough");
  await rejectsWith(read, "enough");
  assert.equal(c.calls.closes, 1);
});

Deno.test("pullBody opens its stream once, and not after it was given up", async () => {
  const first = pullBody(counted(1).reader, { size: 1, total: 1 });
  await first.stream().cancel();
  assert.throws(() => first.stream(), TypeError);
  const second = pullBody(counted(1).reader, { size: 1, total: 1 });
  await second.cancel();
  assert.throws(() => second.stream(), TypeError);
});
