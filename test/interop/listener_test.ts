import assert from "node:assert/strict";
import { cpuUsage } from "node:process";
import { compileProgram } from "../../tools/compile.ts";
import { listen } from "../../server/listener/listen.ts";
import type { ListenerEvent } from "../../server/listener/listen.ts";
import type { ChildOptions } from "./listener_child.ts";
import { fromFileUrl } from "../helpers/paths.ts";
import { needProgram, skippable } from "../helpers/skip.ts";
import { tempDir } from "../helpers/temp.ts";

const HALF = new TextEncoder().encode("GET / HTTP/1.1\r\nHost: x\r\n");
const CHILD = fromFileUrl("../../test/interop/listener_child.ts");
const SOURCE = [Deno.execPath(), "run", "-A", "--no-check", CHILD];

type Event = { type: string; port?: number; [key: string]: unknown };

/** A listener in a process that may open only so many files. */
class StarvedServer implements AsyncDisposable {
  readonly events: Event[] = [];
  readonly #child: Deno.ChildProcess;
  readonly #reading: Promise<void>;
  constructor(program: readonly string[], descriptors: number, options: ChildOptions) {
    const [command, ...args] = program;
    const script = `ulimit -n ${descriptors}; exec "$0" "$@"`;
    this.#child = new Deno.Command("bash", {
      args: ["-c", script, command!, ...args, JSON.stringify(options)],
      stdin: "null",
      stdout: "piped",
      stderr: "inherit",
    }).spawn();
    this.#reading = this.#read();
  }
  async #read(): Promise<void> {
    let rest = "";
    for await (const text of this.#child.stdout.pipeThrough(new TextDecoderStream())) {
      const lines = (rest + text).split("\n");
      rest = lines.pop() ?? "";
      for (const line of lines) this.events.push(JSON.parse(line));
    }
  }
  has(type: string): boolean {
    return this.events.some((event) => event.type === type);
  }
  async port(): Promise<number> {
    await until(() => this.has("ready"), "the child listens");
    return this.events.find((event) => event.type === "ready")!.port!;
  }
  async [Symbol.asyncDispose]() {
    this.#child.kill("SIGTERM");
    const { code } = await this.#child.status;
    await this.#reading;
    assert.equal(code, 0, "the process was still there to be stopped");
  }
}

