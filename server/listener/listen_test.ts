import assert from "node:assert/strict";
import { isKind } from "../../core/errors.ts";
import type { Handler } from "../deps.ts";
import { listen, PeerTable } from "./listen.ts";
import type { Listener, ListenerEvent, ListenOptions } from "./listen.ts";

const HALF = "GET / HTTP/1.1\r\nHost: x\r\n";
const WHOLE = `${HALF}\r\n`;

const hello: Handler = () => new Response("hello");

/** Listens on a free port with short time limits, and stops at the end. */
async function withListener(
  options: Partial<ListenOptions> & { handler?: Handler },
  use: (listener: Listener, events: ListenerEvent[]) => Promise<void>,
): Promise<void> {
  const events: ListenerEvent[] = [];
  const listener = await listen(options.handler ?? hello, {
    hostname: "127.0.0.1",
    port: 0,
    headerTimeoutMs: 60,
    sweepMs: 10,
    onEvent: (event) => events.push(event),
    ...options,
  });
  try {
    await use(listener, events);
  } finally {
    await listener.shutdown(0);
  }
}

/** A client that says exactly what the test wants. */
class RawClient implements Disposable {
  readonly #conn: Deno.TcpConn;
  #closed = false;
  constructor(conn: Deno.TcpConn) {
    this.#conn = conn;
  }
  static async to(listener: Listener): Promise<RawClient> {
    return new RawClient(await Deno.connect(listener.addr));
  }
  async send(text: string): Promise<void> {
    await this.#conn.write(new TextEncoder().encode(text));
  }
  /** What comes until `done` or the end. */
  async read(done: (text: string) => boolean = () => false): Promise<string> {
    const decoder = new TextDecoder();
    const buffer = new Uint8Array(65_536);
    let text = "";
    while (!done(text)) {
      const count = await this.#conn.read(buffer).catch(resetIsEnd);
      if (count === null) break;
      text += decoder.decode(buffer.subarray(0, count), { stream: true });
    }
    return text;
  }
  async ask(): Promise<string> {
    await this.send(WHOLE);
    return await this.read((text) => text.endsWith("hello"));
  }
  [Symbol.dispose](): void {
    if (!this.#closed) this.#conn.close();
    this.#closed = true;
  }
}

function resetIsEnd(error: unknown): null {
  if (error instanceof Deno.errors.ConnectionReset) return null;
  throw error;
}

async function until(what: () => boolean, why: string): Promise<void> {
  for (let look = 0; look < 500; look++) {
    if (what()) return;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  assert.fail(`never: ${why}`);
}

/** Nobody answers any more; what still waited to be accepted is reset first. */
async function refused(listener: Listener): Promise<void> {
  for (let look = 0; look < 100; look++) {
    try {
      using client = await RawClient.to(listener);
      assert.equal(await client.read(), "");
    } catch (error) {
      if (error instanceof Deno.errors.ConnectionRefused) return;
      if (!(error instanceof Deno.errors.ConnectionReset)) throw error;
    }
  }
  assert.fail("the port is still open");
}

const linux = { ignore: Deno.build.os !== "linux" };

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

Deno.test(
  "listen() ends half a header after the time limit, a good client goes on",
  linux,
  async () => {
    await withListener({}, async (listener, events) => {
      using good = await RawClient.to(listener);
      assert.match(await good.ask(), /200 OK/);
      using silent = await RawClient.to(listener);
      using half = await RawClient.to(listener);
      await half.send(HALF);
      assert.equal(await half.read(), "");
      assert.equal(await silent.read(), "");
      assert.match(await good.ask(), /200 OK/);
      assert.ok(events.some((event) => event.type === "cut" && event.silent > 0));
    });
  },
);

Deno.test("listen() ends a header that comes byte by byte and never ends", linux, async () => {
  await withListener({}, async (listener) => {
    using dripping = await RawClient.to(listener);
    let ended = false;
    const answer = dripping.read().finally(() => ended = true);
    for (let at = 0; !ended && at < 500; at++) {
      await dripping.send(at === 0 ? HALF : "a").catch(() => {}); // ended: what the test waits for
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    assert.equal(await answer, "");
  });
});

Deno.test(
  "listen() leaves a request alone that takes longer than every time limit",
  linux,
  async () => {
    const release = Promise.withResolvers<void>();
    const handler: Handler = async () => {
      await release.promise;
      return new Response("hello");
    };
    const options = { handler, headerTimeoutMs: 20, idleMs: 20, maxConnections: 1 };
    await withListener(options, async (listener, events) => {
      using slow = await RawClient.to(listener);
      const answer = slow.ask();
      using silent = await RawClient.to(listener);
      assert.equal(await silent.read(), "");
      await until(() => events.length > 0, "a cut is told");
      release.resolve();
      assert.match(await answer, /200 OK/);
    });
  },
);

Deno.test("listen() ends a connection that stands idle for too long", linux, async () => {
  await withListener({ idleMs: 50 }, async (listener, events) => {
    using client = await RawClient.to(listener);
    assert.match(await client.ask(), /200 OK/);
    assert.equal(await client.read(), "");
    assert.ok(events.some((event) => event.type === "cut" && event.idle === 1));
  });
});

Deno.test(
  "listen() serves a good client among 1,500 silent ones and gets rid of them",
  linux,
  async () => {
    await withListener({ headerTimeoutMs: 400, maxConnections: 800 }, async (listener, events) => {
      using good = await RawClient.to(listener);
      await good.ask();
      using silent = new DisposableStack();
      for (let batch = 0; batch < 15; batch++) {
        const clients = Array.from({ length: 100 }, () => RawClient.to(listener));
        for (const client of await Promise.all(clients)) silent.use(client);
        assert.match(await good.ask(), /200 OK/);
        using fresh = await RawClient.to(listener);
        assert.match(await fresh.ask(), /200 OK/);
      }
      await until(() => listener.connections() <= 2, "the silent ones are gone");
      assert.match(await good.ask(), /200 OK/);
      const cuts = events.filter((event) => event.type === "cut");
      assert.ok(cuts.some((cut) => cut.crowded > 0), "above the limit they go before their time");
    });
  },
);

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

Deno.test(
  "listen() shares a port between listeners that share a table, and nobody is cut by mistake",
  linux,
  async () => {
    const peers = new SharedArrayBuffer(PeerTable.BYTES);
    await withListener({ peers }, async (first) => {
      const { port } = first.addr;
      await withListener({ peers, port, reusePort: true }, async () => {
        using clients = new DisposableStack();
        const all: RawClient[] = [];
        for (let at = 0; at < 40; at++) all.push(clients.use(await RawClient.to(first)));
        for (let round = 0; round < 15; round++) {
          for (const client of all) assert.match(await client.ask(), /200 OK/);
          await new Promise((resolve) => setTimeout(resolve, 10));
        }
      });
    });
  },
);

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
      const began = performance.now();
      await listener.shutdown(30);
      assert.ok(performance.now() - began < 900);
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
