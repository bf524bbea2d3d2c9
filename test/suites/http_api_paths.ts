/** Cases of the HTTP API: the URL space and hostile paths. */
import assert from "node:assert/strict";
import type { HttpCase } from "./http_api.ts";

const HEX = "a".repeat(64);
const CCACHE_OLD = "ab1" + "v".repeat(30);
const CCACHE_NEW = "0123456789".repeat(4);
const MD5 = "0123456789abcdef".repeat(2);
const SHA1 = "0123456789".repeat(4);
const METRO = "0123456789ab".repeat(6);
const MAVEN = `v1.2/org.example/app/${"f".repeat(16)}/buildinfo.xml`;
const CCACHE_BAZEL = CCACHE_NEW + CCACHE_NEW.slice(0, 24);

/** Targets that could be read in two ways: 400 with a token, 401 without one, nothing stored. */
export const HOSTILE_TARGETS: readonly string[] = [
  "/v1/entries/../../etc/passwd",
  "/v1/entries/..",
  "/v1/entries/.",
  "/v1/entries/a/../b",
  "/v1/entries/a/./b",
  "/v1/entries/a/..",
  "/v1/entries/a//b",
  "/v1/entries//a",
  "/v1/entries/a/",
  "/v1//entries/a",
  "//v1/entries/a",
  "///v1/entries/a",
  "/v1/entries/",
  "/v1/entries/%2e",
  "/v1/entries/%2e%2e/x",
  "/v1/entries/%2E%2E/x",
  "/v1/entries/.%2e/x",
  "/v1/entries/a%2eb",
  "/v1/entries/a%2fb",
  "/v1/entries/a%2Fb",
  "/v1/entries/%2f",
  "/v1/entries/a%5cb",
  "/v1/entries/a%5Cb",
  "/v1/entries/a\\b",
  "/v1\\entries\\a",
  "/v1/entries/..\\..\\x",
  "/v1/entries/%00",
  "/v1/entries/a%00b",
  "/v1/entries/a%00",
  "/v1/entries/%01",
  "/v1/entries/%09",
  "/v1/entries/%0a",
  "/v1/entries/%0d%0aSet-Cookie:x",
  "/v1/entries/%1b[31m",
  "/v1/entries/%7f",
  "/v1/entries/%c2%80",
  "/v1/entries/%c2%9f",
  "/v1/entries/%",
  "/v1/entries/a%",
  "/v1/entries/%2",
  "/v1/entries/%zz",
  "/v1/entries/%%41",
  "/v1/entries/%u0041",
  "/v1/entries/%c0%ae",
  "/v1/entries/%c0%ae%c0%ae/x",
  "/v1/entries/%c0%af",
  "/v1/entries/%e0%80%af",
  "/v1/entries/%ff",
  "/v1/entries/%fe%ff",
  "/v1/entries/%c3",
  "/v1/entries/%c3%28",
  "/v1/entries/%80",
  "/v1/entries/%ed%a0%80",
  "/v1/entries/%f4%90%80%80",
  "/v1/entries/e%cc%81",
  "/v1/entries/%e2%84%ab",
  "/v1/entries/%ef%ac%80%cc%81".replace("%ef%ac%80", "a"),
  "/v1/entries/%e1%84%80%e1%85%a1",
  `/v1/entries/${"k".repeat(1025)}`,
  `/v1/entries/${"%c3%a9".repeat(513)}`,
  `/v1/entries/${"k/".repeat(600)}k`,
  `/v1/entries/${"k".repeat(9000)}`,
  "/ns/../v1/entries/a",
  "/ns/A/v1/entries/a",
  "/ns//v1/entries/a",
  "/ns/%2e%2e/v1/entries/a",
  "/ns/a%2fb/v1/entries/a",
  "/ns/-a/v1/entries/a",
  "/ns/_/v1/entries/a",
  "/ns/a b/v1/entries/a".replace(" ", "%20"),
  "/ns/a*/v1/entries/a",
  "/ns",
  "/ns/",
  `/ns/${"n".repeat(65)}/v1/entries/a`,
  `/bazel/../cas/${HEX}`,
  `/bazel//cas/${HEX}`,
  `//cas/${HEX}`,
  `/x/../ac/${HEX}`,
  `/x%2fac/${HEX}`,
  `/%2e%2e/ac/${HEX}`,
  `/ccache/../${CCACHE_NEW}`,
  `//${CCACHE_NEW}`,
  `//ab//${"c".repeat(31)}`,
  `/x//y//ab/${"c".repeat(31)}`,
];

