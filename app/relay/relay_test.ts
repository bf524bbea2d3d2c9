/** The relay over real ports: what passes, and what its tools are told when nothing does. */
import assert from "node:assert/strict";
import type { Clock } from "../../core/clock.ts";
import { ManualClock, systemClock } from "../../core/clock.ts";
import { RELAY_REST_MS, RELAY_WAIT_MS } from "../../core/build_limits.ts";
import { SMALL_BODY_BYTES } from "../../core/limits.ts";
import { Secret } from "../../core/secret.ts";
import { HEADERS } from "../../protocol/url_space.ts";
import { BYTES, LARGE, TOKEN, turningServer } from "../../test/helpers/hostile_server.ts";
import { until } from "../../test/helpers/raw_listener.ts";
import { rawHttp } from "../../test/helpers/raw_request.ts";
import type { Relay } from "./relay.ts";
import { startRelay } from "./relay.ts";

const OURS = { [HEADERS.requestId]: "1" };
const NX = "/nx/v1/cache/1";
const TURBO = "/turborepo/v8/artifacts/1?slug=team";
const GRADLE = `/gradle/${"a".repeat(32)}`;

/** A client of a relay: its token, and connections of its own. */
interface Tool {
  readonly relay: Relay;
  ask(target: string, init?: RequestInit & { readonly token?: string }): Promise<Response>;
}

async function withRelay(
  url: string,
  work: (tool: Tool) => Promise<void>,
  clock: Clock = systemClock,
): Promise<void> {
  await using relay = startRelay({ url, token: new Secret(TOKEN), clock, proxyEnv: {} });
  using client = Deno.createHttpClient({});
  await work({
    relay,
    ask(target, { token = relay.token.reveal(), headers, ...init } = {}) {
      const all = new Headers(headers);
      if (token !== "") all.set("authorization", `Bearer ${token}`);
      const given: RequestInit & { client: Deno.HttpClient } = { ...init, headers: all, client };
      return fetch(relay.url + target, { redirect: "manual", ...given });
    },
  });
}

/** A relay before a server that answers as told. */
async function before(
  answer: (request: Request) => Response | Promise<Response>,
  work: (tool: Tool, asked: Request[]) => Promise<void>,
  clock?: Clock,
): Promise<void> {
  const stop = new AbortController();
  const asked: Request[] = [];
  const server = Deno.serve({
    port: 0,
    hostname: "127.0.0.1",
    signal: stop.signal,
    onListen() {},
  }, (request) => {
    asked.push(request);
    return answer(request);
  });
  try {
    await withRelay(`http://127.0.0.1:${server.addr.port}/`, (tool) => work(tool, asked), clock);
  } finally {
    stop.abort();
    await server.finished;
  }
}

Deno.test("what a tool asks reaches the server with the server's token, and comes back as it is", async () => {
  const answer = async (request: Request) => {
    assert.equal(request.headers.get("authorization"), `Bearer ${TOKEN}`);
    assert.equal(request.headers.get("x-artifact-tag"), "sent");
    assert.ok(new URL(request.url).search === "?slug=team");
    const body = request.method === "PUT" ? await request.bytes() : BYTES;
    return new Response(body, { status: 202, headers: { ...OURS, "x-artifact-tag": "back" } });
  };
  await before(answer, async ({ ask, relay }) => {
    for (const [method, body] of [["GET", BYTES], ["PUT", BYTES], ["PUT", LARGE]] as const) {
      const headers = { "x-artifact-tag": "sent" };
      const got = await ask(TURBO, { method, headers, ...(method === "PUT" ? { body } : {}) });
      assert.deepEqual([got.status, got.headers.get("x-artifact-tag")], [202, "back"]);
      assert.deepEqual(await got.bytes(), body);
    }
    const head = await ask(TURBO, { method: "HEAD", headers: { "x-artifact-tag": "sent" } });
    assert.deepEqual([head.status, await head.text()], [202, ""]);
    assert.equal(relay.report().hidden, 0);
  });
});

