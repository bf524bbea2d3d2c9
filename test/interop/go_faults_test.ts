/** The real go command while the server is ill: every build ends well, and soon. */
import assert from "node:assert/strict";
import { GoMachine } from "../helpers/go_machine.ts";
import type { GoRan } from "../helpers/go_machine.ts";
import { SMALL_MODULE } from "../helpers/go_toolchain.ts";
import { runCli, startServer } from "../helpers/real_server.ts";
import { requireOrSkip } from "../helpers/skip.ts";
import { needSmallDisk, smallDisk } from "../helpers/small_disk.ts";
import { tempDir } from "../helpers/temp.ts";

/** Milliseconds that a server that is down or hangs may cost a whole build. */
const MOST_MS = 2_000;

function told(name: string, { facts, seconds, compiled }: GoRan): void {
  const waited = facts.lost_ms + facts.close_ms;
  console.info(
    `${name}: ${seconds.toFixed(1)} s, ${compiled} compiled, waited ${waited} ms in vain, ` +
      JSON.stringify(facts),
  );
}

function fine(ran: GoRan): void {
  assert.equal(ran.code, 0, ran.said);
  const waited = ran.facts.lost_ms + ran.facts.close_ms;
  assert.ok(waited < MOST_MS, `waited ${waited} ms: ${ran.said}`);
}

Deno.test("no state of the server fails a go build, or holds it up for two seconds", async (t) => {
  await using folder = await tempDir();
  await using daemon = await startServer(folder.join("store"));
  const server = { url: daemon.url, token: daemon.adminToken };
  const make = (name: string, more = {}) =>
    GoMachine.make(folder.join(name), SMALL_MODULE, { server, ...more });
  const first = await make("first", { words: ["--wait", "30s"] });
  const cold = await first.build();
  told("a healthy server", cold);
  assert.equal(cold.code, 0, cold.said);

  await t.step("a token that is none, that may only read, that has expired", async () => {
    const admin = (...words: string[]) =>
      runCli(["token", "create", ...words, "--url", server.url], {
        env: { VITTE_TOKEN: server.token, VITTE_TOKEN_FILE: "" },
      });
    const reader = (await admin("reader", "--allow", "read")).stdout.trim();
    const old = (await admin("old", "--allow", "read,write", "--expires", "1s")).stdout.trim();
    await untilRefused(server.url, old);
    const unknown = `vrc_${"0".repeat(16)}${server.token.slice(20)}`;
    for (const [name, token] of Object.entries({ reader, old, unknown, damaged: "nonsense" })) {
      const machine = await make(`token-${name}`, { server: { url: server.url, token } });
      const ran = await machine.build();
      told(`token: ${name}`, ran);
      fine(ran);
      const { remote_hits, uploaded } = ran.facts;
      assert.equal(uploaded, 0);
      if (name === "reader") assert.ok(remote_hits > 0);
      else assert.match(ran.said, /warning: going on without the server: Cannot/);
      if (name !== "reader") assert.equal(remote_hits, 0);
    }
  });
  await t.step("a server that sends other bytes", async () => {
    await using liar = lyingProxy(server.url);
    const machine = await make("liar", { server: { url: liar.url, token: server.token } });
    const ran = await machine.build();
    told("wrong bytes", ran);
    fine(ran);
    assert.ok(ran.facts.damaged > 0);
    assert.equal(await machine.say(), "hello\n");
    assert.deepEqual(await Deno.readFile(machine.program), await Deno.readFile(first.program));
  });
  await t.step("a local disk that is full", async (step) => {
    if (!requireOrSkip(step, await needSmallDisk())) return;
    const machine = await make("full");
    await using _disk = await smallDisk(`${machine.home}/cache`);
    const ran = await machine.build();
    told("full local disk", ran);
    fine(ran);
    assert.equal(ran.compiled, 0);
    assert.equal(await machine.say(), "hello\n");
    assert.deepEqual([...Deno.readDirSync(`${machine.home}/tmp`)], [], "what was kept elsewhere");
  });
  await t.step("a server that hangs from the beginning", async () => {
    const machine = await make("hung");
    Deno.kill(daemon.pid, "SIGSTOP");
    try {
      const ran = await machine.build();
      told("hung", ran);
      fine(ran);
      assert.match(ran.said, /warning: going on without the server for now: /);
    } finally {
      Deno.kill(daemon.pid, "SIGCONT");
    }
    assert.equal(await machine.say(), "hello\n");
  });
  await t.step("a server that hangs in the middle", async () => {
    await using gate = gateProxy(server.url, 20);
    const machine = await make("stops", { server: { url: gate.url, token: server.token } });
    const ran = await machine.build();
    told("hangs in the middle", ran);
    fine(ran);
    assert.ok(ran.facts.remote_hits > 0);
    assert.equal(await machine.say(), "hello\n");
  });
  await t.step("a server that is killed in the middle", async () => {
    // The way to it ends with it, at a request that is counted and not after a time.
    await using way = endingProxy(server.url, 20, () => daemon.kill());
    const machine = await make("killed", { server: { url: way.url, token: server.token } });
    const ran = await machine.build();
    told("killed in the middle", ran);
    fine(ran);
    assert.ok(ran.facts.remote_hits > 0);
    assert.equal(ran.facts.outages, 1);
    assert.equal(await machine.say(), "hello\n");
  });
  await t.step("no server at all", async () => {
    const machine = await make("gone");
    const ran = await machine.build();
    told("gone", ran);
    fine(ran);
    assert.equal(ran.facts.remote_hits, 0);
    assert.equal(ran.facts.outages, 1);
  });
});