/** Where a path leads: the tool and what it makes of it; nothing for a 404. */
const PLACES: readonly (readonly [target: string, body: string, same: string])[] = [
  // Each pair of targets must be the same place.
  ["/v1/entries/k", "v", "/v1/entries/%6b"],
  ["/v1/entries/a/b/c", "v", "/ns/default/v1/entries/a/b/c"],
  ["/v1/entries/%c3%a9", "v", "/v1/entries/%C3%A9"],
  ["/v1/entries/a%25b", "v", "/v1/entries/a%25%62"],
  ["/v1/entries/a%252e%252e", "v", "/v1/entries/a%252e%252e?protocol=kv"],
  [`/${CCACHE_OLD}`, "c", `/ccache/${CCACHE_OLD}`],
  [`/${CCACHE_OLD}`, "c", `/${CCACHE_OLD.slice(0, 2)}/${CCACHE_OLD.slice(2)}`],
  [`//${CCACHE_OLD.slice(0, 2)}/${CCACHE_OLD.slice(2)}`, "c", `/ccache/${CCACHE_OLD}`],
  [`/ccache//${CCACHE_OLD.slice(0, 2)}/${CCACHE_OLD.slice(2)}`, "c", `/${CCACHE_OLD}`],
  [`/${CCACHE_NEW}`, "c", `/${CCACHE_NEW.slice(0, 2)}/${CCACHE_NEW.slice(2)}`],
  [`/ac/${CCACHE_BAZEL}`, "c", `/ccache/ac/${CCACHE_BAZEL}`],
  [`/ac/${CCACHE_BAZEL}`, "c", `/ccache/${CCACHE_NEW}`],
  [`/base/path/${CCACHE_NEW}`, "c", `/ccache/base/path/${CCACHE_NEW}`],
  [`/base/ac/${CCACHE_BAZEL}`, "c", `/base/${CCACHE_NEW}`],
  [`/${MD5}`, "g", `/gradle/${MD5}`],
  [`/ab/${MD5}`, "g", `/gradle/ab/${MD5}`],
  [`/gradle/q/${MD5}?x=y`, "g", `/ns/default/gradle/q/${MD5}`],
  [`/${METRO}`, "m", `/metro/${METRO}`],
  [`/base/${METRO}`, "m", `/metro/base/${METRO}`],
  [`/rush-${SHA1}`, "r", `/rush/rush-${SHA1}`],
  [`/base/@org+app-_phase_build-${SHA1}`, "r", `/rush/base/@org+app-_phase_build-${SHA1}`],
  // What could be several tools' at the root is the one's that was there first.
  [`/${SHA1}`, "c", `/ccache/${SHA1}`],
];

/** As `PLACES`, for tools whose keys can not be deleted or are not answered with 201. */
const TOOL_PLACES: readonly (readonly [target: string, same: string])[] = [
  ["/v1/cache/12345678901234567890", "/nx/v1/cache/12345678901234567890"],
  ["/base/path/v1/cache/1", "/nx/base/path/v1/cache/1"],
  [`/${MAVEN}`, `/maven/${MAVEN}`],
  [`/base/${MAVEN}`, `/maven/base/${MAVEN}`],
  ["/v8/artifacts/0123456789abcdef", "/turborepo/v8/artifacts/0123456789abcdef"],
  ["/base/v8/artifacts/1?slug=t", "/turborepo/base/v8/artifacts/1?slug=t"],
  ["/v8/artifacts/2?teamId=team_1&slug=x", "/v8/artifacts/2?teamId=team_1"],
  ["/v8/artifacts/3?team=t", "/v8/artifacts/3?slug=t"],
  ["/v8/artifacts/4?teamId=", "/v8/artifacts/4?slug="],
  // A hash that looks like somebody else's key is still Turborepo's and Nx's.
  [`/x/v8/artifacts/${SHA1}`, `/turborepo/x/v8/artifacts/${SHA1}`],
  [`/x/v1/cache/${MD5}`, `/nx/x/v1/cache/${MD5}`],
];

