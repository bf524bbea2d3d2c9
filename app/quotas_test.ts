import assert from "node:assert/strict";
import fc from "fast-check";
import { bytesSource } from "../core/bytes.ts";
import { ManualClock } from "../core/clock.ts";
import type { CacheError } from "../core/errors.ts";
import type { NamespaceQuota, QuotaUse } from "../core/quota.ts";
import { draftOf } from "../test/damage/world.ts";
import { tempDir } from "../test/helpers/temp.ts";
import { bodyOf } from "../test/load/bodies.ts";
import { openEngine } from "./compose.ts";
import type { Engine } from "./engine.ts";

const KIB = 1024;

async function put(
  engine: Engine,
  key: string,
  options: { size?: number; scope?: string; namespace?: string; number?: number } = {},
): Promise<void> {
  const { size = 10 * KIB, scope = "main", namespace = "a" } = options;
  const number = options.number ?? [...key].reduce((sum, char) => sum * 31 + char.charCodeAt(0), 7);
  const draft = { ...draftOf({ namespace, key }), scope };
  const created = engineNow(engine);
  await engine.cache.put({ ...draft, created }, bytesSource(bodyOf(number, size)));
}

const clocks = new WeakMap<Engine, ManualClock>();

function engineNow(engine: Engine): number {
  return clocks.get(engine)!.now();
}

async function open(dir: string, quotas: readonly NamespaceQuota[], maxSize = 64 * KIB * KIB) {
  const clock = new ManualClock(1_700_000_000_000);
  const engine = await openEngine(dir, { clock, quotas, maxSize });
  clocks.set(engine, clock);
  return { engine, clock };
}

async function has(engine: Engine, key: string, scope = "main", namespace = "a") {
  const entry = await engine.cache.find({ namespace, protocol: "kv", key, scopes: [scope] });
  if (!entry) return false;
  const body = await engine.cache.body(entry);
  return body !== undefined;
}

async function useOf(engine: Engine, namespace: string, scope: string | null = null) {
  const { namespaces } = await engine.stats() as unknown as { namespaces: QuotaUse[] };
  return namespaces.find((use) => use.namespace === namespace && use.scope === scope)!;
}

async function refused(work: Promise<unknown>): Promise<CacheError> {
  try {
    await work;
  } catch (error) {
    return error as CacheError;
  }
  throw new Error("it was not refused");
}

Deno.test("A namespace over its quota in bytes makes room among its own, the least valuable first", async () => {
  await using dir = await tempDir();
  const quota = { namespace: "a", bytes: 100 * KIB, scopes: [] };
  const { engine, clock } = await open(dir.path, [quota]);
  await using _engine = engine;
  await put(engine, "other", { namespace: "b", size: 300 * KIB });
  for (let n = 0; n < 10; n++) {
    await put(engine, `k${n}`);
    clock.advance(120_000);
  }
  assert.equal((await useOf(engine, "a")).bytes, 100 * KIB, "full to the brim");
  assert.ok(await has(engine, "k0"), "and used just now");
  clock.advance(120_000);
  const [first] = (await engine.maintenance.gc({ dryRun: true })).next_entries;
  assert.equal(first?.what, "k1");
  assert.match(first?.reason ?? "", /^written .* ago, 10.0 KiB$/);
  await put(engine, "new");
  assert.ok(await has(engine, "new"));
  assert.ok(await has(engine, "k0"), "what was used stays");
  assert.ok(!await has(engine, "k1"), "what was not goes");
  assert.ok(await has(engine, "other", "main", "b"), "nobody else's");
  const use = await useOf(engine, "a");
  assert.ok(use.bytes <= 100 * KIB && use.bytes >= 80 * KIB, `${use.bytes} bytes`);
  assert.equal(use.entries * 10 * KIB, use.bytes);
});

Deno.test("A namespace over its quota in entries makes room; a replacement is no new entry", async () => {
  await using dir = await tempDir();
  const { engine, clock } = await open(dir.path, [{ namespace: "a", entries: 5, scopes: [] }]);
  await using _engine = engine;
  for (let n = 0; n < 5; n++) {
    await put(engine, `k${n}`);
    clock.advance(120_000);
  }
  await put(engine, "k0", { number: 99 });
  assert.equal((await useOf(engine, "a")).entries, 5);
  for (let n = 0; n < 5; n++) assert.ok(await has(engine, `k${n}`), `k${n}`);
  await put(engine, "k5");
  assert.equal((await useOf(engine, "a")).entries, 5);
  assert.ok(await has(engine, "k5"));
});

Deno.test("Scopes over their share make room among themselves; other scopes and shared blobs stay", async () => {
  await using dir = await tempDir();
  const quota = { namespace: "a", scopes: [{ pattern: "pr/*", bytes: 30 * KIB }] };
  const { engine, clock } = await open(dir.path, [quota]);
  await using _engine = engine;
  await put(engine, "shared", { number: 5 });
  await put(engine, "first", { scope: "pr/1", number: 5 });
  clock.advance(120_000);
  for (let n = 0; n < 5; n++) {
    await put(engine, `k${n}`, { scope: `pr/${n}`, number: 100 + n });
    clock.advance(120_000);
  }
  assert.ok((await useOf(engine, "a", "pr/*")).bytes <= 30 * KIB);
  assert.ok(!await has(engine, "first", "pr/1"));
  assert.ok(await has(engine, "shared"), "of another scope, with the same blob");
  assert.ok(await has(engine, "k4", "pr/4"));
});

