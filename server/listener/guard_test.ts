import assert from "node:assert/strict";
import { ManualClock } from "../../core/clock.ts";
import {
  asTimePasses,
  HALF,
  RawClient,
  until,
  WHOLE,
  withListener,
} from "../../test/helpers/raw_listener.ts";
import type { Handler, RequestOrigin } from "../deps.ts";
import { PeerTable } from "./peer_table.ts";

const linux = { ignore: Deno.build.os !== "linux" };

Deno.test(
  "listen() ends half a header after the time limit, a good client goes on",
  linux,
  async () => {
    const clock = new ManualClock();
    await withListener({ clock }, async (listener, events) => {
      using good = await RawClient.to(listener);
      assert.match(await good.ask(), /200 OK/);
      using silent = await RawClient.to(listener);
      using half = await RawClient.to(listener);
      await half.send(HALF);
      const began = clock.monotonic();
      const ends = Promise.all([half.read(), silent.read()]);
      assert.deepEqual(await asTimePasses(clock, ends), ["", ""]);
      assert.ok(clock.monotonic() - began >= 15_000);
      assert.match(await good.ask(), /200 OK/);
      assert.ok(events.some((event) => event.type === "cut" && event.silent > 0));
    });
  },
);

Deno.test("listen() ends a header that comes byte by byte and never ends", linux, async () => {
  const clock = new ManualClock();
  await withListener({ clock }, async (listener) => {
    using dripping = await RawClient.to(listener);
    let ended = false;
    const answer = dripping.read().finally(() => ended = true);
    const drip = async () => {
      for (let at = 0; !ended && at < 2_000; at++) {
        await dripping.send(at === 0 ? HALF : "a").catch(() => {}); // ended: what is waited for
        await new Promise((resolve) => setTimeout(resolve, 2));
      }
    };
    const [text] = await asTimePasses(clock, Promise.all([answer, drip()]));
    assert.equal(text, "");
  });
});

Deno.test(
  "listen() ends the connection of who has no good token soon after its answer",
  linux,
  () => endsStranger((answer) => Promise.resolve(answer)),
);

Deno.test(
  "listen() does so where the answer was whole at once",
  linux,
  () =>
    endsStranger((answer, origin) => {
      origin.whole = 5;
      return answer;
    }),
);

async function endsStranger(
  how: (answer: Response, origin: RequestOrigin) => Response | Promise<Response>,
): Promise<void> {
  const clock = new ManualClock();
  const handler: Handler = (_request, origin) => {
    origin.stranger = true;
    return how(new Response("hello", { status: 401 }), origin);
  };
  await withListener({ clock, handler }, async (listener, events) => {
    using stranger = await RawClient.to(listener);
    await stranger.send(`PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: ${10 ** 9}\r\n\r\n`);
    assert.match(await stranger.read((text) => text.endsWith("hello")), / 401 /);
    let ended = false;
    const end = stranger.read().finally(() => ended = true);
    const drip = async () => {
      for (let at = 0; !ended && at < 2_000; at++) {
        await stranger.send("a").catch(() => {}); // ended: what is waited for
        await new Promise((resolve) => setTimeout(resolve, 2));
      }
    };
    const began = clock.monotonic();
    await asTimePasses(clock, Promise.all([end, drip()]));
    assert.ok(clock.monotonic() - began >= 15_000);
    assert.ok(events.some((event) => event.type === "cut" && event.silent === 1));
  });
}