const APART: readonly (readonly [string, string])[] = [
  ["/v1/entries/a", "/v1/entries/A"],
  ["/v1/entries/a", "/ns/team-a/v1/entries/a"],
  ["/v1/entries/a%25b", "/v1/entries/a%2525b"],
  [`/one/${CCACHE_NEW}`, `/two/${CCACHE_NEW}`],
  [`/ccache/${CCACHE_NEW}`, `/ccache/x/${CCACHE_NEW}`],
  [`/${SHA1}`, `/please/${SHA1}`],
  [`/please/${SHA1}`, `/plain/${SHA1}`],
  [`/rush/${METRO}`, `/${METRO}`],
  [`/gradle/one/${MD5}`, `/plain/one/${MD5}`],
  [`/gradle/x/${MD5}`, `/${MD5}`],
  ["/plain/a", "/plain/A"],
];

/** Pairs of tools without DELETE, or whose writes are not answered with 201. */
const TOOLS_APART: readonly (readonly [string, string])[] = [
  ["/v8/artifacts/1?teamId=a", "/v8/artifacts/1"],
  ["/v8/artifacts/1?teamId=a", "/v8/artifacts/1?slug=b"],
  ["/v8/artifacts/2?teamId=a", "/a/v8/artifacts/2"],
  ["/v8/artifacts/3", "/x/v8/artifacts/3"],
  ["/v1/cache/1", "/x/v1/cache/1"],
  ["/v1/cache/2", "/v8/artifacts/2?slug=x"],
];

const NOWHERE: readonly string[] = [
  "/",
  "/v1",
  "/v2/entries/a",
  "/v1/cache",
  "/v1/cache/12.3",
  "/v1/cache/a/b",
  "/v1/cache/x/v1/cache/1",
  "/nx/123",
  "/nx/cache/123",
  "/nx/v2/cache/123",
  "/v1/entry/a",
  "/v1/blobs",
  "/v1/info",
  "/v1/tokens/a/b",
  "/v1/stats/x",
  "/healthz/x",
  "/metrics/x",
  "/status/x",
  "/bazel",
  "/bazel/ac/xyz",
  `/bazel/ac/${HEX.toUpperCase()}`,
  `/bazel/ac/${HEX}0`,
  `/bazel/cas/${HEX}/x`,
  `/bazel/${CCACHE_NEW}`,
  `/ccache/cas/${HEX}`,
  `/ac/${"a".repeat(63)}`,
  `/cas/${"a".repeat(40)}`,
  `/gradle/${"a".repeat(15)}`,
  `/gradle/${"A".repeat(32)}`,
  `/gradle/${MD5}/x`,
  "/gradle",
  `/ac/${MD5}`,
  `/cas/${MD5}`,
  `/bazel/${MD5}`,
  `/ccache/${MD5}`,
  `/${"a".repeat(31)}`,
  `/${"a".repeat(71)}`,
  `/rush-${"a".repeat(39)}`,
  `/${"A".repeat(32)}`,
  "/maven/v1.2/org.example/app/abc",
  "/maven/1.2/org.example/app/abc/buildinfo.xml",
  "/v1/org.example/app/abc/buildinfo.xml",
  "/x1.2/org.example/app/abc/buildinfo.xml",
  "/rush",
  "/plain",
  "/metro",
  "/please",
  "/turborepo/artifacts/1",
  "/turborepo/v8/artifacts/a.b",
  "/turborepo/v8/artifacts/a/b",
  "/v8/x/v8/artifacts/1",
  "/v9/artifacts/1",
  `/${"A".repeat(40)}`,
  `/${"z".repeat(40)}`,
  "/v8/artifact/1",
  "/ns/a",
];

