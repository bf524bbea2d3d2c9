/** Uploads over real connections: what the runtime makes of bodies in one piece and in two. */
import assert from "node:assert/strict";
import { createHandlerFixture } from "../test/helpers/http_fixture.ts";
import { RawClient, withListener } from "../test/helpers/raw_listener.ts";

const BODY = "x".repeat(1000);

function head(key: string, more = `content-length: ${BODY.length}`): string {
  return `PUT /v1/entries/${key} HTTP/1.1\r\nhost: 127.0.0.1\r\n` +
    `authorization: Bearer t-admin\r\n${more}\r\n\r\n`;
}

async function answer(client: RawClient): Promise<string> {
  const text = await client.read((sofar) => sofar.endsWith("}"));
  return text.slice(0, text.indexOf("\r\n"));
}

Deno.test("a connection lives on after a small body, whether it came with its head or later", async () => {
  await using server = createHandlerFixture();
  await withListener({ handler: server.handler }, async (listener) => {
    using client = await RawClient.to(listener);
    const created = "HTTP/1.1 201 Created";
    for (const key of ["one", "two"]) {
      await client.send(head(key) + BODY);
      assert.equal(await answer(client), created);
    }
    for (const key of ["three", "four"]) {
      await client.send(head(key));
      // The first part comes by itself, so nobody can have all of it at once.
      await new Promise((resolve) => setTimeout(resolve, 10));
      await client.send(BODY.slice(0, 500));
      await new Promise((resolve) => setTimeout(resolve, 10));
      await client.send(BODY.slice(500));
      assert.equal(await answer(client), created);
    }
    const chunk = BODY.length.toString(16);
    await client.send(
      head("five", "transfer-encoding: chunked") + `${chunk}\r\n${BODY}\r\n0\r\n\r\n`,
    );
    assert.equal(await answer(client), created);
    await client.send(head("six", "content-length: 0"));
    assert.equal(await answer(client), created);
  });
  for (const [key, size] of [["one", 1000], ["four", 1000], ["five", 1000], ["six", 0]]) {
    const got = await server.send("GET", `/v1/entries/${key}`);
    assert.deepEqual([got.status, got.text.length], [200, size], `${key}`);
  }
  assert.equal(server.counters.get("bytes_in_flight"), 0);
});

Deno.test("who waits for 100 Continue is served, and refused without his body", async () => {
  await using server = createHandlerFixture();
  await withListener({ handler: server.handler }, async (listener) => {
    using client = await RawClient.to(listener);
    const expect = `content-length: ${BODY.length}\r\nexpect: 100-continue`;
    await client.send(head("k", expect));
    const asked = await client.read((text) => text.endsWith("\r\n\r\n"));
    assert.match(asked, /^HTTP\/1\.1 100 /);
    await client.send(BODY);
    assert.equal(await answer(client), "HTTP/1.1 201 Created");
    using stranger = await RawClient.to(listener);
    await stranger.send(head("k", expect).replace("t-admin", "wrong"));
    // The runtime has said 100 before anybody could look at the token.
    assert.match(await stranger.read((text) => text.endsWith("}")), /^HTTP\/1\.1 401 /m);
  });
});
