/** Cases of the HTTP API: many blobs in one request, trees, and the newest entries. */
import assert from "node:assert/strict";
import { digestOf } from "../../core/digest.ts";
import type { Digest } from "../../core/digest.ts";
import { hasBit, packDigests } from "../../core/digest_list.ts";
import {
  MAX_BATCH_BLOBS,
  MAX_BATCH_BYTES,
  MAX_BATCH_DIGESTS,
  MAX_CHUNK_BYTES,
} from "../../core/limits.ts";
import { encodeTree } from "../../codec/tree_manifest.ts";
import {
  BLOBS_MEDIA_TYPE,
  decodeBlobs,
  DIGESTS_MEDIA_TYPE,
  encodeBlobs,
} from "../../protocol/blob_batch.ts";
import { ENTRY_MEDIA_TYPE } from "../../protocol/url_space.ts";
import { HOSTILE_TREES, rawTree, treeFile } from "../helpers/raw_tree.ts";
import type { HttpAnswer, HttpCase, HttpFixture, HttpQuestion } from "./http_api.ts";
import { noise, placeOf } from "./http_api_blobs.ts";

const JSON_TYPE = { "content-type": "application/json" };
const DIGESTS_TYPE = { "content-type": DIGESTS_MEDIA_TYPE };
const BATCH_TYPE = { "content-type": BLOBS_MEDIA_TYPE };
const ENTRY_TYPE = { "content-type": ENTRY_MEDIA_TYPE };

function small(bytes: Uint8Array<ArrayBuffer>): { digest: Digest; bytes: Uint8Array<ArrayBuffer> } {
  return { digest: digestOf(bytes), bytes };
}

function utf8(text: string): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(text);
}

async function post(
  server: HttpFixture,
  body: Uint8Array<ArrayBuffer>,
  more: HttpQuestion = {},
): Promise<HttpAnswer> {
  return await server.send("POST", "/v1/blobs/batch", { headers: BATCH_TYPE, body, ...more });
}

async function read(
  server: HttpFixture,
  blobs: readonly { readonly digest: string; readonly size: number }[],
  more: HttpQuestion = {},
): Promise<HttpAnswer> {
  const body = JSON.stringify({ blobs });
  return await server.send("POST", "/v1/blobs/read", { headers: JSON_TYPE, body, ...more });
}

const refOf = (bytes: Uint8Array) => ({ digest: digestOf(bytes), size: bytes.length });

async function putTree(
  server: HttpFixture,
  key: string,
  manifest: Uint8Array<ArrayBuffer>,
  query = "?protocol=tree&blobs=first",
): Promise<HttpAnswer> {
  await server.send("PUT", placeOf(manifest), { body: manifest });
  const body = JSON.stringify({ blobs: [refOf(manifest)], content: "tree" });
  return await server.send("PUT", `/v1/entries/${key}${query}`, { headers: ENTRY_TYPE, body });
}

