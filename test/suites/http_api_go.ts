/** Cases of the HTTP API: Go's build cache, as `go-cacher` asks. */
import assert from "node:assert/strict";
import { digestHex, digestOf, EMPTY_DIGEST } from "../../core/digest.ts";
import type { HttpCase } from "./http_api.ts";
import { noise } from "./http_api_blobs.ts";

const ACTION = "ac".repeat(31) + "00";
const WANT = { headers: { "want-object": "1", "accept-encoding": "lz4" } };

function outputOf(bytes: Uint8Array): string {
  return digestHex(digestOf(bytes));
}

export const goCases: Readonly<Record<string, HttpCase>> = {
  "go: an action's output comes back in one answer, small, large and empty": async (server) => {
    for (const [n, size] of [0, 1, 4000, 3_000_000].entries()) {
      const action = `${n}`.repeat(64);
      const body = noise(size);
      assert.equal((await server.send("GET", `/go/action/${action}`, WANT)).status, 404);
      const put = await server.send("PUT", `/go/${action}/${outputOf(body)}`, { body });
      assert.deepEqual([put.status, put.text], [204, ""]);
      const got = await server.send("GET", `/go/action/${action}`, WANT);
      assert.deepEqual(got.bytes, body);
      assert.equal(got.headers.get("content-type"), "application/octet-stream");
      assert.equal(got.headers.get("content-length"), `${size}`);
      assert.equal(got.headers.get("go-output-id"), outputOf(body));
      assert.match(got.headers.get("vitte-created") ?? "", /^\d+$/);
      const head = await server.send("HEAD", `/go/action/${action}`);
      assert.deepEqual([head.status, head.headers.get("content-length")], [200, `${size}`]);
    }
  },
  "go: an old helper is told name and size, and fetches the output": async (server) => {
    const body = noise(500);
    await server.send("PUT", `/go/${ACTION}/${outputOf(body)}`, { body });
    const told = await server.send("GET", `/go/action/${ACTION}`);
    assert.equal(told.headers.get("content-type"), "application/json");
    assert.deepEqual(JSON.parse(told.text), { outputID: outputOf(body), size: 500 });
    assert.deepEqual((await server.send("GET", `/go/output/${outputOf(body)}`)).bytes, body);
    assert.equal((await server.send("HEAD", `/go/output/${outputOf(body)}`)).status, 200);
    const empty = await server.send("GET", `/go/output/${digestHex(EMPTY_DIGEST)}`);
    assert.deepEqual([empty.status, empty.bytes.length], [200, 0]);
  },
  "go: bytes that are not the output are 400, and nothing is kept": async (server) => {
    for (const size of [10, 3_000_000]) {
      const body = noise(size);
      const wrong = outputOf(noise(11));
      const put = await server.send("PUT", `/go/${ACTION}/${wrong}`, { body });
      assert.equal(put.status, 400, put.text);
      assert.equal((await server.send("GET", `/go/action/${ACTION}`, WANT)).status, 404);
      assert.equal((await server.send("GET", `/go/output/${wrong}`)).status, 404);
    }
  },
  "go: an action keeps its first output, and a second one is no failure": async (server) => {
    const [first, second] = [noise(20), noise(21)];
    await server.send("PUT", `/go/${ACTION}/${outputOf(first)}`, { body: first });
    for (const body of [first, second]) {
      const put = await server.send("PUT", `/go/${ACTION}/${outputOf(body)}`, { body });
      assert.equal(put.status, 204);
    }
    assert.deepEqual((await server.send("GET", `/go/action/${ACTION}`, WANT)).bytes, first);
  },
  "go: a branch reads main's outputs, main none of a branch; namespaces are apart": async (
    server,
  ) => {
    const body = noise(30);
    const put = `/go/${ACTION}/${outputOf(body)}`;
    assert.equal((await server.send("PUT", put, { body, as: "branch" })).status, 204);
    const get = `/go/action/${ACTION}`;
    assert.equal((await server.send("GET", get, { ...WANT, as: "branch" })).status, 200);
    assert.equal((await server.send("GET", get, WANT)).status, 404);
    assert.equal((await server.send("PUT", put, { body })).status, 204);
    assert.equal((await server.send("GET", get, WANT)).status, 200);
    const other = { ...WANT, as: "a" as const };
    assert.equal((await server.send("GET", `/ns/team-a${get}`, other)).status, 404);
    assert.equal(
      (await server.send("GET", `/ns/team-a/go/output/${outputOf(body)}`, other)).status,
      404,
    );
  },
  "go: paths that are no action and no output are 404": async (server) => {
    for (
      const target of ["action", "action/x", `output/${"A".repeat(64)}`, ACTION, `x/${ACTION}`]
    ) {
      assert.equal((await server.send("GET", `/go/${target}`)).status, 404, target);
    }
    assert.equal((await server.send("GET", `/go/${ACTION}/${ACTION}`)).status, 405);
  },
};