Deno.test("whatever Host a tool names, its request goes to the server and nowhere else", async () => {
  const paths: string[] = [];
  const answer = ({ url }: Request) => {
    paths.push(new URL(url).pathname);
    return new Response("here", { headers: OURS });
  };
  await before(answer, async ({ relay }) => {
    const server = { port: Number(new URL(relay.url).port), tokens: {} as never };
    const authorization = `Bearer ${relay.token.reveal()}`;
    // Some of them are found in what stands before the host, or in the path behind it.
    const hosts = ["h", "http", "nx", "evil.example:80", "127.0.0.1"];
    for (const host of hosts) {
      const question = { as: null, headers: { host, authorization } };
      assert.equal((await rawHttp(server, ["GET", NX], question)).status, 200, host);
    }
    assert.deepEqual(paths, hosts.map(() => NX));
  });
});

Deno.test("an upload arrives with its length, large ones that tell none chunked as they came", async () => {
  const answer = async (request: Request) => {
    const length = request.headers.get("content-length");
    return Response.json({ length, bytes: (await request.bytes()).length }, { headers: OURS });
  };
  await before(answer, async ({ ask }) => {
    for (const bytes of [BYTES, LARGE]) {
      const counted = await (await ask(GRADLE, { method: "PUT", body: bytes })).json();
      assert.deepEqual(counted, { length: `${bytes.length}`, bytes: bytes.length });
      const body = new Blob([bytes]).stream();
      const chunked = await (await ask(GRADLE, { method: "PUT", body })).json();
      const length = bytes.length > SMALL_BODY_BYTES ? null : `${bytes.length}`;
      assert.deepEqual(chunked, { length, bytes: bytes.length });
    }
  });
});

Deno.test("nobody without this run's token or the real one gets through", async () => {
  await before(() => new Response(BYTES, { headers: OURS }), async ({ ask, relay }, asked) => {
    const near = relay.token.reveal().replace(/.$/, (last) => last === "A" ? "E" : "A");
    for (const token of ["", "x", near]) {
      const got = await ask(NX, { token });
      assert.equal(got.status, 401, token);
      assert.match(got.headers.get("www-authenticate") ?? "", /Basic .*Bearer/);
      assert.ok(!(await got.text()).includes(TOKEN));
    }
    assert.equal(asked.length, 0);
    for (const token of [relay.token.reveal(), TOKEN]) {
      const got = await ask(NX, { token });
      assert.deepEqual(await got.bytes(), BYTES);
    }
    assert.equal(relay.report().hidden, 0);
  });
});

Deno.test("a preflight is answered without a token, and does not reach the server", async () => {
  await before(() => new Response(null, { status: 500 }), async ({ ask }, asked) => {
    const headers = { "access-control-request-method": "GET" };
    const got = await ask(TURBO, { method: "OPTIONS", headers, token: "" });
    assert.equal(got.status, 204);
    assert.match(got.headers.get("access-control-allow-headers") ?? "", /Authorization/);
    assert.equal(asked.length, 0);
  });
});

Deno.test("what is not from the cache is a miss or a dropped write, as each tool needs it", async () => {
  const foreign = [
    () => new Response("no", { status: 502 }),
    () => new Response("<html>"),
    () => new Response(null, { status: 302, headers: { location: "http://127.0.0.1:1/" } }),
    () => new Response(null, { status: 401 }),
    () => new Response(null, { status: 429 }),
    () => new Response(null, { status: 413 }),
  ];
  for (const answer of foreign) {
    await before(answer, async ({ ask, relay }) => {
      const rows = [[NX, 404, 403], [TURBO, 404, 412], [GRADLE, 404, 200], ["/metro/k", 404, 200]];
      for (const [target, read, write] of rows as [string, number, number][]) {
        const tooLarge = answer().status === 413;
        const got = await ask(target);
        await got.body?.cancel();
        if (!tooLarge) assert.equal(got.status, read, target);
        const put = await ask(target, { method: "PUT", body: BYTES });
        await put.body?.cancel();
        assert.equal(
          put.status,
          tooLarge && target !== NX && !target.includes("metro") ? 413 : write,
        );
      }
      assert.equal(relay.report().hidden, 8);
      assert.equal(relay.report().outages, 0);
    });
  }
});