/** Waits until a token has expired: the machine may be quicker than its second. */
async function untilRefused(url: string, token: string): Promise<void> {
  const headers = { authorization: `Bearer ${token}` };
  for (let look = 0; look < 500; look++) {
    const answer = await fetch(`${url}/v1/whoami`, { headers });
    await answer.body?.cancel();
    if (answer.status === 401) return;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  assert.fail("the token does not expire");
}

interface Proxy extends AsyncDisposable {
  readonly url: string;
}

function proxy(handle: (request: Request) => Promise<Response>): Proxy {
  const stop = new AbortController();
  const listener = Deno.serve({
    port: 0,
    hostname: "127.0.0.1",
    signal: stop.signal,
    onListen() {},
  }, handle);
  return {
    url: `http://127.0.0.1:${listener.addr.port}`,
    async [Symbol.asyncDispose]() {
      stop.abort();
      await listener.finished;
    },
  };
}

/** The same request to the real server. */
async function pass(to: string, request: Request): Promise<Response> {
  const { pathname } = new URL(request.url);
  const body = request.method === "PUT" ? await request.bytes() : undefined;
  const headers = new Headers(request.headers);
  headers.delete("host");
  return await fetch(to + pathname, {
    method: request.method,
    headers,
    ...(body ? { body } : {}),
  });
}

/** Turns a byte of every third body over. */
function lyingProxy(to: string): Proxy {
  let count = 0;
  return proxy(async (request) => {
    const answer = await pass(to, request);
    const bytes = await answer.bytes();
    if (answer.ok && bytes.length > 0 && ++count % 3 === 0) bytes[0]! ^= 1;
    const { status, headers } = answer;
    return new Response(status === 204 ? null : bytes, { status, headers });
  });
}

/** Lets some requests pass, then never answers again. */
function gateProxy(to: string, passing: number): Proxy {
  let count = 0;
  const closed = Promise.withResolvers<Response>();
  const inner = proxy(async (request) => {
    if (++count > passing) return await closed.promise;
    const answer = await pass(to, request);
    const { status, headers } = answer;
    const bytes = await answer.bytes();
    return new Response(status === 204 ? null : bytes, { status, headers });
  });
  return {
    url: inner.url,
    async [Symbol.asyncDispose]() {
      closed.resolve(new Response(null, { status: 503 }));
      await inner[Symbol.asyncDispose]();
    },
  };
}

/** Lets some requests pass, then kills the server and ends with all its connections. */
function endingProxy(to: string, passing: number, kill: () => Promise<void>): Proxy {
  const stop = new AbortController();
  let count = 0;
  const listener = Deno.serve({
    port: 0,
    hostname: "127.0.0.1",
    signal: stop.signal,
    onListen() {},
  }, async (request) => {
    if (++count > passing) {
      await kill();
      stop.abort();
      return new Response(null, { status: 503 }); // nobody is left to hear it
    }
    const answer = await pass(to, request);
    const { status, headers } = answer;
    const bytes = await answer.bytes();
    return new Response(status === 204 ? null : bytes, { status, headers });
  });
  return {
    url: `http://127.0.0.1:${listener.addr.port}`,
    async [Symbol.asyncDispose]() {
      stop.abort();
      await listener.finished;
    },
  };
}
