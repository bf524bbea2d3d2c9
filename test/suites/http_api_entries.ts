/** Cases of the HTTP API: entries, their records, their list. */
import assert from "node:assert/strict";
import { digestOf } from "../../core/digest.ts";
import { encodeTree } from "../../codec/tree_manifest.ts";
import { ENTRY_MEDIA_TYPE } from "../../protocol/url_space.ts";
import type { HttpCase, HttpFixture } from "./http_api.ts";
import { noise, placeOf } from "./http_api_blobs.ts";

const ONCE = { "if-none-match": "*" };

function utf8(text: string): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(text);
}

async function putLinked(
  server: HttpFixture,
  target: string,
  entry: unknown,
  headers: Record<string, string> = {},
) {
  return await server.send("PUT", target, {
    as: "a",
    body: JSON.stringify(entry),
    headers: { "content-type": ENTRY_MEDIA_TYPE, ...headers },
  });
}

export const entryCases: Readonly<Record<string, HttpCase>> = {
  "an entry comes back as it went, with who wrote it, where and when": async (server) => {
    for (const size of [0, 1, 1024, 300_000, 3_000_000]) {
      const body = noise(size, size + 9);
      const target = `/v1/entries/size/${size}`;
      const put = await server.send("PUT", target, { body, chunked: size % 2 === 0 });
      assert.equal(put.status, 201, put.text);
      assert.equal(JSON.parse(put.text).entry.blobs[0].digest, digestOf(body));
      const got = await server.send("GET", target);
      assert.deepEqual(got.bytes, body);
      assert.equal(got.headers.get("etag"), `"${digestOf(body)}"`);
      assert.equal(got.headers.get("content-length"), `${size}`);
      assert.equal(got.headers.get("content-type"), "application/octet-stream");
      assert.equal(got.headers.get("vitte-writer"), "writer");
      assert.equal(got.headers.get("vitte-scope"), "main");
      assert.match(got.headers.get("vitte-created") ?? "", /^\d{13}$/);
      const head = await server.send("HEAD", target);
      assert.equal(head.headers.get("content-length"), `${size}`);
      assert.equal(head.headers.get("etag"), got.headers.get("etag"));
    }
  },
  "a second PUT replaces and tells so; If-None-Match: * is 412": async (server) => {
    const put = (body: string, headers = {}) =>
      server.send("PUT", "/v1/entries/k", { body, headers });
    assert.equal((await put("1", ONCE)).status, 201);
    assert.equal((await put("2", ONCE)).status, 412);
    assert.equal((await server.send("GET", "/v1/entries/k")).text, "1");
    const second = await put("2");
    assert.equal(second.status, 200);
    assert.equal(JSON.parse(second.text).replaced, digestOf(utf8("1")));
    assert.equal((await server.send("GET", "/v1/entries/k")).text, "2");
    assert.equal((await put("3", { "if-match": '"x"' })).status, 400);
    assert.equal((await put("3", { "if-none-match": '"x"' })).status, 400);
  },
  "tags and cost come by header and show in the record": async (server) => {
    const headers = { "vitte-tags": "release, a%2Cb ,, release", "vitte-cost": "1500" };
    await server.send("PUT", "/v1/entries/k", { body: "v", headers });
    const info = JSON.parse((await server.send("GET", "/v1/info/k")).text);
    assert.deepEqual(info.tags, ["release", "a,b"]);
    assert.equal(info.cost, 1500);
    assert.equal(info.protocol, "kv");
    assert.equal(info.scope, "main");
    assert.match(info.stamp.hlc, /^\d+$/);
    const bad = [
      { "vitte-cost": "-1" },
      { "vitte-cost": "1e3" },
      { "vitte-cost": "x" },
      { "vitte-tags": "%" },
      { "vitte-tags": "t".repeat(257) },
      { "vitte-tags": Array.from({ length: 65 }, (_, n) => `t${n}`).join(",") },
    ];
    for (const wrong of bad) {
      const put = await server.send("PUT", "/v1/entries/bad", { body: "v", headers: wrong });
      assert.equal(put.status, 400, JSON.stringify(wrong).slice(0, 60));
    }
    assert.equal((await server.send("GET", "/v1/entries/bad")).status, 404);
  },
  "an entry may name blobs that are here, and no others": async (server) => {
    const [body, more] = [utf8("the body"), utf8("one more")];
    for (const blob of [body, more]) {
      await server.send("PUT", `/ns/team-a${placeOf(blob)}`, { as: "a", body: blob });
    }
    const refs = [body, more].map((blob) => ({ digest: digestOf(blob), size: blob.length }));
    const target = "/ns/team-a/v1/entries/named";
    const entry = { blobs: refs, tags: ["x"], inputs: { source: digestOf(more) }, cost: 3 };
    assert.equal((await putLinked(server, target, entry)).status, 201);
    assert.equal((await server.send("GET", target, { as: "a" })).text, "the body");
    const info = JSON.parse(
      (await server.send("GET", "/ns/team-a/v1/info/named", { as: "a" })).text,
    );
    assert.deepEqual(info.blobs, refs);
    assert.deepEqual(info.inputs, { source: digestOf(more) });
    assert.equal((await putLinked(server, target, { ...entry, immutable: true })).status, 409);
    assert.equal((await putLinked(server, target, entry, ONCE)).status, 412);

    const foreign = utf8("of team b");
    await server.send("PUT", `/ns/team-b${placeOf(foreign)}`, { as: "b", body: foreign });
    const unknown = utf8("of nobody");
    for (const blob of [foreign, unknown]) {
      const ref = { digest: digestOf(blob), size: blob.length };
      const answer = await putLinked(server, "/ns/team-a/v1/entries/stolen", { blobs: [ref] });
      assert.equal(answer.status, 412);
    }
    const wrong = [
      {},
      { blobs: [] },
      { blobs: [{ digest: "x", size: 1 }] },
      { blobs: [{ digest: digestOf(body), size: -1 }] },
      { blobs: [{ digest: digestOf(body), size: 1.5 }] },
      { blobs: refs, writer: "somebody" },
      { blobs: refs, scope: "main" },
      { blobs: refs, content: "action-result" },
      { blobs: refs, tags: [""] },
    ];
    for (const one of wrong) {
      const answer = await putLinked(server, "/ns/team-a/v1/entries/wrong", one);
      assert.equal(answer.status, 400, JSON.stringify(one));
    }
  },
  "the protocol in the query keeps kinds of entries apart": async (server) => {
    const body = encodeTree([]);
    await server.send("PUT", `/ns/team-a${placeOf(body)}`, { as: "a", body });
    const blobs = [{ digest: digestOf(body), size: body.length }];
    const target = "/ns/team-a/v1/entries/k?protocol=tree";
    assert.equal((await putLinked(server, target, { blobs, content: "tree" })).status, 201);
    assert.equal((await server.send("GET", "/ns/team-a/v1/entries/k", { as: "a" })).status, 404);
    const info = await server.send("GET", "/ns/team-a/v1/info/k?protocol=tree", { as: "a" });
    assert.equal(JSON.parse(info.text).content, "tree");
    assert.equal((await server.send("DELETE", "/ns/team-a/v1/entries/k", { as: "a" })).status, 404);
    assert.equal((await server.send("DELETE", target, { as: "a" })).status, 204);
    for (const name of ["", "a/b", "%00", "x".repeat(33), "kv&protocol=kv"]) {
      const bad = await server.send("GET", `/v1/info/k?protocol=${name}`);
      assert.equal(bad.status, 400, name);
    }
  },
  "the list has pages, a prefix and no other namespace": async (server) => {
    for (const key of ["a/1", "a/2", "a/3", "b/1", "%c3%a9"]) {
      await server.send("PUT", `/v1/entries/${key}`, { body: key });
    }
    await server.send("PUT", "/ns/team-a/v1/entries/a/x", { as: "a", body: "x" });
    const keys: string[] = [];
    let target: string | undefined = "/v1/entries?limit=2";
    for (let pages = 0; target !== undefined; pages++) {
      assert.ok(pages < 5);
      const page = JSON.parse((await server.send("GET", target)).text);
      keys.push(...page.entries.map((entry: { key: string }) => entry.key));
      target = page.next === null ? undefined : `/v1/entries?limit=2&after=${page.next}`;
    }
    assert.deepEqual(keys, ["a/1", "a/2", "a/3", "b/1", "é"]);
    const some = JSON.parse((await server.send("GET", "/v1/entries?prefix=a%2F")).text);
    assert.equal(some.entries.length, 3);
    assert.equal(some.next, null);
    for (
      const query of [
        "limit=0",
        "limit=x",
        "limit=1001",
        "after=x",
        "after=e30",
        "after=%",
        "limit=1&limit=2",
      ]
    ) {
      assert.equal((await server.send("GET", `/v1/entries?${query}`)).status, 400, query);
    }
  },
  "a scope is written under the token's name only; others are read in order": async (server) => {
    const put = (as: "writer" | "branch", body: string) =>
      server.send("PUT", "/v1/entries/k", { as, body });
    const get = async (as: "writer" | "branch") =>
      (await server.send("GET", "/v1/entries/k", { as })).text;
    await put("writer", "main");
    assert.equal(await get("branch"), "main");
    await put("branch", "branch");
    assert.equal(await get("branch"), "branch");
    assert.equal(await get("writer"), "main");
    assert.equal((await server.send("DELETE", "/v1/entries/k", { as: "branch" })).status, 204);
    assert.equal(await get("branch"), "main");
    assert.equal((await server.send("DELETE", "/v1/entries/k", { as: "branch" })).status, 404);
    assert.equal(await get("writer"), "main");
  },
  "a range of an entry is a range of its body": async (server) => {
    await server.send("PUT", "/v1/entries/k", { body: "0123456789" });
    const headers = { range: "bytes=2-4" };
    const part = await server.send("GET", "/v1/entries/k", { headers });
    assert.deepEqual([part.status, part.text], [206, "234"]);
    assert.equal(part.headers.get("vitte-writer"), "writer");
    const past = await server.send("GET", "/v1/entries/k", { headers: { range: "bytes=10-" } });
    assert.deepEqual([past.status, past.headers.get("content-range")], [416, "bytes */10"]);
  },
};
