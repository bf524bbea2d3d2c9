import assert from "node:assert/strict";
import { bytesSource } from "../core/bytes.ts";
import { ManualClock } from "../core/clock.ts";
import type { EntryDraft } from "../core/entry.ts";
import type { RemoveRequest } from "../core/insight.ts";
import { seededRandom } from "../test/helpers/random.ts";
import { longOr } from "../test/helpers/long.ts";
import { tempDir } from "../test/helpers/temp.ts";
import { draft } from "../test/suites/metadata_index_world.ts";
import { openEngine } from "./compose.ts";
import type { Engine } from "./engine.ts";

const SCOPES = ["main", "pr/1", "pr/2"];
const PROTOCOLS = ["kv", "ccache"];
const WRITERS = ["anne", "bert", "carl"];

function put(engine: Engine, entry: EntryDraft, text: string) {
  return engine.cache.put(entry, bytesSource(new TextEncoder().encode(text)));
}

async function names(engine: Engine): Promise<string[]> {
  const items = await Array.fromAsync(engine.cache.scan({ incomplete: true }));
  return items.map((item) => item.type === "entry" ? nameOf(item.entry) : "");
}

function nameOf(key: Pick<EntryDraft, "namespace" | "scope" | "protocol" | "key">): string {
  return `${key.namespace} ${key.scope} ${key.protocol} ${key.key}`;
}

/** Does all steps of a removal; tells what went. */
async function removeAll(
  engine: Engine,
  request: Partial<RemoveRequest>,
): Promise<string[]> {
  const gone: string[] = [];
  let after: string | undefined;
  do {
    const step = await engine.insight.removeStep({
      namespace: "default",
      scopes: undefined,
      dryRun: false,
      by: "boss",
      ...request,
      after,
    });
    gone.push(...step.entries.map(nameOf));
    after = step.next;
  } while (after !== undefined);
  return gone;
}

Deno.test("removeStep() removes exactly what a model says, and nothing when only asked", async () => {
  const random = seededRandom("VITTE_REMOVE_SEED");
  const pick = <T>(from: readonly T[]): T => from[random.integer(0, from.length)]!;
  await using dir = await tempDir();
  const clock = new ManualClock();
  await using engine = await openEngine(dir.path, { clock });
  const model = new Map<string, EntryDraft>();
  for (let round = 0; round < longOr(40, 8); round++) {
    for (let n = 0; n < 25; n++) {
      clock.advance(25 * random.integer(0, 3));
      const entry = draft(`${pick(["app/", "lib/", ""])}${random.integer(0, 12)}`, {
        namespace: pick(["default", "other"]),
        scope: pick(SCOPES),
        protocol: pick(PROTOCOLS),
        writer: pick(WRITERS),
        created: clock.now(),
      });
      await put(engine, entry, `${round} ${n}`);
      model.set(nameOf(entry), entry);
    }
    const maybe = <T>(value: T): T | undefined => random.next() < 0.5 ? value : undefined;
    const since = maybe(clock.now() - 25 * random.integer(0, 80));
    const request = {
      namespace: pick(["default", "other"]),
      prefix: maybe(pick(["app/", "lib/1", ""])),
      writer: maybe(pick(WRITERS)),
      since,
      until: maybe((since ?? clock.now() - 1000) + 25 * random.integer(1, 40)),
      protocol: maybe(pick(PROTOCOLS)),
      scope: maybe(pick(SCOPES)),
      scopes: maybe(["main", "pr/1"]),
      keys: random.next() < 0.2 ? ["app/1", "1", "lib/3", "app/1"] : undefined,
    };
    const wanted = [...model.values()].filter((entry) =>
      entry.namespace === request.namespace && entry.key.startsWith(request.prefix ?? "") &&
      (request.writer ?? entry.writer) === entry.writer && entry.created >= (since ?? 0) &&
      entry.created < (request.until ?? Infinity) &&
      (request.protocol ?? entry.protocol) === entry.protocol &&
      (request.scope ?? entry.scope) === entry.scope &&
      (!request.scopes || request.scopes.includes(entry.scope)) &&
      (!request.keys || request.keys.includes(entry.key))
    ).map(nameOf).sort();
    const told = await removeAll(engine, { ...request, dryRun: true });
    assert.deepEqual(told.toSorted(), wanted, JSON.stringify(request));
    assert.deepEqual((await names(engine)).sort(), [...model.keys()].sort());
    assert.deepEqual((await removeAll(engine, request)).sort(), wanted);
    for (const name of wanted) model.delete(name);
    assert.deepEqual((await names(engine)).sort(), [...model.keys()].sort());
  }
});

Deno.test("removeStep() goes on where a step ended, and leaves what was written anew meanwhile", async () => {
  await using dir = await tempDir();
  const clock = new ManualClock();
  await using engine = await openEngine(dir.path, { clock });
  await Promise.all(
    Array.from({ length: 1010 }, (_, n) => put(engine, draft(`k${n}`, { writer: "bert" }), "x")),
  );
  const first = await engine.insight.removeStep({
    namespace: "default",
    scopes: undefined,
    writer: "bert",
    dryRun: true,
    by: "boss",
  });
  assert.equal(first.entries.length, 1000);
  assert.notEqual(first.next, undefined);
  const { cache } = engine;
  const remove = cache.remove.bind(cache);
  let raced = false;
  cache.remove = async (keys, options) => {
    // Between the look and the removal somebody else takes the place of one of them.
    if (!raced) await put(engine, draft("k1", { writer: "carl" }), "good");
    raced = true;
    return await remove(keys, options);
  };
  const gone = await removeAll(engine, { writer: "bert" });
  assert.equal(gone.length, 1009);
  assert.deepEqual(await names(engine), ["default main plain k1"]);
});

