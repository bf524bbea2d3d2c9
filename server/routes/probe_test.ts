import assert from "node:assert/strict";
import { createHandlerFixture } from "../../test/helpers/http_fixture.ts";

const READER = { as: "reader" } as const;

Deno.test("probe sends as many bytes as asked for, with their length, to any good token", async () => {
  await using server = createHandlerFixture();
  for (const size of [0, 1, 300_000]) {
    const answer = await server.send("GET", `/v1/probe?bytes=${size}`, READER);
    assert.equal(answer.status, 200);
    assert.equal(answer.bytes.length, size);
    assert.equal(answer.headers.get("content-length"), `${size}`);
  }
});

Deno.test("probe reads a body, keeps nothing of it and tells how long it was", async () => {
  await using server = createHandlerFixture();
  const question = { ...READER, body: new Uint8Array(100_000) };
  const answer = await server.send("POST", "/v1/probe", question);
  assert.equal(answer.status, 200);
  assert.equal(JSON.parse(answer.text).bytes, 100_000);
  assert.equal((await server.cache.totals()).blobs, 0);
});

Deno.test("probe tells whether an Upgrade arrived", async () => {
  await using server = createHandlerFixture();
  const saw = async (more: Record<string, string>) => {
    const question = { ...READER, headers: more };
    return (await server.send("GET", "/v1/probe", question)).headers.get("vitte-saw-upgrade");
  };
  assert.equal(await saw({ upgrade: "websocket", connection: "Upgrade" }), "websocket");
  assert.equal(await saw({}), "none");
});

Deno.test("probe refuses to send without end, to read without end, and without a token", async () => {
  await using server = createHandlerFixture();
  for (const bytes of ["67108865", "-1", "1e9", "x"]) {
    assert.equal((await server.send("GET", `/v1/probe?bytes=${bytes}`, READER)).status, 400);
  }
  const headers = { "content-length": "67108865" };
  const long = await server.send("POST", "/v1/probe", {
    ...READER,
    headers,
    body: new Uint8Array(1),
  });
  assert.equal(long.status, 413);
  assert.equal((await server.send("GET", "/v1/probe?bytes=1", { as: null })).status, 401);
});
