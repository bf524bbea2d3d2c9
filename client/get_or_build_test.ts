import assert from "node:assert/strict";
import { abortable } from "../core/abort.ts";
import type { Cache } from "../core/cache.ts";
import { ManualClock } from "../core/clock.ts";
import type { Bytes } from "../core/digest.ts";
import { digestOf } from "../core/digest.ts";
import { CacheError } from "../core/errors.ts";
import { createMemoryCache } from "../test/helpers/memory_cache.ts";
import { connectCache } from "./connect.ts";
import { getOrBuild } from "./get_or_build.ts";

const BYTES = new TextEncoder().encode("result");
const down = () => new CacheError("unavailable", "Cannot reach the server: it is down");

Deno.test("getOrBuild() builds a miss, stores it, and has a hit the next time", async () => {
  const cache = createMemoryCache(2);
  let built = 0;
  const build = async () => {
    built++;
    return BYTES;
  };
  assert.deepEqual(await getOrBuild(cache, "k", build), { bytes: BYTES, hit: false });
  assert.deepEqual(await getOrBuild(cache, "k", build), { bytes: BYTES, hit: true });
  assert.deepEqual((await getOrBuild(cache, "k", build, { namespace: "b" })).hit, false);
  assert.equal(built, 2);
  assert.equal(cache.openStreams, 0);
});

Deno.test("getOrBuild() builds whatever is wrong with the cache, and tells onError", async () => {
  for (const broken of ["find", "body", "put"]) {
    const cache = createMemoryCache();
    if (broken === "body") await getOrBuild(cache, "k", async () => BYTES);
    cache.fault = (operation) => operation === broken ? down() : undefined;
    const errors: CacheError[] = [];
    const onError = (error: CacheError) => void errors.push(error);
    const { bytes, hit } = await getOrBuild(cache, "k", async () => BYTES, { onError });
    assert.deepEqual([bytes, hit], [BYTES, false], broken);
    assert.deepEqual(errors.map((error) => error.kind), ["unavailable"], broken);
  }
  await using nowhere = connectCache({ url: "http://127.0.0.1:9" });
  assert.equal((await getOrBuild(nowhere, "k", async () => BYTES)).hit, false);
});

Deno.test("getOrBuild() builds again what the cache lost or that is larger than the limit", async () => {
  const cache = createMemoryCache(2);
  await getOrBuild(cache, "k", async () => BYTES);
  assert.equal((await getOrBuild(cache, "k", async () => BYTES, { limit: 3 })).hit, false);
  assert.equal(cache.openStreams, 0);
  cache.lose(digestOf(BYTES));
  assert.equal((await getOrBuild(cache, "k", async () => BYTES)).hit, false);
  assert.equal((await getOrBuild(cache, "k", async () => BYTES)).hit, true);
});

Deno.test("getOrBuild() fails when the build fails, and forgets it", async () => {
  const cache = createMemoryCache();
  const failure = new Error("syntax error");
  await assert.rejects(
    getOrBuild(cache, "k", () => Promise.reject(failure)),
    (thrown) => thrown === failure,
  );
  assert.equal((await getOrBuild(cache, "k", async () => BYTES)).hit, false);
});

Deno.test("getOrBuild() builds once for callers of the same key at the same time", async () => {
  const cache = createMemoryCache();
  const release = Promise.withResolvers<Bytes>();
  let built = 0;
  const build = () => {
    built++;
    return release.promise;
  };
  const calls = ["k", "k", "k", "other"].map((key) => getOrBuild(cache, key, build));
  const elsewhere = getOrBuild(createMemoryCache(), "k", build);
  release.resolve(BYTES);
  for (const call of [...calls, elsewhere]) assert.deepEqual((await call).bytes, BYTES);
  assert.equal(built, 3);
});

Deno.test("getOrBuild() lets one caller go without ending the flight of the others", async () => {
  const cache = createMemoryCache();
  const release = Promise.withResolvers<Bytes>();
  const reason = new Error("enough");
  const abort = new AbortController();
  const first = getOrBuild(cache, "k", () => release.promise, { signal: abort.signal });
  const second = getOrBuild(cache, "k", () => release.promise);
  abort.abort(reason);
  await assert.rejects(first, (thrown) => thrown === reason);
  release.resolve(BYTES);
  assert.deepEqual((await second).bytes, BYTES);
});

Deno.test("getOrBuild() leaves a cache alone after an outage, then sends one caller ahead", async () => {
  const cache = createMemoryCache();
  const clock = new ManualClock();
  let broken = true;
  cache.fault = () => broken ? down() : undefined;
  const get = (key: string) => getOrBuild(cache, key, async () => BYTES, { clock });
  const asked = () => [...cache.calls.values()].reduce((sum, count) => sum + count, 0);
  for (let i = 0; i < 100; i++) await get(`k${i}`);
  assert.equal(asked(), 1);
  clock.advance(9_999);
  await get("k");
  assert.equal(asked(), 1);
  clock.advance(1);
  await Promise.all(["a", "b", "c"].map(get));
  assert.equal(asked(), 2);
  broken = false;
  clock.advance(10_000);
  await get("d");
  assert.equal((await get("d")).hit, true);
});

Deno.test("getOrBuild() goes on asking a cache that only refuses", async () => {
  const cache = createMemoryCache();
  cache.fault = (operation) =>
    operation === "put"
      ? new CacheError("permission_denied", "Cannot write: read only")
      : undefined;
  for (let i = 0; i < 5; i++) await getOrBuild(cache, "k", async () => BYTES);
  assert.equal(cache.calls.get("find"), 5);
});

Deno.test("getOrBuild() waits for a look-up that hangs no longer than it is told", async () => {
  const memory = createMemoryCache();
  const clock = new ManualClock();
  const cache: Cache = {
    ...memory,
    find: (_, options) => abortable(new Promise<never>(() => {}), options?.signal),
  };
  const errors: string[] = [];
  const onError = (error: CacheError) => void errors.push(error.kind);
  const result = getOrBuild(cache, "k", async () => BYTES, { clock, onError, lookupMs: 700 });
  await Promise.resolve();
  clock.advance(700);
  assert.equal((await result).hit, false);
  assert.deepEqual(errors, ["timeout"]);
});