Deno.test("a refusal of the cache itself is passed on", async () => {
  for (const status of [401, 403, 409, 413, 503]) {
    const answer = () => new Response("{}", { status, headers: OURS });
    await before(answer, async ({ ask, relay }) => {
      const got = await ask(NX);
      assert.deepEqual([got.status, await got.text()], [status, "{}"]);
      assert.equal(relay.report().hidden, 0);
    });
  }
});

Deno.test("a body that breaks off: the tool hears of it before it has a status, or where it minds not", async () => {
  for (const size of [1000, LARGE.length]) {
    const head = `HTTP/1.1 200 OK\r\n${HEADERS.requestId}: 1\r\ncontent-length: ${size}\r\n\r\n`;
    await using server = turningServer([head + "short"]);
    await withRelay(server.url, async ({ ask, relay }) => {
      const nx = await ask(NX);
      assert.deepEqual([nx.status, nx.headers.get("vitte-miss-reason")], [404, "unavailable"]);
      await nx.body?.cancel();
      assert.deepEqual([relay.report().hidden, relay.report().outages], [1, 1]);
    });
    await withRelay(server.url, async ({ ask, relay }) => {
      const turbo = await ask(TURBO);
      assert.equal(turbo.status, size > SMALL_BODY_BYTES ? 200 : 404);
      if (turbo.ok) await assert.rejects(turbo.bytes());
      else await turbo.body?.cancel();
      assert.equal(relay.report().hidden, 1);
    });
  }
});

Deno.test("a large body comes through whole to those who want it whole, and to the others", async () => {
  await before(() => new Response(LARGE, { headers: OURS }), async ({ ask }) => {
    for (const target of [NX, TURBO]) {
      const got = await ask(target);
      assert.equal(got.status, 200);
      assert.deepEqual(await got.bytes(), LARGE);
    }
  });
});

Deno.test("an answer before the end of an upload is passed on, and the rest of it is read", async () => {
  const answer = () => new Response(null, { status: 409, headers: OURS });
  await before(answer, async ({ ask }) => {
    for (let times = 0; times < 3; times++) {
      const got = await ask(NX, { method: "PUT", body: new Uint8Array(8 * 1024 * 1024) });
      await got.body?.cancel();
      assert.equal(got.status, 409);
    }
  });
});

Deno.test("a server that hangs costs everybody together one wait; then it is left alone, and found again", async () => {
  const clock = new ManualClock();
  const hung = Promise.withResolvers<void>();
  let back = false;
  const answer = async (request: Request) => {
    if (!new URL(request.url).pathname.endsWith("healthz")) await hung.promise;
    // A proxy in front of a server that is down answers, too.
    return new Response(BYTES, back ? { headers: OURS } : {});
  };
  await before(answer, async ({ ask, relay }, asked) => {
    const first = [NX, TURBO].map((target) => ask(target));
    await until(() => asked.length === 2, "two requests arrive");
    clock.advance(RELAY_WAIT_MS - 1);
    const last = ask(GRADLE);
    await until(() => asked.length === 3, "a third one arrives");
    clock.advance(1);
    for (const got of await Promise.all([...first, last])) {
      assert.equal(got.status, 404);
      await got.body?.cancel();
    }
    assert.deepEqual([relay.report().hidden, relay.report().outages], [3, 1]);

    const put = await ask(NX, { method: "PUT", body: LARGE });
    await put.body?.cancel();
    assert.equal(put.status, 403);
    assert.equal(asked.length, 3, "a server that is left alone was asked");

    clock.advance(RELAY_REST_MS);
    await until(() => asked.length === 4, "the relay looks whether it is back");
    await until(() => clock.sleeping === 1, "it goes on resting");
    assert.equal((await ask(NX, { method: "HEAD" })).status, 404);
    assert.equal(asked.length, 4, "a proxy was taken for the server");
    back = true;
    hung.resolve();
    clock.advance(RELAY_REST_MS);
    await until(() => asked.length === 5, "the relay looks again");
    await until(() => clock.sleeping === 0, "it is taken for well");
    const again = await ask(NX);
    assert.deepEqual(await again.bytes(), BYTES);
  }, clock);
});

