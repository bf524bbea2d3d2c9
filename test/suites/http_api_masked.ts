/** Cases of the HTTP API: tokens that were good once, and what tools see of them. */
import assert from "node:assert/strict";
import type { HttpCase } from "./http_api.ts";

/** A place of each tool, and what an ended token gets there: GET, PUT. */
export const ENDED_TOKEN_ANSWERS: readonly (readonly [string, number, number])[] = [
  [`/ccache/${"0123456789".repeat(4)}`, 401, 401],
  [`/bazel/ac/${"a".repeat(64)}`, 401, 401],
  [`/gradle/${"a".repeat(32)}`, 401, 200],
  [`/maven/v1.2/g/a/${"a".repeat(16)}/buildinfo.xml`, 401, 401],
  ["/v8/artifacts/1", 401, 401],
  ["/nx/v1/cache/1", 404, 403],
  ["/v1/cache/1", 404, 403],
  ["/rush/1", 404, 200],
  ["/please/1", 404, 200],
  ["/metro/1", 404, 200],
  ["/plain/1", 404, 200],
  ["/v1/entries/k", 401, 401],
];

export const maskedCases: Readonly<Record<string, HttpCase>> = {
  "a token that has ended is a miss to tools that would fail, 401 to the others": async (
    server,
  ) => {
    const masked: Record<string, number> = {};
    for (const as of ["expired", "revoked"] as const) {
      for (const [target, read, write] of ENDED_TOKEN_ANSWERS) {
        for (const [method, wanted] of [["GET", read], ["HEAD", read], ["PUT", write]] as const) {
          // Also a namespace that it never had: an ended token learns nothing.
          for (const lead of ["", "/ns/team-b"]) {
            const body = method === "PUT" ? { body: "x".repeat(100_000) } : {};
            const answer = await server.send(method, lead + target, { as, ...body });
            assert.equal(answer.status, wanted, `${as} ${method} ${target}: ${answer.text}`);
            const reason = answer.headers.get("vitte-miss-reason");
            assert.equal(reason, wanted === 401 ? null : `token_${as}`);
            if (wanted === 200) assert.equal(answer.text, "");
            if (reason) masked[`token_${as}`] = (masked[`token_${as}`] ?? 0) + 1;
          }
        }
        assert.equal((await server.send("GET", target, { as: "admin" })).status, 404, "kept");
      }
    }
    const stats = JSON.parse((await server.send("GET", "/v1/stats", { as: "admin" })).text);
    assert.equal(stats.entries, 0);
    assert.equal(stats.masked_errors, (masked.token_expired ?? 0) + (masked.token_revoked ?? 0));
    assert.deepEqual(stats.masked.gradle, { token_expired: 2, token_revoked: 2 });
    assert.deepEqual(stats.masked.nx, { token_expired: 12, token_revoked: 12 });
    assert.equal(stats.masked.ccache, undefined);
  },
  "a token that nobody knows is 401 to every tool": async (server) => {
    const wrong: Record<string, string>[] = [
      { authorization: "Bearer garbage" },
      { authorization: `Bearer ${server.tokens.writer.slice(0, -1)}` },
      { authorization: `Bearer ${server.tokens.expired.slice(0, -1)}x` },
      { authorization: "Basic !!!" },
      {},
    ];
    for (const headers of wrong) {
      for (const [target] of ENDED_TOKEN_ANSWERS) {
        for (const method of ["GET", "HEAD", "PUT"]) {
          const body = method === "PUT" ? { body: "x" } : {};
          const answer = await server.send(method, target, { as: null, headers, ...body });
          assert.equal(answer.status, 401, `${method} ${target}`);
          assert.equal(answer.headers.get("vitte-miss-reason"), null);
        }
      }
    }
  },
};
