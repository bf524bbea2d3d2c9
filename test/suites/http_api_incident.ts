/** Cases of the HTTP API: what one asks and does after an incident. */
import assert from "node:assert/strict";
import type { HttpCase, HttpFixture, HttpTokens } from "./http_api.ts";

const JSON_TYPE = { "content-type": "application/json" };

async function put(
  server: HttpFixture,
  as: keyof HttpTokens,
  key: string,
  namespace = "",
): Promise<void> {
  const answer = await server.send("PUT", `${namespace}/v1/entries/${key}`, { as, body: key });
  assert.ok(answer.status < 300, answer.text);
}

function remove(server: HttpFixture, as: keyof HttpTokens, input: unknown, namespace = "") {
  const body = JSON.stringify(input);
  return server.send("POST", `${namespace}/v1/remove`, { as, headers: JSON_TYPE, body });
}

async function removed(
  server: HttpFixture,
  as: keyof HttpTokens,
  input: unknown,
  namespace = "",
): Promise<string[]> {
  const answer = await remove(server, as, input, namespace);
  assert.equal(answer.status, 200, answer.text);
  const { entries, next } = JSON.parse(answer.text);
  assert.equal(next, null);
  return entries.map(({ scope, key }: { scope: string; key: string }) => `${scope} ${key}`);
}

async function keys(server: HttpFixture, as: keyof HttpTokens, query = ""): Promise<string[]> {
  const answer = await server.send("GET", `/v1/entries${query}`, { as });
  assert.equal(answer.status, 200, answer.text);
  return JSON.parse(answer.text).entries.map(({ key }: { key: string }) => key);
}

export const incidentCases: Readonly<Record<string, HttpCase>> = {
  "remove takes from the token's own scope, an administrator's from every scope": async (
    server,
  ) => {
    await put(server, "writer", "app/1");
    await put(server, "branch", "app/1");
    await put(server, "branch", "app/2");
    await put(server, "branch", "lib/3");
    const all = { prefix: "app/" };
    assert.deepEqual(await removed(server, "branch", { ...all, dry_run: true }), [
      "pr/1 app/1",
      "pr/1 app/2",
    ]);
    assert.deepEqual(await removed(server, "branch", { ...all, scope: "main" }), []);
    assert.deepEqual(await removed(server, "branch", { keys: ["app/2"] }), ["pr/1 app/2"]);
    assert.deepEqual(await removed(server, "admin", { ...all, writer: "branch" }), ["pr/1 app/1"]);
    assert.deepEqual(await removed(server, "admin", { ...all, scope: "main" }), ["main app/1"]);
    assert.deepEqual(await keys(server, "branch"), ["lib/3"]);
  },
  "remove stays in its namespace, needs invalidate, and never takes all by mistake": async (
    server,
  ) => {
    await put(server, "a", "k", "/ns/team-a");
    await put(server, "b", "k", "/ns/team-b");
    assert.deepEqual(await removed(server, "a", { prefix: "" }, "/ns/team-a"), ["main k"]);
    const still = await server.send("GET", "/ns/team-b/v1/entries/k", { as: "b" });
    assert.equal(still.status, 200);
    assert.equal((await remove(server, "a", { prefix: "" }, "/ns/team-b")).status, 403);
    assert.equal((await remove(server, "writer", { prefix: "" })).status, 403);
    const inputs = [{}, { dry_run: false }, { protocol: "kv" }, { scope: "main" }];
    for (const bad of [...inputs, { prefix: 1 }, { since: -1 }, { writer: "x", what: 1 }]) {
      assert.equal((await remove(server, "branch", bad)).status, 400, JSON.stringify(bad));
    }
    const cursor = await remove(server, "branch", { prefix: "", after: "nonsense" });
    assert.equal(cursor.status, 400);
  },
  "entries are listed by writer, time and scope, as far as the token reads": async (server) => {
    await put(server, "writer", "a");
    await put(server, "branch", "b");
    const long = 32_503_680_000_000;
    assert.deepEqual(await keys(server, "branch", "?writer=branch"), ["b"]);
    assert.deepEqual(await keys(server, "branch", "?writer=nobody"), []);
    assert.deepEqual(await keys(server, "branch", `?since=1&until=${long}`), ["a", "b"]);
    assert.deepEqual(await keys(server, "branch", `?since=${long}`), []);
    assert.deepEqual(await keys(server, "branch", "?scope=pr/1"), ["b"]);
    assert.deepEqual(await keys(server, "writer", "?scope=pr/1"), [], "not his to read");
    assert.deepEqual(await keys(server, "admin", "?scope=pr/1"), ["b"]);
    assert.equal((await server.send("GET", "/v1/entries?since=x")).status, 400);
    assert.deepEqual(await keys(server, "branch", "?writer=writer&limit=1"), ["a"]);
  },
  "inspect shows the scopes that the token reads, and which one a read gets": async (server) => {
    await put(server, "writer", "k");
    await put(server, "branch", "k");
    const seen = async (as: keyof HttpTokens) => {
      const answer = await server.send("GET", "/v1/inspect/k", { as });
      assert.equal(answer.status, 200, answer.text);
      const { entries } = JSON.parse(answer.text);
      return entries.map((one: { entry: { scope: string }; served: boolean; reason: unknown }) =>
        `${one.entry.scope} ${one.served ? "served" : one.reason}`
      );
    };
    assert.deepEqual(await seen("reader"), ["main served"]);
    assert.deepEqual(await seen("branch"), ["main scope pr/1 comes first", "pr/1 served"]);
    assert.deepEqual(await seen("admin"), ["main served", "pr/1 a read goes through main only"]);
    const none = await server.send("GET", "/v1/inspect/nobody", { as: "reader" });
    assert.deepEqual(JSON.parse(none.text), { entries: [], history: [] });
    const strange = await server.send("GET", "/ns/team-a/v1/inspect/k", { as: "reader" });
    assert.equal(strange.status, 403);
  },
  "the audit is for administrators, and its query is checked": async (server) => {
    for (const as of ["writer", "branch", "a"] as const) {
      assert.equal((await server.send("GET", "/v1/audit", { as })).status, 403, as);
    }
    const page = await server.send("GET", "/v1/audit?limit=5", { as: "admin" });
    assert.equal(page.status, 200, page.text);
    assert.ok(Array.isArray(JSON.parse(page.text).rows));
    for (const query of ["kind=puts", "since=x", "after=nonsense", "limit=-1"]) {
      assert.equal((await server.send("GET", `/v1/audit?${query}`, { as: "admin" })).status, 400);
    }
  },
  "usage is grouped by four things and no other": async (server) => {
    for (const by of ["tool", "namespace", "hour", "day"]) {
      const answer = await server.send("GET", `/v1/stats/history?by=${by}`, { as: "reader" });
      assert.equal(answer.status, 200, answer.text);
      assert.ok(Array.isArray(JSON.parse(answer.text).rows));
    }
    assert.equal((await server.send("GET", "/v1/stats/history?by=week")).status, 400);
    const strange = await server.send("GET", "/ns/team-a/v1/stats/history", { as: "reader" });
    assert.equal(strange.status, 403);
  },
};