Deno.test("uploads to a server that hangs are dropped, small and large", async () => {
  for (const body of [BYTES, LARGE]) {
    const clock = new ManualClock();
    const never = Promise.withResolvers<Response>();
    await before(() => never.promise, async ({ ask, relay }, asked) => {
      const put = ask(GRADLE, { method: "PUT", body });
      await until(() => asked.length === 1, "the upload arrives");
      // What is still on its way to the server is no wait for its answer.
      let done = false;
      void put.then(() => done = true);
      await until(() => {
        clock.advance(RELAY_WAIT_MS / 4);
        return done;
      }, "the upload is given up");
      const got = await put;
      assert.equal(got.status, 200);
      assert.equal(got.headers.get("vitte-miss-reason"), "timeout");
      await got.body?.cancel();
      assert.equal(relay.report().outages, 1);
      never.resolve(new Response(null, { headers: OURS }));
    }, clock);
  }
});

Deno.test("a body that stands still is given up, small or large", async () => {
  for (const size of [1000, LARGE.length]) {
    const clock = new ManualClock();
    const sent = Promise.withResolvers<void>();
    const answer = () => {
      let parts = 0;
      const body = new ReadableStream<Uint8Array<ArrayBuffer>>({
        pull: (controller) => {
          if (parts++ === 0) return controller.enqueue(BYTES);
          sent.resolve();
          return new Promise(() => {});
        },
      }, { highWaterMark: 0 });
      return new Response(body, { headers: { ...OURS, "content-length": `${size}` } });
    };
    await before(answer, async ({ ask, relay }) => {
      const asked = ask(TURBO).then((got) => got.ok ? got.bytes().then(String) : got.text());
      const outcome = asked.catch(() => "broken");
      await sent.promise;
      await until(() => {
        clock.advance(RELAY_WAIT_MS / 4);
        return relay.report().outages === 1;
      }, "the body is given up");
      assert.match(await outcome, size > SMALL_BODY_BYTES ? /^broken$/ : /timeout/);
    }, clock);
  }
});

Deno.test("who sends all of a body first and listens then has his answer, though the server is gone", async () => {
  await using server = turningServer([]);
  await withRelay(server.url, async ({ relay }) => {
    const bytes = 16 * 1024 * 1024;
    const { hostname, port } = new URL(relay.url);
    using connection = await Deno.connect({ hostname, port: Number(port) });
    const write = async (part: Uint8Array) => {
      for (let at = 0; at < part.length;) at += await connection.write(part.subarray(at));
    };
    const head = `PUT ${NX} HTTP/1.1\r\nhost: relay\r\nconnection: close\r\n` +
      `authorization: Bearer ${relay.token.reveal()}\r\ncontent-length: ${bytes}\r\n\r\n`;
    await write(new TextEncoder().encode(head));
    for (let sent = 0; sent < bytes; sent += LARGE.length) {
      await write(LARGE.subarray(0, bytes - sent));
    }
    const buffer = new Uint8Array(4096);
    const count = await connection.read(buffer);
    assert.match(new TextDecoder().decode(buffer.subarray(0, count ?? 0)), /^HTTP\/1\.1 403 /);
  });
});

Deno.test("a path that can be read in two ways goes nowhere", async () => {
  await before(() => new Response(BYTES, { headers: OURS }), async ({ ask, relay }, asked) => {
    for (const target of ["/nx//v1/cache/1", "/nx/v1/cache/%2f"]) {
      const got = await ask(target);
      assert.equal(got.status, 400, target);
      await got.body?.cancel();
    }
    assert.equal(asked.length, 0);
    assert.equal(relay.report().hidden, 0);
  });
});
