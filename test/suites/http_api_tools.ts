/** Cases of the HTTP API: Gradle, Maven, Nx, and tools that GET and PUT by a key. */
import assert from "node:assert/strict";
import type { HttpCase, HttpFixture, HttpQuestion } from "./http_api.ts";
import { noise } from "./http_api_blobs.ts";

const MD5 = "fedcba9876543210".repeat(2);
const MAVEN = `/maven/v1.2/org.example/app/${"c".repeat(16)}`;
const NX = "/nx/v1/cache/9876543210123456789";
const METRO = "0123456789ab".repeat(6);
const GRADLE_TYPE = "application/vnd.gradle.build-cache-artifact.v2";

async function statusOf(server: HttpFixture, target: string, q: HttpQuestion = {}) {
  return (await server.send("GET", target, q)).status;
}

/** `Basic` with any user, the token as password. */
function basic(token: string): Record<string, string> {
  return { authorization: `Basic ${btoa(`somebody:${token}`)}` };
}

export const toolCases: Readonly<Record<string, HttpCase>> = {
  "gradle: miss, store, replace, hit; never a Content-Encoding": async (server) => {
    const body = noise(300_000);
    const headers = {
      ...basic(server.tokens.writer),
      accept: `${GRADLE_TYPE}, */*`,
      "accept-encoding": "gzip,deflate",
      "x-gradle-version": "8.14",
    };
    const put = { headers: { ...headers, "content-type": GRADLE_TYPE }, as: null };
    for (const target of [`/gradle/${MD5}`, `/some/base/${MD5}`, `/gradle/${"0".repeat(40)}`]) {
      assert.equal(await statusOf(server, target, { as: null, headers }), 404);
      assert.equal((await server.send("PUT", target, { ...put, body: "old" })).status, 201);
      assert.equal((await server.send("PUT", target, { ...put, body })).status, 200);
      const got = await server.send("GET", target, { as: null, headers });
      assert.equal(got.status, 200);
      assert.deepEqual(got.bytes, body);
      assert.equal(got.headers.get("content-encoding"), null);
      assert.equal(got.headers.get("content-length"), "300000");
      const head = await server.send("HEAD", target, { as: null, headers });
      assert.deepEqual([head.status, head.headers.get("content-length")], [200, "300000"]);
    }
    const expecting = { ...put.headers, expect: "100-continue" };
    const slow = await server.send("PUT", `/gradle/x/${MD5}`, { ...put, headers: expecting, body });
    assert.equal(slow.status, 201);
  },
  "maven: challenge, tree, overwrite, report, ranges; no DAV header": async (server) => {
    for (const method of ["GET", "HEAD", "PUT", "OPTIONS"]) {
      const stranger = await server.send(method, `${MAVEN}/buildinfo.xml`, { as: null });
      assert.equal(stranger.status, 401, method);
      assert.match(stranger.headers.get("www-authenticate") ?? "", /^Basic realm="/);
    }
    const headers = {
      ...basic(server.tokens.writer),
      "cache-control": "no-cache, no-store",
      expect: "100-continue",
    };
    const question = { as: null, headers };
    const jar = noise(400_000);
    assert.equal(await statusOf(server, `${MAVEN}/buildinfo.xml`, question), 404);
    const put = (name: string, body: Uint8Array<ArrayBuffer> | string) =>
      server.send("PUT", `${MAVEN}/${name}`, { ...question, body });
    assert.equal((await put("app.jar", jar)).status, 201);
    assert.equal((await put("buildinfo.xml", "<build/>")).status, 201);
    assert.equal((await put("buildinfo.xml", "<build final='true'/>")).status, 201);
    assert.equal(
      (await server.send("GET", `${MAVEN}/buildinfo.xml`)).text,
      "<build final='true'/>",
    );
    const report = "/maven/v1.2/org.example/app/3f2b1c0a-0000-4000-8000-000000000000";
    const stored = await server.send("PUT", `${report}/build-cache-report.xml`, { body: "<r/>" });
    assert.equal(stored.status, 201);
    assert.equal((await server.send("GET", `${report}/build-cache-report.xml`)).text, "<r/>");
    const whole = await server.send("GET", `${MAVEN}/app.jar`);
    assert.deepEqual(whole.bytes, jar);
    const head = await server.send("HEAD", `${MAVEN}/app.jar`);
    assert.deepEqual([head.status, head.headers.get("content-length")], [200, "400000"]);
    const options = await server.send("OPTIONS", `${MAVEN}/app.jar`);
    for (const answer of [whole, head, options]) assert.equal(answer.headers.get("dav"), null);
    const mkcol = await server.send("MKCOL", `${MAVEN}/app.jar`);
    assert.equal(mkcol.status, 405);
  },
  "maven: a download is resumed only where the file is the same": async (server) => {
    const body = noise(100_000);
    await server.send("PUT", `${MAVEN}/app.jar`, { body });
    const ask = (headers: Record<string, string>) =>
      server.send("GET", `${MAVEN}/app.jar`, { headers: { range: "bytes=99000-", ...headers } });
    const part = await ask({ "if-unmodified-since": new Date(Date.now() + 60_000).toUTCString() });
    assert.equal(part.status, 206);
    assert.equal(part.headers.get("content-range"), "bytes 99000-99999/100000");
    assert.deepEqual(part.bytes, body.slice(99_000));
    assert.equal((await ask({})).status, 206);
    const replaced = await ask({ "if-unmodified-since": "Thu, 01 Jan 2026 00:00:00 GMT" });
    assert.equal(replaced.status, 200);
    assert.deepEqual(replaced.bytes, body);
    assert.equal((await ask({ range: "bytes=100000-" })).status, 416);
  },
  "nx: 200 and nothing else, 409 for what is there, 403 for readers": async (server) => {
    const body = noise(200_000);
    const headers = { accept: "application/octet-stream" };
    assert.equal(await statusOf(server, NX, { headers }), 404);
    assert.equal((await server.send("PUT", NX, { body, as: "reader" })).status, 403);
    assert.equal(await statusOf(server, NX, { as: "reader" }), 404);
    assert.equal((await server.send("PUT", NX, { body })).status, 200);
    const again = await server.send("PUT", NX, { body: "other bytes" });
    assert.equal(again.status, 409);
    const got = await server.send("GET", NX, { headers, as: "reader" });
    assert.equal(got.status, 200);
    assert.deepEqual(got.bytes, body);
    assert.equal(got.headers.get("content-encoding"), null);
    assert.equal((await server.send("HEAD", NX)).headers.get("content-length"), "200000");
    assert.equal((await server.send("DELETE", NX)).status, 405);
    // A branch writes its own scope: there it is new, and the main build never sees it.
    const branch = await server.send("PUT", NX, { body: "of a branch", as: "branch" });
    assert.equal(branch.status, 200);
    assert.equal((await server.send("GET", NX, { as: "branch" })).text, "of a branch");
    assert.deepEqual((await server.send("GET", NX)).bytes, body);
  },
  "rush, please, metro, plain: chunked or not, replaced, and nothing but 200 and 404": async (
    server,
  ) => {
    const targets = [
      `/rush/rush-${"a".repeat(40)}`,
      `/please/${"b".repeat(40)}`,
      `/metro/${METRO}`,
      "/plain/any/key at all".replaceAll(" ", "%20"),
    ];
    for (const target of targets) {
      assert.equal(await statusOf(server, target), 404);
      assert.equal((await server.send("HEAD", target)).status, 404);
      const body = noise(150_000);
      const put = await server.send("PUT", target, { body, chunked: true });
      assert.equal(put.status, 201, put.text);
      assert.deepEqual((await server.send("GET", target)).bytes, body);
      assert.equal((await server.send("PUT", target, { body: "new" })).status, 200);
      const got = await server.send("GET", target);
      assert.deepEqual([got.text, got.headers.get("content-length")], ["new", "3"]);
      assert.equal(got.headers.get("content-encoding"), null);
      assert.equal((await server.send("PUT", target, { body: "" })).status, 200);
      assert.equal((await server.send("GET", target)).headers.get("content-length"), "0");
    }
  },
  "every tool works below a namespace, and never sees another": async (server) => {
    const targets = [
      `/gradle/${MD5}`,
      `/${MD5}`,
      `${MAVEN}/buildinfo.xml`,
      NX,
      "/v1/cache/1",
      "/v8/artifacts/1?slug=team-b",
      "/turborepo/base/v8/artifacts/1",
      `/rush/rush-${"a".repeat(40)}`,
      `/metro/${METRO}`,
      `/${METRO}`,
      "/please/1",
      "/plain/1",
    ];
    for (const target of targets) {
      const put = await server.send("PUT", `/ns/team-a${target}`, { as: "a", body: target });
      assert.ok(put.status < 300, `${target}: ${put.text}`);
      assert.equal((await server.send("GET", `/ns/team-a${target}`, { as: "a" })).text, target);
      assert.equal(await statusOf(server, target), 404, target);
      assert.equal(await statusOf(server, `/ns/team-b${target}`, { as: "b" }), 404, target);
      assert.equal(await statusOf(server, `/ns/team-a${target}`, { as: "b" }), 403, target);
      assert.equal(await statusOf(server, target, { as: "a" }), 403, target);
    }
  },
};