/** Connections that say half a header and stay. */
class Strangers implements Disposable {
  readonly #open: Deno.TcpConn[] = [];
  refused = 0;
  async come(count: number, port: number): Promise<void> {
    for (let at = 0; at < count; at++) {
      try {
        const conn = await Deno.connect({ hostname: "127.0.0.1", port });
        this.#open.push(conn);
        await conn.write(HALF);
      } catch {
        this.refused++; // the server has no place for it, or has ended it already
      }
    }
  }
  [Symbol.dispose]() {
    for (const conn of this.#open.splice(0)) conn.close();
  }
}

async function until(what: () => boolean | Promise<boolean>, why: string): Promise<void> {
  for (let look = 0; look < 1_500; look++) {
    if (await what()) return;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  assert.fail(`never: ${why}`);
}

/** Whether a new client is served right now. */
async function served(port: number, client?: Deno.HttpClient): Promise<boolean> {
  const options = client ? { client } : {};
  const scheme = client ? "https" : "http";
  const patience = new AbortController();
  const timer = setTimeout(() => patience.abort(), 2_000);
  try {
    const { signal } = patience;
    const response = await fetch(`${scheme}://localhost:${port}/`, { ...options, signal });
    return await response.text() === "hello";
  } catch {
    return false; // not yet; the caller asks again and fails at last
  } finally {
    clearTimeout(timer);
  }
}

/** The same on Deno and in an executable, where the runtime is an older one. */
async function onBoth(t: Deno.TestContext, run: (program: readonly string[]) => Promise<void>) {
  await t.step("from source", () => run(SOURCE));
  if (Deno.build.target !== "x86_64-unknown-linux-gnu") return;
  await using dir = await tempDir();
  await compileProgram(CHILD, { output: dir.join("child") });
  await t.step("compiled", () => run([dir.join("child")]));
}

const NEED = () => Deno.build.os === "linux" ? needProgram("bash") : "needs Linux";

skippable("listen() serves again, while strangers hold on, after all descriptors were taken", {
  need: NEED,
}, async (t) => {
  await onBoth(t, async (program) => {
    await using server = new StarvedServer(program, 256, { headerTimeoutMs: 60_000, sweepMs: 100 });
    const port = await server.port();
    using strangers = new Strangers();
    await strangers.come(600, port);
    await until(() => server.has("accept_failed"), "accepting fails");
    await until(() => served(port), "a new client is served among them");
    assert.ok(server.has("listening_again"));
    assert.ok(server.has("cut"));
  });
});

skippable("listen() without a reaper serves again, while strangers hold on", {
  need: NEED,
}, async (t) => {
  await onBoth(t, async (program) => {
    await using server = new StarvedServer(program, 256, { libc: false, sweepMs: 100 });
    const port = await server.port();
    using strangers = new Strangers();
    await strangers.come(600, port);
    await until(() => served(port), "a new client is served among them");
    assert.ok(server.has("rotated") || server.has("listening_again"));
  });
});

skippable("listen() serves again by itself when the strangers have left", {
  need: NEED,
}, async () => {
  await using server = new StarvedServer(SOURCE, 128, { headerTimeoutMs: 60_000, sweepMs: 60_000 });
  const port = await server.port();
  const strangers = new Strangers();
  await strangers.come(300, port);
  await until(() => server.has("accept_failed"), "accepting fails");
  strangers[Symbol.dispose]();
  await until(() => served(port), "a new client is served");
});

skippable("listen() needs little processor time to watch over 2,000 connections", {
  need: NEED,
}, async () => {
  const events: ListenerEvent[] = [];
  const listener = await listen(() => new Response("hello"), {
    hostname: "127.0.0.1",
    port: 0,
    sweepMs: 50,
    onEvent: (event) => events.push(event),
  });
  using strangers = new Strangers();
  await strangers.come(2_000, listener.addr.port);
  await until(() => listener.connections() === 2_000, "all are seen");
  const before = cpuUsage();
  await new Promise((resolve) => setTimeout(resolve, 1_000));
  const { user, system } = cpuUsage(before);
  const used = (user + system) / 1_000;
  // It may take a twentieth of the time when it looks as often as it can; the rest is the client.
  assert.ok(used < 300, `${used} ms of processor time in a second`);
  assert.deepEqual(events, []);
  strangers[Symbol.dispose]();
  await listener.shutdown(0);
});

/** A certificate for localhost that is its own authority. */
async function certify(certFile: string, keyFile: string): Promise<string> {
  const { success, stderr } = await new Deno.Command("openssl", {
    args: "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=localhost"
      .split(" ").concat(
        [
          "-addext",
          "subjectAltName=DNS:localhost",
          "-addext",
          "basicConstraints=critical,CA:FALSE",
        ],
        ["-keyout", `${keyFile}.new`, "-out", `${certFile}.new`],
      ),
    stdin: "null",
  }).output();
  assert.ok(success, new TextDecoder().decode(stderr));
  const cert = await Deno.readTextFile(`${certFile}.new`);
  await Deno.rename(`${certFile}.new`, certFile);
  await new Promise((resolve) => setTimeout(resolve, 15)); // a look may see the new pair half done
  await Deno.rename(`${keyFile}.new`, keyFile);
  return cert;
}

skippable("listen() takes a new certificate without a pause, a download with the old one goes on", {
  need: () => needProgram("openssl"),
}, async () => {
  await using dir = await tempDir();
  const tls = { certFile: dir.join("cert.pem"), keyFile: dir.join("key.pem") };
  const first = await certify(tls.certFile, tls.keyFile);
  const events: ListenerEvent[] = [];
  let feed!: ReadableStreamDefaultController<Uint8Array>;
  const listener = await listen((request) => {
    if (!request.url.endsWith("/slow")) return new Response("hello");
    return new Response(new ReadableStream({ start: (controller) => void (feed = controller) }));
  }, {
    hostname: "127.0.0.1",
    port: 0,
    tls,
    tlsPollMs: 10,
    sweepMs: 20,
    onEvent: (event) => events.push(event),
  });
  const { port } = listener.addr;
  using old = Deno.createHttpClient({ caCerts: [first] });
  assert.ok(await served(port, old));
  const slow = await fetch(`https://localhost:${port}/slow`, { client: old });
  const reader = slow.body!.getReader();
  feed.enqueue(new Uint8Array([1]));
  await reader.read();

  const second = await certify(tls.certFile, tls.keyFile);
  await until(() => events.some((event) => event.type === "tls_reloaded"), "it is reloaded");
  using fresh = Deno.createHttpClient({ caCerts: [second] });
  await until(() => served(port, fresh), "the new certificate is shown");
  using late = Deno.createHttpClient({ caCerts: [first] });
  await until(async () => !await served(port, late), "the old one is no longer shown");

  feed.enqueue(new Uint8Array([2]));
  assert.deepEqual([...(await reader.read()).value!], [2]);
  feed.close();
  assert.equal((await reader.read()).done, true);

  await Deno.writeTextFile(tls.keyFile, "not a key");
  await until(() => events.some((event) => event.type === "tls_refused"), "a bad pair is told");
  assert.ok(await served(port, fresh), "and the good one stays in use");
  await listener.shutdown(500);
});
