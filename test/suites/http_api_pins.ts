/** Cases of the HTTP API: pins, and what tells of room. */
import assert from "node:assert/strict";
import type { HttpCase, HttpFixture, HttpTokens } from "./http_api.ts";

const JSON_TYPE = { "content-type": "application/json" };

async function put(
  server: HttpFixture,
  as: keyof HttpTokens,
  key: string,
  tags = "",
): Promise<void> {
  const headers: Record<string, string> = tags ? { "vitte-tags": tags } : {};
  const answer = await server.send("PUT", `/v1/entries/${key}`, { as, headers, body: key });
  assert.ok(answer.status < 300, answer.text);
}

async function change(server: HttpFixture, as: keyof HttpTokens, what: string, input: unknown) {
  const body = JSON.stringify(input);
  return await server.send("POST", `/v1/${what}`, { as, headers: JSON_TYPE, body });
}

async function changed(server: HttpFixture, as: keyof HttpTokens, what: string, input: unknown) {
  const answer = await change(server, as, what, input);
  assert.equal(answer.status, 200, answer.text);
  return named(answer.text);
}

/** The administrator's token has another name on each kind of server. */
function named(text: string): string[] {
  return JSON.parse(text).entries.map(({ scope, key, by }: Record<string, string>) =>
    `${scope} ${key} by ${by === "boss" ? "admin" : by}`
  );
}

/** What must hold wherever the API is served. */
export const pinCases: Readonly<Record<string, HttpCase>> = {
  "pin and unpin reach the token's own scope, an administrator's every scope": async (server) => {
    await put(server, "writer", "a", "nightly");
    await put(server, "branch", "a");
    await put(server, "branch", "b");
    assert.deepEqual(await changed(server, "branch", "pin", { keys: ["a", "none"] }), [
      "pr/1 a by branch",
    ]);
    assert.deepEqual(await changed(server, "admin", "pin", { tag: "nightly" }), [
      "main a by admin",
    ]);
    const list = async (as: keyof HttpTokens) => {
      const { status, text } = await server.send("GET", "/v1/pins", { as });
      assert.equal(status, 200, text);
      return named(text).sort();
    };
    assert.deepEqual(await list("admin"), ["main a by admin", "pr/1 a by branch"]);
    assert.deepEqual(await list("writer"), ["main a by admin"]);
    assert.deepEqual(await changed(server, "branch", "unpin", { keys: ["a"] }), [
      "pr/1 a by branch",
    ]);
    assert.deepEqual(await changed(server, "branch", "unpin", { keys: ["a"] }), []);
    assert.deepEqual(await list("branch"), ["main a by admin"], "not the one of another scope");
  },
  "pin needs the verb write, and says what is wrong": async (server) => {
    assert.equal((await change(server, "reader", "pin", { keys: ["a"] })).status, 403);
    assert.equal((await change(server, "reader", "unpin", { keys: ["a"] })).status, 403);
    assert.equal((await change(server, "writer", "pin", {})).status, 400);
    assert.equal((await change(server, "writer", "pin", { keys: [] })).status, 400);
    assert.equal((await change(server, "writer", "pin", { scope: "main", tag: "x" })).status, 400);
    const many = Array.from({ length: 1001 }, (_, n) => `k${n}`);
    assert.equal((await change(server, "writer", "pin", { keys: many })).status, 400);
    const headers = { authorization: "Bearer garbage" };
    assert.equal((await server.send("GET", "/v1/pins", { headers })).status, 401);
  },
};
