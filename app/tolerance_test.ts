import assert from "node:assert/strict";
import { ManualClock } from "../core/clock.ts";
import type { ErrorKind } from "../core/errors.ts";
import { CacheError } from "../core/errors.ts";
import { TOLERANT_ANSWER_MS } from "../core/build_limits.ts";
import { fakeEnvironment } from "../test/helpers/fake_environment.ts";
import { Output } from "./output.ts";
import type { OnError } from "./tolerance.ts";
import { isCacheTrouble, Tolerance, transferMs } from "./tolerance.ts";

function fixture(onError: OnError = "warn", interrupted = new AbortController()) {
  const clock = new ManualClock();
  const environment = fakeEnvironment({ clock, interrupted: interrupted.signal });
  const output = new Output(environment);
  const tolerance = new Tolerance({
    output,
    clock,
    interrupted: interrupted.signal,
    onError,
  });
  return { clock, environment, tolerance, interrupted };
}

const far = (kind: ErrorKind) =>
  new CacheError(kind, `Cannot: ${kind}`, { operation: "client.fetch" });

Deno.test("Tolerance.attempt hands on what the work gives, and no warning", async () => {
  const { tolerance, environment } = fixture();
  assert.equal(await tolerance.attempt("look", () => Promise.resolve(7)), 7);
  assert.equal(environment.err, "");
});

Deno.test("Tolerance.attempt takes a failure as a miss, warns once, and asks no more", async () => {
  const { tolerance, environment } = fixture();
  let asked = 0;
  const fail = () => {
    asked++;
    return Promise.reject(far("unavailable"));
  };
  assert.equal(await tolerance.attempt("look it up", fail), undefined);
  assert.equal(await tolerance.attempt("store it", fail), undefined);
  assert.equal(asked, 1);
  assert.equal(
    environment.err,
    "vitte-remote-cache: warning: going on without the cache: " +
      "could not look it up: Cannot: unavailable\n",
  );
});

Deno.test("Tolerance.attempt ends at its deadline, also when the work does not listen", async () => {
  const { tolerance, environment, clock } = fixture();
  const waiting = tolerance.attempt("look", () => new Promise(() => {}));
  clock.advance(TOLERANT_ANSWER_MS);
  assert.equal(await waiting, undefined);
  assert.match(environment.err, /longer than 2000 ms/);
  assert.equal(clock.sleeping, 0);
});

Deno.test("Tolerance.attempt with --on-error fail throws what happened", async () => {
  const { tolerance } = fixture("fail");
  const error = far("unauthenticated");
  await assert.rejects(tolerance.attempt("look", () => Promise.reject(error)), error);
});

Deno.test("Tolerance.attempt never takes the user's interrupt for an outage", async () => {
  const { tolerance, interrupted } = fixture();
  const waiting = tolerance.attempt("look", () => new Promise(() => {}));
  const reason = new DOMException("SIGINT", "AbortError");
  interrupted.abort(reason);
  await assert.rejects(waiting, reason);
});

Deno.test("isCacheTrouble is a server's trouble, not the caller's files or a hostile tree", () => {
  for (const kind of ["unavailable", "timeout", "unauthenticated", "quota_exceeded"] as const) {
    assert.ok(isCacheTrouble(far(kind)), kind);
  }
  for (const kind of ["invalid_argument", "cancelled", "conflict"] as const) {
    assert.ok(!isCacheTrouble(far(kind)), kind);
  }
  const near = { pack: "quota_exceeded", index: "unavailable", cas: "corrupt" } as const;
  for (const [part, kind] of Object.entries(near)) {
    assert.ok(isCacheTrouble(new CacheError(kind, "Cannot", { operation: `${part}.x` })), part);
  }
  const tree = new CacheError("corrupt", "Cannot restore", { operation: "tree.restore" });
  assert.ok(!isCacheTrouble(tree));
});

Deno.test("transferMs grows with the bytes", () => {
  assert.equal(transferMs(0), 10_000);
  assert.equal(transferMs(128 * 1024 * 5), 15_000);
});

Deno.test("Tolerance.attempt waits longer for more answers, and for bytes that turn up", async () => {
  for (
    const [options, lengthened, ms] of [[{}, [], 2_000], [{ answers: 3 }, [], 6_000], [
      { bytes: 128 * 1024 },
      [],
      11_000,
    ], [{}, [128 * 1024], 13_000]] as const
  ) {
    const { tolerance, environment, clock } = fixture();
    const waiting = tolerance.attempt("look", (_signal, lengthen) => {
      for (const bytes of lengthened) lengthen(bytes);
      return new Promise(() => {});
    }, options);
    let ended = false;
    waiting.then(() => ended = true);
    // In steps, as time passes: each wakes the watch, which then sleeps on.
    for (let spent = 0; spent < ms - 1000; spent += 1000) {
      clock.advance(1000);
      await settled();
    }
    assert.equal(ended, false, JSON.stringify(options));
    clock.advance(1000);
    await waiting;
    assert.match(environment.err, new RegExp(`longer than ${ms} ms`));
  }
});

/** Lets everything run that waits for nothing but its turn. */
function settled(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 0));
}