Deno.test("What can never fit is refused with limit and size, and nothing goes for it", async () => {
  await using dir = await tempDir();
  const { engine, clock } = await open(dir.path, [{ namespace: "a", bytes: 50 * KIB, scopes: [] }]);
  await using _engine = engine;
  await put(engine, "k0");
  const error = await refused(put(engine, "large", { size: 60 * KIB }));
  assert.equal(error.kind, "quota_exceeded");
  assert.match(error.message, /^Cannot store 60.0 KiB: namespace "a" holds 10.0 KiB of 50.0 KiB/);
  assert.deepEqual(error.context, {
    namespace: "a",
    bytes: 60 * KIB,
    used: 10 * KIB,
    limit: 50 * KIB,
  });
  assert.ok(await has(engine, "k0"));
  // Pins are not in the way of refusals either: what is pinned does not go.
  for (let n = 1; n < 5; n++) await put(engine, `k${n}`);
  const keys = [0, 1, 2, 3, 4].map((n) => `k${n}`);
  const pins = await engine.pinning.pin({ namespace: "a", keys, scopes: undefined, by: "anne" });
  assert.equal(pins.length, 5);
  const full = await refused(put(engine, "more"));
  assert.match(full.message, /holds 50.0 KiB of 50.0 KiB and nothing more of it can go, 5 of its/);
  for (const key of keys) assert.ok(await has(engine, key), key);
  clock.advance(1000);
  await engine.pinning.unpin({ namespace: "a", keys: ["k3"], scopes: undefined, by: "anne" });
  await put(engine, "more");
  assert.ok(!await has(engine, "k3"));
});

Deno.test("Blobs that no entry names make room, too", async () => {
  await using dir = await tempDir();
  const { engine, clock } = await open(dir.path, [{
    namespace: "a",
    bytes: 100 * KIB,
    scopes: [],
  }]);
  await using _engine = engine;
  const blobs = engine.cache.blobs("a");
  for (let n = 0; n < 30; n++) {
    await blobs.put(undefined, bytesSource(bodyOf(n, 10 * KIB)));
    clock.advance(60_000);
    assert.ok((await useOf(engine, "a")).bytes <= 100 * KIB);
  }
  await put(engine, "entry");
  assert.ok(await has(engine, "entry"));
});

Deno.test("Many writers at once never go beyond a quota, and what is told is what a count says", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(
        fc.record({
          key: fc.nat(12),
          number: fc.nat(6),
          size: fc.constantFrom(1, 5 * KIB, 20 * KIB),
          scope: fc.constantFrom("main", "pr/1", "pr/2"),
          what: fc.constantFrom("put", "put", "put", "remove", "pin", "unpin"),
        }),
        { minLength: 10, maxLength: 40 },
      ),
      async (steps) => {
        await using dir = await tempDir();
        const quota = {
          namespace: "a",
          bytes: 60 * KIB,
          entries: 8,
          scopes: [{ pattern: "pr/*", bytes: 40 * KIB, entries: 4 }],
        };
        const { engine, clock } = await open(dir.path, [quota]);
        await using _engine = engine;
        for (let at = 0; at < steps.length; at += 4) {
          await Promise.all(
            steps.slice(at, at + 4).map(async ({ key, number, size, scope, what }) => {
              const request = { namespace: "a", keys: [`k${key}`], scopes: [scope], by: "anne" };
              if (what === "put") {
                try {
                  await put(engine, `k${key}`, { scope, size, number: number + 1 });
                } catch (error) {
                  assert.equal((error as CacheError).kind, "quota_exceeded");
                }
              } else if (what === "remove") {
                await engine.cache.remove([{
                  namespace: "a",
                  scope,
                  protocol: "kv",
                  key: `k${key}`,
                }]);
              } else await engine.pinning[what](request);
            }),
          );
          clock.advance(61_000);
        }
        const [whole, share] = [await useOf(engine, "a"), await useOf(engine, "a", "pr/*")];
        assert.ok(whole.bytes <= 60 * KIB && whole.entries <= 8, JSON.stringify(whole));
        assert.ok(share.bytes <= 40 * KIB && share.entries <= 4, JSON.stringify(share));
        let [entries, prBytes, prEntries] = [0, 0, 0];
        for await (const item of engine.cache.scan({ namespace: "a", incomplete: true })) {
          if (item.type !== "entry") continue;
          entries++;
          if (item.entry.scope === "main") continue;
          prEntries++;
          prBytes += item.entry.blobs.reduce((sum, { size }) => sum + size, 0);
        }
        assert.deepEqual([whole.entries, share.entries, share.bytes], [
          entries,
          prEntries,
          prBytes,
        ]);
        for (const pin of await engine.pinning.pins("a")) {
          assert.ok(await has(engine, pin.key, pin.scope), `pinned ${pin.key}`);
        }
      },
    ),
    { numRuns: 8 },
  );
});

Deno.test("What was let go stays away after the index was made anew from the log", async () => {
  await using dir = await tempDir();
  const quota = { namespace: "a", bytes: 50 * KIB, entries: 4, scopes: [] };
  let before: QuotaUse;
  {
    const { engine, clock } = await open(dir.path, [quota]);
    await using _engine = engine;
    for (let n = 0; n < 12; n++) {
      await put(engine, `k${n}`);
      clock.advance(120_000);
    }
    before = await useOf(engine, "a");
  }
  for (const suffix of ["", "-wal", "-shm"]) {
    await Deno.remove(`${dir.path}/index.sqlite${suffix}`).catch(() => {});
  }
  const { engine } = await open(dir.path, [quota]);
  await using _engine = engine;
  assert.deepEqual(await useOf(engine, "a"), before);
  assert.ok(!await has(engine, "k0"));
  assert.ok(await has(engine, "k11"));
});
