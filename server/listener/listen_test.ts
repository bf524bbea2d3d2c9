import assert from "node:assert/strict";
import { isKind } from "../../core/errors.ts";
import {
  hello,
  RawClient,
  refused,
  until,
  WHOLE,
  withListener,
} from "../../test/helpers/raw_listener.ts";
import type { Handler } from "../deps.ts";
import { listen } from "./listen.ts";

Deno.test("listen() tells the handler the plain address of the client", async () => {
  const handler: Handler = (_, origin) => new Response(origin.remoteAddr);
  await withListener({ handler }, async ({ addr }) => {
    const response = await fetch(`http://127.0.0.1:${addr.port}/`);
    assert.equal(await response.text(), "127.0.0.1");
  });
  await withListener({ handler, hostname: "::" }, async ({ addr }) => {
    const response = await fetch(`http://127.0.0.1:${addr.port}/`);
    assert.equal(await response.text(), "127.0.0.1");
  });
});

Deno.test("listen() refuses an address that is in use, with one sentence", async () => {
  await withListener({}, async ({ addr }) => {
    const again = listen(hello, { hostname: "127.0.0.1", port: addr.port });
    await assert.rejects(again, (error) => {
      assert.ok(isKind(error, "unavailable"));
      assert.match(error.message, /^Cannot listen on "127\.0\.0\.1:\d+": address in use/);
      return true;
    });
  });
});

/** An endless download that the test feeds. */
function fedDownload() {
  let feed!: ReadableStreamDefaultController<Uint8Array>;
  let cancelled = false;
  const handler: Handler = () =>
    new Response(
      new ReadableStream({
        start: (controller) => void (feed = controller),
        cancel: () => void (cancelled = true),
      }),
    );
  const send = (text: string) => feed.enqueue(new TextEncoder().encode(text));
  return { handler, send, end: () => feed.close(), cancelled: () => cancelled };
}

Deno.test("Listener.shutdown() lets a download finish and takes no new connection", async () => {
  const download = fedDownload();
  await withListener({ handler: download.handler }, async (listener) => {
    using client = await RawClient.to(listener);
    await client.send(WHOLE);
    await client.read((text) => text.includes("200 OK"));
    download.send("first");
    await client.read((text) => text.includes("first"));
    const stopped = listener.shutdown(5_000);
    await refused(listener);
    download.send("last");
    download.end();
    assert.match(await client.read(), /last/);
    await stopped;
  });
});

Deno.test("Listener.shutdown() ends a download when its time is over", async () => {
  for (const kernel of [undefined, null]) {
    const download = fedDownload();
    await withListener({ handler: download.handler, kernel }, async (listener) => {
      using client = await RawClient.to(listener);
      await client.send(WHOLE);
      await client.read((text) => text.includes("200 OK"));
      await listener.shutdown(30);
      await client.read();
      await until(download.cancelled, "the source of the body is told");
    });
  }
});

Deno.test("listen() stops when its signal aborts", async () => {
  const stop = new AbortController();
  await withListener({ signal: stop.signal }, async (listener) => {
    stop.abort();
    await listener.closed;
    await refused(listener);
  });
});

Deno.test("listen() says that it is unprotected where the kernel shows nothing, and serves", async () => {
  await withListener({ kernel: null }, async (listener, events) => {
    using client = await RawClient.to(listener);
    assert.match(await client.ask(), /200 OK/);
    assert.deepEqual(events, [{ type: "unprotected" }]);
  });
});

Deno.test("listen() answers 500 and tells when a handler throws", async () => {
  const handler: Handler = () => {
    throw new Error("a bug");
  };
  await withListener({ handler }, async ({ addr }, events) => {
    const response = await fetch(`http://127.0.0.1:${addr.port}/`);
    assert.equal(response.status, 500);
    assert.equal(await response.text(), "");
    assert.ok(events.some((event) => event.type === "failed" && event.what === "handler"));
  });
});