export const batchCases: Readonly<Record<string, HttpCase>> = {
  "digests as bytes are answered by a bit for each": async (server) => {
    const ask = (body: Uint8Array<ArrayBuffer>, more: HttpQuestion = {}) =>
      server.send("POST", "/v1/blobs/missing", { headers: DIGESTS_TYPE, body, ...more });
    const here = [noise(5, 11), noise(MAX_CHUNK_BYTES + 1, 12), noise(0)];
    for (const body of here) await server.send("PUT", placeOf(body), { body });
    const digests = Array.from({ length: 21 }, (_, n) => digestOf(utf8(`never stored ${n}`)));
    const places = [0, 9, 20];
    places.forEach((at, n) => digests[at] = digestOf(here[n]!));
    const answer = await ask(packDigests(digests));
    assert.deepEqual(
      [answer.status, answer.headers.get("content-type"), answer.bytes.length],
      [200, DIGESTS_MEDIA_TYPE, 3],
    );
    const missing = digests.filter((_, n) => hasBit(answer.bytes, n));
    assert.deepEqual(missing, digests.filter((_, n) => !places.includes(n)));
    const json = await server.send("POST", "/v1/blobs/missing", {
      headers: JSON_TYPE,
      body: JSON.stringify({ digests }),
    });
    assert.deepEqual(JSON.parse(json.text), { missing }, "the two forms say the same");
    assert.equal((await ask(new Uint8Array(0))).bytes.length, 0);
    assert.equal((await ask(new Uint8Array(33))).status, 400);
    assert.equal((await ask(new Uint8Array((MAX_BATCH_DIGESTS + 1) * 32))).status, 413);
    assert.equal((await ask(packDigests(digests), { as: null })).status, 401);
  },
  "a batch of blobs comes back as it went, each also by itself": async (server) => {
    const bodies = [noise(1), noise(1000, 2), noise(MAX_CHUNK_BYTES, 3), noise(0), noise(1000, 2)];
    for (const chunked of [false, true]) {
      const put = await post(server, encodeBlobs(bodies.map(small)), { chunked });
      assert.deepEqual([put.status, JSON.parse(put.text)], [200, { blobs: 5 }]);
    }
    for (const body of bodies) {
      assert.deepEqual((await server.send("GET", placeOf(body))).bytes, body);
    }
    const gone = { digest: digestOf(utf8("never")), size: 5 };
    const got = await read(server, [refOf(bodies[2]!), gone, refOf(bodies[0]!), refOf(bodies[3]!)]);
    assert.equal(got.status, 200);
    assert.equal(got.headers.get("content-type"), BLOBS_MEDIA_TYPE);
    const digests = decodeBlobs(got.bytes).map(({ digest, bytes }) => {
      assert.equal(digestOf(bytes), digest);
      return digest;
    });
    assert.deepEqual(digests, [bodies[2]!, bodies[0]!, bodies[3]!].map(digestOf));
  },
  "a batch with one wrong blob keeps nothing at all": async (server) => {
    const good = utf8("good");
    const wrong = { digest: digestOf(utf8("right")), bytes: utf8("wrong") };
    const put = await post(server, encodeBlobs([small(good), wrong]));
    assert.equal(put.status, 400, put.text);
    assert.equal((await server.send("GET", placeOf(good))).status, 404);
    assert.equal((await server.send("GET", placeOf(utf8("wrong")))).status, 404);
  },
  "a batch that is cut off, too large or of another type is refused": async (server) => {
    const whole = encodeBlobs([small(utf8("a")), small(utf8("bc"))]);
    for (const length of [1, 35, 36, 40, whole.length - 1]) {
      assert.equal((await post(server, whole.slice(0, length))).status, 400, `${length}`);
    }
    const claims = encodeBlobs([small(utf8("a"))]);
    new DataView(claims.buffer).setUint32(32, 0xffffffff, true);
    assert.equal((await post(server, claims)).status, 413);
    const large = encodeBlobs([small(noise(MAX_CHUNK_BYTES + 1))]);
    assert.equal((await post(server, large)).status, 413);
    const many = encodeBlobs(Array.from({ length: MAX_BATCH_BLOBS + 1 }, () => small(noise(0))));
    assert.equal((await post(server, many)).status, 413);
    assert.equal((await post(server, new Uint8Array(MAX_BATCH_BYTES + 1))).status, 413);
    assert.equal((await post(server, whole, { headers: JSON_TYPE })).status, 415);
    assert.equal((await post(server, new Uint8Array(0))).status, 200, "nothing is fine");
    assert.equal((await server.send("GET", "/v1/blobs/batch")).status, 405);
  },
  "reading a batch refuses what is above its limits, and any field that it does not know": async (
    server,
  ) => {
    const { digest } = refOf(utf8("x"));
    const many = Array.from({ length: MAX_BATCH_BLOBS + 1 }, () => ({ digest, size: 1 }));
    assert.equal((await read(server, many)).status, 400);
    assert.equal((await read(server, [{ digest, size: MAX_CHUNK_BYTES + 1 }])).status, 413);
    const full = Array.from({ length: 17 }, () => ({ digest, size: MAX_CHUNK_BYTES }));
    assert.equal((await read(server, full)).status, 413);
    assert.equal((await read(server, [{ digest: "x", size: 1 }])).status, 400);
    assert.equal((await read(server, [{ digest, size: -1 }])).status, 400);
    const body = '{"blobs":[],"more":1}';
    const question = { headers: JSON_TYPE, body };
    assert.equal((await server.send("POST", "/v1/blobs/read", question)).status, 400);
    assert.equal((await read(server, [])).bytes.length, 0);
  },
  "a blob of another size than was asked for is not there": async (server) => {
    const body = utf8("abc");
    await post(server, encodeBlobs([small(body)]));
    assert.equal((await read(server, [{ ...refOf(body), size: 4 }])).bytes.length, 0);
  },
  "a batch needs the right to write, and is seen in its own namespace alone": async (server) => {
    const body = utf8("secret of a");
    const batch = encodeBlobs([small(body)]);
    assert.equal((await post(server, batch, { as: null })).status, 401);
    assert.equal((await post(server, batch, { as: "reader" })).status, 403);
    const target = "/ns/team-a/v1/blobs/batch";
    const put = await server.send("POST", target, { as: "a", headers: BATCH_TYPE, body: batch });
    assert.equal(put.status, 200);
    assert.equal((await read(server, [refOf(body)])).bytes.length, 0);
    assert.equal((await read(server, [refOf(body)], { as: null })).status, 401);
  },
  "an entry of a tree is complete only with every file of its manifest": async (server) => {
    const [one, two] = [utf8("one"), noise(600_000)];
    const manifest = encodeTree([treeFile("a", "one"), { ...treeFile("b"), ...refOf(two) }]);
    assert.equal((await putTree(server, "t", manifest)).status, 412, "nothing of it is here");
    await post(server, encodeBlobs([small(one)]));
    assert.equal((await putTree(server, "t", manifest)).status, 412, "half of it is here");
    await server.send("PUT", placeOf(two), { body: two });
    const put = await putTree(server, "t", manifest);
    assert.equal(put.status, 201, put.text);
    assert.deepEqual(JSON.parse(put.text).entry.blobs, [refOf(manifest)], "blobs=first");
    const info = await server.send("GET", "/v1/info/t?protocol=tree");
    const { blobs } = JSON.parse(info.text);
    assert.deepEqual(blobs, [manifest, one, two].map(refOf));
    const first = await server.send("GET", "/v1/info/t?protocol=tree&blobs=first");
    assert.deepEqual(JSON.parse(first.text).blobs, [refOf(manifest)]);
    assert.equal((await server.send("GET", "/v1/info/t?protocol=tree&blobs=x")).status, 400);
    assert.equal((await putTree(server, "t", manifest)).status, 409, "a key is written once");
  },
  "hostile trees are refused when they are written": async (server, t) => {
    for (const [what, { entries }] of Object.entries(HOSTILE_TREES)) {
      await t.step(what, async () => {
        const put = await putTree(server, "hostile", rawTree(entries));
        assert.equal(put.status, 400, put.text);
      });
    }
    const claim = rawTree([treeFile("a", "x")], 1_000_000_000);
    assert.equal((await putTree(server, "hostile", claim)).status, 400);
    assert.equal((await server.send("GET", "/v1/info/hostile?protocol=tree")).status, 404);
  },
  "the newest entries come first, of the scopes that one may read": async (server) => {
    const put = async (key: string, as: "writer" | "branch") => {
      const body = utf8(key);
      await server.send("PUT", placeOf(body), { as, body });
      const question = { as, headers: ENTRY_TYPE, body: JSON.stringify({ blobs: [refOf(body)] }) };
      const { status } = await server.send("PUT", `/v1/entries/${key}?protocol=x`, question);
      assert.equal(status, 201);
    };
    await put("k-1", "writer");
    await put("k-3", "branch");
    await put("k-2", "writer");
    await put("other", "writer");
    const list = async (query: string, as: "writer" | "branch" = "writer") => {
      const target = `/v1/entries?protocol=x&order=newest&${query}`;
      const { status, text } = await server.send("GET", target, { as });
      assert.equal(status, 200, text);
      const { entries, next } = JSON.parse(text);
      assert.equal(next, null);
      return entries.map(({ key }: { key: string }) => key);
    };
    assert.deepEqual(await list("prefix=k-"), ["k-2", "k-1"]);
    assert.deepEqual(await list("prefix=k-", "branch"), ["k-2", "k-3", "k-1"]);
    assert.deepEqual(await list("prefix=k-&limit=1"), ["k-2"]);
    assert.deepEqual(await list("prefix=nothing"), []);
    for (const query of ["order=newest", "order=oldest&protocol=x"]) {
      assert.equal((await server.send("GET", `/v1/entries?${query}`)).status, 400, query);
    }
    const cursor = "/v1/entries?protocol=x&order=newest&after=eA";
    assert.equal((await server.send("GET", cursor)).status, 400);
  },
};
