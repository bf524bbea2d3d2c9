import assert from "node:assert/strict";
import { RawClient, withListener } from "../../test/helpers/raw_listener.ts";
import type { Handler } from "../deps.ts";
import { WriteRoom } from "./write_room.ts";

const PADDING = "vitte-padding";

Deno.test("WriteRoom pads the second small answer of a connection, and no other", () => {
  const room = new WriteRoom();
  const padded = (peer: number, bytes: number) => {
    const response = new Response(null);
    room.make(peer, response, bytes);
    return response.headers.has(PADDING);
  };
  assert.deepEqual([padded(1, 1000), padded(2, 1000)], [false, false]);
  assert.deepEqual([padded(1, 0), padded(1, 100_000)], [false, false], "nothing to gain");
  assert.deepEqual([padded(1, 1000), padded(2, 1)], [true, true]);
  assert.deepEqual([padded(1, 1000), padded(2, 1000)], [false, false], "once is enough");
});

Deno.test("WriteRoom remembers no more connections than it may", () => {
  const room = new WriteRoom();
  let padded = 0;
  for (let n = 0; n < 100_000; n++) {
    const response = new Response(null);
    room.make(n, response, 1000);
    if (response.headers.has(PADDING)) padded++;
  }
  assert.equal(padded, 0);
});

Deno.test("listen() pads once where an answer is whole, and sends every byte of it", async () => {
  const handler: Handler = (request, origin) => {
    if (request.url.endsWith("/whole")) origin.whole = 1000;
    return new Response("x".repeat(1000));
  };
  await withListener({ handler }, async (listener) => {
    const answers: string[] = [];
    for (const path of ["/whole", "/other"]) {
      using client = await RawClient.to(listener);
      for (let n = 0; n < 4; n++) {
        await client.send(`GET ${path} HTTP/1.1\r\nHost: x\r\n\r\n`);
        answers.push(await client.read((text) => text.endsWith("x".repeat(1000))));
      }
    }
    const padded = answers.map((text) => text.includes(`${PADDING}: 0`));
    assert.deepEqual(padded, [false, true, false, false, false, false, false, false]);
    for (const text of answers) assert.match(text, /content-length: 1000\r\n/i);
  });
});