Deno.test("inspect() tells which scope a read gets, why not the others, and what happened", async () => {
  await using dir = await tempDir();
  const clock = new ManualClock();
  await using engine = await openEngine(dir.path, { clock });
  clock.advance(1000);
  await put(engine, draft("k", { scope: "pr/1", writer: "anne", cost: 5 }), "one");
  await put(engine, draft("k", { scope: "main", writer: "ci" }), "two");
  await put(engine, draft("k", { scope: "pr/2", writer: "carl" }), "three");
  await put(engine, draft("kk"), "another key");
  await engine.cache.remove([draft("k", { scope: "pr/2" })], { by: "boss" });
  const lookup = { namespace: "default", key: "k", readScopes: ["pr/1", "main"] };
  const told = async (scopes: readonly string[] | undefined, protocol?: string) => {
    const { entries, history } = await engine.insight.inspect({ ...lookup, scopes, protocol });
    return {
      entries: entries.map(({ entry, served, reason }) => [entry.scope, served, reason]),
      history: history.map(({ kind, scope, writer }) => `${kind} ${scope} ${writer}`),
    };
  };
  assert.deepEqual(await told(undefined), {
    entries: [["main", false, "scope pr/1 comes first"], ["pr/1", true, undefined]],
    history: ["put pr/1 anne", "put main ci", "put pr/2 carl", "delete pr/2 boss"],
  });
  assert.deepEqual(await told(["main"], "plain"), {
    entries: [["main", false, "scope pr/1 comes first"]].map(([scope]) => [scope, true, undefined]),
    history: ["put main ci"],
  });
  assert.deepEqual(await told(["main"], "kv"), { entries: [], history: [] });
  assert.deepEqual((await told(["main"])).history, ["put main ci"]);
});

Deno.test("inspect() says that an entry is incomplete, and which blob is not here", async () => {
  await using dir = await tempDir();
  await using engine = await openEngine(dir.path, { clock: new ManualClock() });
  const { entry } = await put(engine, draft("k"), "body");
  await engine.cache.blobs("default").delete([entry.blobs[0]!.digest]);
  const scopes = ["main"];
  const lookup = { namespace: "default", key: "k", scopes, readScopes: scopes };
  const { entries: [one] } = await engine.insight.inspect(lookup);
  assert.equal(one?.served, false);
  assert.equal(one?.reason, "incomplete: a blob is not here any more");
  assert.deepEqual(one?.blobs, [{ ...entry.blobs[0]!, present: false }]);
});

Deno.test("audit() merges changes of tokens and entries by time, page by page", async () => {
  await using dir = await tempDir();
  const clock = new ManualClock();
  await using engine = await openEngine(dir.path, { clock });
  const rights = {
    verbs: ["read"] as const,
    namespaces: ["default"],
    scope: "main",
    readScopes: ["main"],
    expires: undefined,
  };
  for (let n = 0; n < 10; n++) {
    clock.advance(1000);
    await put(engine, draft(`k${n}`), "x");
    clock.advance(1000);
    await engine.tokens.create(`t${n}`, rights, { by: "boss" });
    if (n === 5) await engine.tokens.rotate("t5", { by: "boss" });
    if (n === 6) await engine.tokens.revoke("t6", { by: "boss" });
    if (n === 6) await engine.tokens.revoke("t6", { by: "boss" });
  }
  const read = async (limit: number, filter = {}) => {
    const rows: string[] = [];
    let after: string | undefined;
    do {
      const page = await engine.insight.audit({ limit, after, ...filter });
      assert.ok(page.rows.length <= limit);
      rows.push(
        ...page.rows.map((row) =>
          row.kind === "token"
            ? `${row.action} ${row.token} ${row.writer}`
            : `${row.kind} ${row.key}`
        ),
      );
      after = page.next;
    } while (after !== undefined);
    return rows;
  };
  const whole = await read(1000);
  assert.equal(whole.length, 1 + 10 + 10 + 2, "a second end of the same token is no change");
  assert.deepEqual(whole.slice(0, 4), ["create admin local", "put k0", "create t0 boss", "put k1"]);
  assert.deepEqual(whole.slice(11, 17), [
    "put k5",
    "create t5 boss",
    "rotate t5 boss",
    "put k6",
    "create t6 boss",
    "revoke t6 boss",
  ]);
  for (const limit of [1, 2, 3, 7]) assert.deepEqual(await read(limit), whole, `pages of ${limit}`);
  assert.deepEqual(await read(3, { kinds: ["token"], writer: "local" }), ["create admin local"]);
  assert.deepEqual(await read(3, { kinds: ["put"], prefix: "k3" }), ["put k3"]);
});

Deno.test("removeStep() takes since itself, and not until", async () => {
  await using dir = await tempDir();
  await using engine = await openEngine(dir.path, { clock: new ManualClock() });
  for (const created of [1000, 2000, 3000]) {
    await put(engine, draft(`${created}`, { created }), "x");
  }
  const gone = await removeAll(engine, { since: 1000, until: 3000 });
  assert.deepEqual(gone, ["default main plain 1000", "default main plain 2000"]);
});