export const pathCases: Readonly<Record<string, HttpCase>> = {
  "hostile paths are 400 with a token and 401 without, and store nothing": async (server, t) => {
    for (const target of HOSTILE_TARGETS) {
      await t.step(target.slice(0, 60), async () => {
        for (const method of ["PUT", "GET"]) {
          const body = method === "PUT" ? { body: "x" } : {};
          const answer = await server.send(method, target, { as: "admin", ...body });
          assert.equal(answer.status, 400, answer.text);
          assert.equal(JSON.parse(answer.text).kind, "invalid_argument");
        }
        assert.equal((await server.send("GET", target, { as: null })).status, 401);
      });
    }
    const stats = JSON.parse((await server.send("GET", "/v1/stats", { as: "admin" })).text);
    assert.equal(stats.entries, 0);
  },
  "two spellings of one place are one place": async (server, t) => {
    for (const [one, body, other] of PLACES) {
      await t.step(`${one.slice(0, 30)} = ${other.slice(0, 40)}`, async () => {
        await server.send("DELETE", other, { as: "admin" });
        assert.equal((await server.send("GET", one, { as: "admin" })).status, 404);
        const put = await server.send("PUT", one, { as: "admin", body });
        assert.equal(put.status, 201, put.text);
        assert.equal((await server.send("GET", other, { as: "admin" })).text, body);
      });
    }
  },
  "every shape of a tool leads to the same place as its name": async (server, t) => {
    for (const [one, other] of TOOL_PLACES) {
      await t.step(`${one.slice(0, 30)} = ${other.slice(0, 40)}`, async () => {
        assert.equal((await server.send("GET", one)).status, 404);
        const put = await server.send("PUT", one, { body: one });
        assert.ok([200, 201, 202].includes(put.status), put.text);
        assert.equal((await server.send("GET", other)).text, one);
      });
    }
  },
  "places of tools that only look alike are apart": async (server, t) => {
    for (const [one, other] of TOOLS_APART) {
      await t.step(`${one.slice(0, 30)} and ${other.slice(0, 30)}`, async () => {
        const put = await server.send("PUT", one, { body: "1" });
        assert.ok([200, 202].includes(put.status), put.text);
        assert.equal((await server.send("GET", other)).status, 404);
      });
    }
  },
  "places that only look alike are apart": async (server, t) => {
    for (const [one, other] of APART) {
      await t.step(`${one.slice(0, 30)} and ${other.slice(0, 30)}`, async () => {
        assert.equal((await server.send("PUT", one, { as: "admin", body: "1" })).status, 201);
        assert.equal((await server.send("GET", other, { as: "admin" })).status, 404);
        await server.send("DELETE", one, { as: "admin" });
      });
    }
  },
  "paths that are nothing are 404 for every method": async (server) => {
    for (const target of NOWHERE) {
      for (const method of ["GET", "HEAD", "PUT", "DELETE", "POST", "OPTIONS"]) {
        const answer = await server.send(method, target, { as: "admin" });
        assert.equal(answer.status, 404, `${method} ${target}: ${answer.text}`);
      }
    }
  },
  "a method that a place does not know is 405 and names those that it does": async (server) => {
    const cases: [string, string, string][] = [
      ["PATCH", "/v1/entries/k", "GET, HEAD, PUT, DELETE, OPTIONS"],
      ["FROB", "/v1/entries/k", "GET, HEAD, PUT, DELETE, OPTIONS"],
      ["POST", `/v1/blobs/${HEX}`, "GET, HEAD, PUT, DELETE, OPTIONS"],
      ["GET", "/v1/blobs/missing", "POST, OPTIONS"],
      ["PUT", "/v1/stats", "GET, HEAD, OPTIONS"],
      ["DELETE", `/bazel/cas/${HEX}`, "GET, HEAD, PUT, OPTIONS"],
      ["POST", `/${CCACHE_NEW}`, "GET, HEAD, PUT, DELETE, OPTIONS"],
    ];
    for (const [method, target, allow] of cases) {
      const answer = await server.send(method, target, { as: "admin" });
      assert.equal(answer.status, 405, `${method} ${target}`);
      assert.equal(answer.headers.get("allow"), allow);
      assert.equal(answer.headers.get("content-type"), "application/problem+json");
    }
    const options = await server.send("OPTIONS", "/v1/entries/k", { as: "admin" });
    assert.equal(options.status, 204);
    assert.match(options.headers.get("allow") ?? "", /PUT/);
  },
};
