import assert from "node:assert/strict";
import { createAuthenticator } from "../auth/authenticate.ts";
import { openServerKey } from "../auth/server_key.ts";
import { openTokenStore } from "../auth/token_store.ts";
import { ManualClock } from "../core/clock.ts";
import { sha256, toHex } from "../core/digest.ts";
import { utf8 } from "../core/utf8.ts";
import type { Verb } from "../core/policy.ts";
import { HOT_FOR_MS } from "../core/limits.ts";
import type { TokenRights } from "../core/token_admin.ts";
import type { AccessEvent } from "../server/deps.ts";
import { createHandlerFixture, REMOTE, request } from "../test/helpers/http_fixture.ts";
import { tempDir } from "../test/helpers/temp.ts";
import { openEngine } from "./compose.ts";
import { pathsOf } from "./folder_parts.ts";

const KEY = "/v1/entries/k";
/** SHA-256 of "hello". */
const HELLO = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824";
const CCACHE = `/ccache/${"0123456789".repeat(4)}`;

/** An engine behind a handler that counts how often it had to look at more than URL and token. */
async function world() {
  await using stack = new AsyncDisposableStack();
  const dir = stack.use(await tempDir());
  const clock = new ManualClock();
  const engine = stack.use(await openEngine(dir.path, { clock }));
  await engine.settleIn();
  const { cache, counters } = engine;
  const key = openServerKey(dir.path);
  const options = { serverKey: key, clock, counters };
  const tokens = stack.use(openTokenStore(pathsOf(dir.path).tokens, options));
  const make = async (name: string, verbs: readonly Verb[], more: Partial<TokenRights> = {}) => {
    const rights = { namespaces: ["default"], scope: "main", readScopes: ["main"], ...more };
    return (await tokens.create(name, { verbs, expires: undefined, ...rights })).token;
  };
  const own: readonly Verb[] = ["read", "write", "invalidate"];
  const texts = {
    writer: await make("writer", own),
    other: await make("other", own),
    blind: await make("blind", ["write"]),
    stranger: await make("stranger", own, { namespaces: ["team"] }),
    branch: await make("branch", own, { scope: "pr/1", readScopes: ["pr/1", "main"] }),
    passing: await make("passing", own, { expires: clock.now() + 60_000 }),
  };
  const events: AccessEvent[] = [];
  let looked = 0;
  const fixture = createHandlerFixture({
    cache,
    memory: {
      recall(lookup) {
        looked++;
        return cache.recall(lookup);
      },
      bytes: (entry) => cache.bytes(entry),
      hold: (lookup, entry) => cache.hold(lookup, entry),
    },
    clock,
    counters,
    authenticate: createAuthenticator({ ...options, store: tokens, serverKey: key.publicKey })
      .authenticate,
    log: (event) => void events.push(event),
  });
  async function ask(
    method: string,
    target: string,
    question: { as?: keyof typeof texts; headers?: Record<string, string>; body?: string } = {},
  ) {
    const authorization = `Bearer ${texts[question.as ?? "writer"]}`;
    const before = looked;
    const answer = await fixture.handler(
      request(method, target, {
        ...question,
        as: null,
        headers: { authorization, ...question.headers },
      }),
      { ...REMOTE },
    );
    const headers = Object.fromEntries(answer.headers);
    delete headers["vitte-request-id"];
    const text = await answer.text();
    return { status: answer.status, text, headers, ready: looked === before };
  }
  /** Asks until the answer is one that was kept. */
  async function warm(target: string, as: keyof typeof texts = "writer", method = "GET") {
    for (let n = 0; n < 2; n++) await ask(method, target, { as });
    const answer = await ask(method, target, { as });
    assert.ok(answer.ready && answer.status === 200, `${method} ${target} is not kept`);
    return answer;
  }
  const owned = stack.move();
  return {
    clock,
    counters,
    tokens,
    events,
    ask,
    warm,
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

Deno.test("an answer from memory is the answer that was made, and counts as it", async () => {
  await using server = await world();
  for (const target of [KEY, CCACHE]) {
    await server.ask("PUT", target, { body: "bytes" });
    for (const method of ["GET", "HEAD"]) {
      const first = await server.ask(method, target);
      const [made, hits, sent] = [
        server.events.at(-1)!,
        server.counters.get("hits"),
        server.counters.get("bytes_sent"),
      ];
      assert.equal(first.status, 200);
      assert.equal(first.headers["content-length"], "5");
      const kept = await server.warm(target, "writer", method);
      assert.deepEqual({ ...kept, ready: false }, { ...first, ready: false });
      assert.deepEqual({ ...server.events.at(-1)!, id: "" }, { ...made, id: "" });
      assert.notEqual(server.events.at(-1)!.id, made.id);
      assert.equal(server.counters.get("hits"), hits + 3);
      assert.equal(server.counters.get("bytes_sent"), sent + (method === "GET" ? 15 : 0));
    }
    // One that was kept for somebody serves whoever may read the same.
    assert.ok((await server.ask("GET", target, { as: "other" })).ready);
  }
});

Deno.test("an answer from memory ends with its entry: replaced, deleted, hidden, lost, or of old", async () => {
  await using server = await world();
  const { clock, counters } = server;
  const put = (body: string) => server.ask("PUT", KEY, { body });
  await put("one");
  const etag = (await server.warm(KEY)).headers["etag"]!;
  await put("two");
  for (let n = 0; n < 3; n++) assert.equal((await server.ask("GET", KEY)).text, "two");
  await server.warm(KEY, "writer", "HEAD");
  await put("three");
  assert.equal((await server.ask("HEAD", KEY)).headers["content-length"], "5");
  await server.warm(KEY);
  await server.ask("DELETE", KEY);
  for (const method of ["GET", "HEAD"]) {
    assert.equal((await server.ask(method, KEY)).status, 404, `${method} after DELETE`);
  }
  await put("one");
  await server.warm(KEY);
  const hidden = `/v1/blobs/${etag.slice(1, -1)}`;
  assert.equal((await server.ask("DELETE", hidden)).status, 204);
  assert.equal((await server.ask("GET", KEY)).status, 404, "its blob is hidden");
  await put("four");
  await server.warm(KEY);
  counters.add("losses");
  assert.ok(!(await server.ask("GET", KEY)).ready, "something was lost");
  await server.warm(KEY);
  clock.advance(HOT_FOR_MS);
  assert.ok(!(await server.ask("GET", KEY)).ready, "it is looked at on the disk again");
});

Deno.test("an answer from memory is for who may have it now", async () => {
  await using server = await world();
  await server.ask("PUT", KEY, { body: "secret" });
  await server.warm(KEY);
  const refused = async (as: "blind" | "stranger" | "passing" | "other", status: number) => {
    for (const method of ["GET", "HEAD"]) {
      assert.equal((await server.ask(method, KEY, { as })).status, status, `${method} as ${as}`);
    }
  };
  await refused("blind", 403);
  await refused("stranger", 403);
  for (const authorization of ["", "Bearer nonsense", `Basic ${btoa("a:b")}`]) {
    const { status } = await server.ask("GET", KEY, { headers: { authorization } });
    assert.equal(status, 401, authorization);
  }
  const soon = await server.ask("GET", KEY, { as: "passing" });
  assert.ok(soon.ready && soon.headers["vitte-token-expires"], "it is told that the token ends");
  server.clock.jump(60_000);
  await refused("passing", 401);
  assert.ok((await server.ask("GET", KEY, { as: "other" })).ready);
  await server.tokens.revoke("other");
  await refused("other", 401);
  assert.ok((await server.ask("GET", KEY)).ready, "everybody else goes on");
});

Deno.test("an answer from memory is for the scopes that were looked through, in their order", async () => {
  await using server = await world();
  await server.ask("PUT", KEY, { body: "main" });
  await server.warm(KEY);
  assert.equal((await server.ask("GET", KEY, { as: "branch" })).text, "main");
  await server.warm(KEY, "branch");
  await server.ask("PUT", KEY, { body: "branch", as: "branch" });
  assert.equal((await server.ask("GET", KEY, { as: "branch" })).text, "branch");
  await server.warm(KEY, "branch");
  assert.equal((await server.ask("GET", KEY)).text, "main");
  await server.ask("DELETE", KEY, { as: "branch" });
  assert.equal((await server.ask("GET", KEY, { as: "branch" })).text, "main");
});

Deno.test("a question with conditions of its own is never answered from memory", async () => {
  await using server = await world();
  await server.ask("PUT", KEY, { body: "0123456789" });
  const { headers: { etag } } = await server.warm(KEY);
  const cases: [Record<string, string>, number, string][] = [
    [{ range: "bytes=2-4" }, 206, "234"],
    [{ "if-none-match": etag! }, 304, ""],
    [{ origin: "http://localhost:1" }, 200, "0123456789"],
    [{ origin: "http://evil.example" }, 403, ""],
    [{ host: "evil.example" }, 421, ""],
  ];
  for (const [headers, status, text] of cases) {
    const answer = await server.ask("GET", KEY, { headers });
    assert.equal(answer.status, status, JSON.stringify(headers));
    if (status >= 400) continue;
    assert.ok(!answer.ready, JSON.stringify(headers));
    assert.equal(answer.text, text);
    if (headers.origin) {
      assert.equal(answer.headers["access-control-allow-origin"], headers.origin);
    }
  }
  const other = await server.ask("GET", KEY, { headers: { "user-agent": "ccache/4.12" } });
  assert.ok(!other.ready, "another program may mean something else by this path");
});

Deno.test("a miss from memory is counted, tells what every miss tells, and is over once there is an entry", async () => {
  await using server = await world();
  for (const [target, what] of [[KEY, "entry"], [CCACHE, "result"]] as const) {
    const misses = server.counters.get("misses");
    const miss = await server.ask("GET", target);
    assert.equal(miss.status, 404);
    assert.equal(miss.headers["content-type"], "application/problem+json");
    const problem = JSON.parse(miss.text);
    assert.equal(problem.kind, "not_found");
    assert.match(problem.detail, new RegExp(`^Cannot find ${what} "`));
    const event = server.events.at(-1)!;
    assert.deepEqual([event.outcome, event.lookup, event.id], ["miss", true, problem.request_id]);
    assert.equal(event.error?.kind, "not_found");
    assert.equal((await server.ask("HEAD", target)).status, 404);
    assert.equal(server.counters.get("misses"), misses + 2);
    await server.ask("PUT", target, { body: "here" });
    assert.equal((await server.ask("GET", target)).text, "here");
  }
});

Deno.test("results of Bazel, Go and Maven are answered from memory, as each question wants them", async () => {
  await using server = await world();
  const [ac, cas] = [`/bazel/ac/${"a".repeat(64)}`, `/bazel/cas/${HELLO}`];
  // An ActionResult with exit_code 7.
  await server.ask("PUT", ac, { body: "\x20\x07" });
  const plain = await server.warm(ac);
  assert.equal(plain.text, "\x20\x07");
  await server.warm(ac, "writer", "HEAD");
  const json = await server.ask("GET", ac, { headers: { accept: "application/json" } });
  assert.ok(!json.ready && JSON.parse(json.text).exitCode === 7, "JSON is made of it");
  const head = await server.ask("HEAD", ac, { headers: { accept: "application/json" } });
  assert.ok(!head.ready && head.headers["content-type"] === "application/json");
  await server.ask("PUT", ac, { body: "\x20\x08" });
  assert.equal((await server.ask("GET", ac)).text, "\x20\x08", "it was replaced");

  // A result falls with a blob that it names: \x12 an output file, \x0a its path, \x12 its digest.
  const named = `\x12\x49\x0a\x01f\x12\x44\x0a\x40${HELLO}\x10\x05`;
  await server.ask("PUT", cas, { body: "hello" });
  assert.equal((await server.ask("PUT", ac, { body: named })).status, 200);
  for (const method of ["GET", "HEAD"]) await server.warm(ac, "writer", method);
  assert.equal((await server.ask("DELETE", `/v1/blobs/sha256-${HELLO}`)).status, 204);
  for (const method of ["GET", "HEAD"]) {
    assert.equal((await server.ask(method, ac)).status, 404, `${method}: its output is gone`);
  }

  // What is in a tree that comes late is looked into each time: \x1a is an output directory.
  const tree = toHex(sha256(utf8("\x0a\x00")));
  const late = `\x1a\x49\x0a\x01d\x1a\x44\x0a\x40${tree}\x10\x02`;
  assert.equal((await server.ask("PUT", ac, { body: late })).status, 200);
  assert.equal((await server.ask("GET", ac)).status, 404, "its tree has not come");
  await server.ask("PUT", `/bazel/cas/${tree}`, { body: "\x0a\x00" });
  for (const method of ["GET", "HEAD", "GET", "HEAD"]) {
    const answer = await server.ask(method, ac);
    assert.deepEqual([answer.status, answer.ready], [200, false], method);
  }

  const action = `/go/action/${"b".repeat(64)}`;
  const whole = { headers: { "want-object": "1" } };
  assert.equal((await server.ask("GET", action, whole)).status, 404);
  await server.ask("PUT", `/go/${"b".repeat(64)}/${HELLO}`, { body: "hello" });
  for (let n = 0; n < 3; n++) await server.ask("GET", action, whole);
  const object = await server.ask("GET", action, whole);
  assert.deepEqual([object.ready, object.text], [true, "hello"]);
  await server.warm(action, "writer", "HEAD");
  const facts = await server.ask("GET", action);
  assert.deepEqual(JSON.parse(facts.text), { outputID: HELLO, size: 5 });

  const file = "/maven/v1.2/group/artifact/0123456789abcdef/buildinfo.xml";
  assert.equal((await server.ask("GET", file)).status, 404);
  await server.ask("PUT", file, { body: "hello" });
  await server.warm(file);
  assert.equal((await server.ask("GET", file, { headers: { range: "bytes=1-2" } })).text, "el");
  await server.ask("DELETE", `/v1/blobs/sha256-${HELLO}`);
  for (const [target, headers] of [[action, whole.headers], [file, {}]] as const) {
    assert.equal((await server.ask("GET", target, { headers })).status, 404, target);
  }
});