Deno.test("listen() ends a connection whose answer was given up", linux, async () => {
  for (const open of [true, false]) {
    const clock = new ManualClock();
    const asked = Promise.withResolvers<RequestOrigin>();
    const part = new Uint8Array(1024 * 1024);
    const feed = Promise.withResolvers<ReadableStreamDefaultController<Uint8Array>>();
    const handler: Handler = (_request, origin) => {
      asked.resolve(origin);
      const start = (controller: ReadableStreamDefaultController<Uint8Array>) =>
        feed.resolve(controller);
      return new Response(
        new ReadableStream({ start, pull: (controller) => controller.enqueue(part) }),
      );
    };
    await withListener({ clock, handler }, async (listener) => {
      using still = await RawClient.to(listener);
      await still.send(WHOLE);
      const origin = await asked.promise;
      clock.advance(1_000);
      await until(() => listener.connections() === 1, "it is seen");
      // The runtime hears of the error, and goes on waiting for the client to take the rest.
      if (!open) (await feed.promise).error(new Error("nobody reads it"));
      origin.abandon?.();
      await asTimePasses(clock, until(() => listener.connections() === 0, "it is ended"));
      assert.ok(clock.monotonic() < 15_000, "it is ended at once");
    });
  }
});

Deno.test("listen() leaves a request alone that takes longer than every limit", linux, async () => {
  const clock = new ManualClock();
  const entered = Promise.withResolvers<void>();
  const release = Promise.withResolvers<void>();
  const handler: Handler = async () => {
    entered.resolve();
    await release.promise;
    return new Response("hello");
  };
  const options = { handler, clock, idleMs: 2_000, maxConnections: 1 };
  await withListener(options, async (listener, events) => {
    using slow = await RawClient.to(listener);
    const answer = slow.ask();
    await entered.promise;
    using silent = await RawClient.to(listener);
    assert.equal(await asTimePasses(clock, silent.read()), "");
    clock.advance(1_000_000);
    await until(() => listener.connections() === 1, "only the slow one is left");
    assert.ok(events.every((event) => event.type === "cut" && event.open === 1));
    release.resolve();
    assert.match(await answer, /200 OK/);
  });
});

Deno.test("listen() ends a connection that stands idle for too long", linux, async () => {
  const clock = new ManualClock();
  await withListener({ clock, idleMs: 60_000 }, async (listener, events) => {
    using client = await RawClient.to(listener);
    assert.match(await client.ask(), /200 OK/);
    assert.equal(await asTimePasses(clock, client.read()), "");
    assert.ok(clock.monotonic() >= 60_000);
    assert.ok(events.some((event) => event.type === "cut" && event.idle === 1));
  });
});

Deno.test("listen() serves a good client among 1,500 silent ones, which go", linux, async () => {
  const clock = new ManualClock();
  await withListener({ clock, maxConnections: 800 }, async (listener, events) => {
    using good = await RawClient.to(listener);
    await good.ask();
    using silent = new DisposableStack();
    for (let batch = 0; batch < 15; batch++) {
      const clients = Array.from({ length: 100 }, () => RawClient.to(listener));
      for (const client of await Promise.all(clients)) silent.use(client);
      assert.match(await good.ask(), /200 OK/);
      using fresh = await RawClient.to(listener);
      assert.match(await fresh.ask(), /200 OK/);
      clock.advance(1_000);
    }
    await asTimePasses(clock, until(() => listener.connections() <= 2, "the silent ones are gone"));
    assert.match(await good.ask(), /200 OK/);
    const cuts = events.filter((event) => event.type === "cut");
    assert.ok(cuts.some((cut) => cut.crowded > 0), "above the limit they go before their time");
    assert.ok(cuts.some((cut) => cut.silent > 0), "and below it when their time is over");
  });
});

Deno.test(
  "listen() shares a port between threads, and nobody is cut by mistake",
  linux,
  async () => {
    const clock = new ManualClock();
    const peers = new SharedArrayBuffer(PeerTable.BYTES);
    await withListener({ peers, clock }, async (first) => {
      const { port } = first.addr;
      await withListener({ peers, clock, port, reusePort: true }, async () => {
        using clients = new DisposableStack();
        const all: RawClient[] = [];
        for (let at = 0; at < 40; at++) all.push(clients.use(await RawClient.to(first)));
        for (let round = 0; round < 10; round++) {
          for (const client of all) assert.match(await client.ask(), /200 OK/);
          clock.advance(10_000);
          await new Promise((resolve) => setTimeout(resolve, 5));
        }
      });
    });
  },
);
