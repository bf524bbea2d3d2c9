/** Cases of the HTTP API: Turborepo. */
import assert from "node:assert/strict";
import type { HttpCase, HttpFixture } from "./http_api.ts";
import { noise } from "./http_api_blobs.ts";

const JSON_TYPE = { "content-type": "application/json" };
const ARTIFACT = {
  "content-type": "application/octet-stream",
  "x-artifact-duration": "1234",
  "x-artifact-tag": "Jl5kjSeg3TvNz4WPgtUu5NKqnAczwAX7fKC/p0r+l/I=",
  "x-artifact-sha": "a".repeat(40),
  "x-artifact-dirty-hash": "b".repeat(40),
  "x-artifact-client-ci": "GITHUB_ACTIONS",
};
const BASES = ["", "/turborepo", "/some/prefix", "/turborepo/some/prefix", "/ns/default"];

function post(server: HttpFixture, target: string, body: unknown) {
  const text = typeof body === "string" ? body : JSON.stringify(body);
  return server.send("POST", target, { headers: JSON_TYPE, body: text });
}

export const turborepoCases: Readonly<Record<string, HttpCase>> = {
  "turborepo: status, artifact, events below every base": async (server) => {
    for (const [n, base] of BASES.entries()) {
      const query = ["", "?teamId=team_1", "?slug=my-team", "?teamId=team_1&slug=t", "?team=x"][n];
      const status = await server.send("GET", `${base}/v8/artifacts/status${query}`);
      assert.deepEqual([status.status, status.text], [200, '{"status":"enabled"}'], base);
      const target = `${base}/v8/artifacts/0123456789abcde${n}${query}`;
      assert.equal((await server.send("GET", target)).status, 404);
      assert.equal((await server.send("HEAD", target)).status, 404);
      const body = noise(10_000 + n);
      const put = await server.send("PUT", target, { headers: ARTIFACT, body });
      assert.equal(put.status, 202, put.text);
      assert.equal(JSON.parse(put.text).urls.length, 1);
      const got = await server.send("GET", target, { as: "reader" });
      assert.equal(got.status, 200);
      assert.deepEqual(got.bytes, body);
      assert.equal(got.headers.get("content-encoding"), null);
      const events = [
        { sessionId: "1", source: "REMOTE", event: "HIT", hash: "0", duration: 5, later: [] },
        { sessionId: "1", source: "LOCAL", event: "MISS", hash: "1" },
      ];
      const told = await post(server, `${base}/v8/artifacts/events${query}`, events);
      assert.equal(told.status, 200, told.text);
    }
  },
  "turborepo: headers come back word for word, on GET and HEAD, and go with their body": async (
    server,
  ) => {
    const target = "/v8/artifacts/00000000000000aa";
    const echoed = [
      "x-artifact-duration",
      "x-artifact-tag",
      "x-artifact-sha",
      "x-artifact-dirty-hash",
    ];
    await server.send("PUT", target, { headers: ARTIFACT, body: "signed" });
    for (const method of ["GET", "HEAD"]) {
      const { headers } = await server.send(method, target);
      for (const name of echoed) {
        assert.equal(headers.get(name), new Headers(ARTIFACT).get(name), `${method} ${name}`);
      }
      assert.equal(headers.get("content-length"), "6");
      assert.equal(headers.get("x-artifact-client-ci"), null);
    }
    const key = "00000000000000aa";
    const info = await server.send("GET", `/v1/info/${key}?protocol=turborepo`);
    assert.equal(JSON.parse(info.text).cost, 1234);
    assert.equal((await server.send("PUT", target, { body: "bare" })).status, 202);
    const bare = await server.send("GET", target);
    assert.equal(bare.text, "bare");
    for (const name of echoed) assert.equal(bare.headers.get(name), null, name);
  },
  "turborepo: a header that can not come back is 400, and nothing is stored": async (server) => {
    const bad = [
      { "x-artifact-duration": "soon" },
      { "x-artifact-duration": "-1" },
      { "x-artifact-duration": "1.5" },
      { "x-artifact-tag": "t".repeat(1025) },
      { "x-artifact-sha": "\xe9" },
    ];
    for (const headers of bad) {
      const put = await server.send("PUT", "/v8/artifacts/1", { headers, body: "x" });
      assert.equal(put.status, 400, JSON.stringify(headers).slice(0, 60));
      assert.equal((await server.send("GET", "/v8/artifacts/1")).status, 404);
    }
    for (const query of ["?teamId=a&teamId=b", "?slug=%", "?slug=%ff"]) {
      for (const method of ["GET", "PUT"]) {
        const body = method === "PUT" ? { body: "x" } : {};
        const answer = await server.send(method, `/v8/artifacts/1${query}`, body);
        assert.equal(answer.status, 400, query);
        const stranger = await server.send(method, `/v8/artifacts/1${query}`, { as: null });
        assert.equal(stranger.status, 401, query);
      }
    }
    const odd = "/v8/artifacts/1?slug=..%2F..%2Fa%0Ab%00%C3%A9";
    assert.equal((await server.send("PUT", odd, { body: "odd team" })).status, 202);
    assert.equal((await server.send("GET", odd)).text, "odd team");
    const long = `/v8/artifacts/1?slug=${"s".repeat(2000)}`;
    assert.equal((await server.send("PUT", long, { body: "x" })).status, 400);
  },
  "turborepo: many hashes at a time, each with its facts or null": async (server) => {
    const team = "?teamId=team_1";
    await server.send("PUT", `/v8/artifacts/aa${team}`, { headers: ARTIFACT, body: "1234567" });
    await server.send("PUT", `/v8/artifacts/bb${team}`, { body: "x" });
    await server.send("PUT", "/v8/artifacts/cc", { body: "of nobody" });
    const hashes = ["aa", "bb", "cc", "aa", "__proto__"];
    const answer = await post(server, `/v8/artifacts${team}`, { hashes });
    assert.equal(answer.status, 200, answer.text);
    assert.deepEqual(JSON.parse(answer.text), {
      aa: {
        size: 7,
        taskDurationMs: 1234,
        tag: ARTIFACT["x-artifact-tag"],
        sha: ARTIFACT["x-artifact-sha"],
        dirtyHash: ARTIFACT["x-artifact-dirty-hash"],
      },
      bb: { size: 1, taskDurationMs: 0 },
      cc: null,
      ["__proto__"]: null,
    });
    for (const body of ["", "{", "[]", '{"hashes":1}', '{"hashes":["a/b"]}']) {
      assert.equal((await post(server, "/v8/artifacts", body)).status, 400, body);
    }
    for (const body of ["", "{", "{}", "[1]", '[{"hash":1}]']) {
      assert.equal((await post(server, "/v8/artifacts/events", body)).status, 400, body);
    }
    assert.equal((await post(server, "/v8/artifacts/events", "[]")).status, 200);
    assert.equal((await server.send("GET", "/v8/artifacts")).status, 405);
  },
  "turborepo: a preflight allows the token and every header; a refusal is JSON": async (server) => {
    const preflight = await server.send("OPTIONS", "/v8/artifacts/1?slug=t", {
      as: null,
      headers: {
        "access-control-request-method": "PUT",
        "access-control-request-headers": "Authorization, User-Agent, x-artifact-duration",
      },
    });
    assert.equal(preflight.status, 204);
    const allowed = (preflight.headers.get("access-control-allow-headers") ?? "").toLowerCase();
    for (const name of ["authorization", "user-agent", ...Object.keys(ARTIFACT)]) {
      assert.ok(allowed.split(", ").includes(name), name);
    }
    assert.equal(preflight.headers.get("location"), null);
    const put = await server.send("PUT", "/v8/artifacts/1", { as: "reader", body: "x" });
    assert.equal(put.status, 403);
    const { error } = JSON.parse(put.text);
    assert.equal(error.code, "permission_denied");
    assert.match(error.message, /may only "read"/);
    assert.equal(
      typeof JSON.parse((await server.send("GET", "/v8/artifacts/1")).text).error.code,
      "string",
    );
  },
};
