/** Clients that open a TLS port and stop before a word is said: they have the time of a header. */
import assert from "node:assert/strict";
import { listen } from "../../server/listener/listen.ts";
import { needProgram, skippable } from "../helpers/skip.ts";
import { tempDir } from "../helpers/temp.ts";

const HEADER_MS = 400;
/** How long a busy machine may take beyond it. */
const PATIENCE_MS = 30_000;

skippable("listen() ends who stops anywhere in a TLS handshake, and serves the others", {
  need: () => Deno.build.os === "linux" ? needProgram("openssl") : "needs Linux",
}, async (t) => {
  await using dir = await tempDir();
  const tls = { certFile: dir.join("cert.pem"), keyFile: dir.join("key.pem") };
  const { success } = await new Deno.Command("openssl", {
    args: [
      ..."req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2".split(" "),
      ...["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"],
      ...["-addext", "basicConstraints=critical,CA:FALSE"],
      ...["-keyout", tls.keyFile, "-out", tls.certFile],
    ],
    stdin: "null",
    stderr: "null",
  }).output();
  assert.ok(success, "openssl makes a certificate");
  const listener = await listen(() => new Response("hello"), {
    hostname: "127.0.0.1",
    port: 0,
    tls,
    headerTimeoutMs: HEADER_MS,
    sweepMs: 50,
  });
  const { port } = listener.addr;
  using client = Deno.createHttpClient({ caCerts: [await Deno.readTextFile(tls.certFile)] });
  const served = async () =>
    await (await fetch(`https://localhost:${port}/`, { client })).text() === "hello";
  const hello = await clientHello();
  const cases: readonly (readonly [string, Uint8Array])[] = [
    ["says nothing", new Uint8Array()],
    ["stops in the head of a record", hello.subarray(0, 3)],
    ["stops in the middle of its hello", hello.subarray(0, hello.length >> 1)],
    ["never answers the server's hello", hello],
  ];
  for (const [what, bytes] of cases) {
    await t.step(what, async () => {
      using conn = await Deno.connect({ hostname: "127.0.0.1", port });
      if (bytes.length > 0) await conn.write(bytes);
      const began = performance.now();
      assert.ok(await served(), "others are served meanwhile");
      assert.ok(await ended(conn), `still open after ${PATIENCE_MS} ms`);
      const took = performance.now() - began;
      console.info(`${what}: ended after ${took.toFixed(0)} ms of ${HEADER_MS}`);
      assert.ok(took > HEADER_MS / 2, `ended before its time: ${took} ms`);
    });
  }
  assert.ok(await served(), "and afterwards");
  await listener.shutdown(0);
});

/** Whether the server ends the connection in time; what it sends before that is thrown away. */
async function ended(conn: Deno.TcpConn): Promise<boolean> {
  let late = false;
  const timer = setTimeout(() => {
    late = true;
    conn.close();
  }, PATIENCE_MS);
  try {
    const buffer = new Uint8Array(4096);
    while (await conn.read(buffer) !== null);
  } catch {
    // Reset by the server, or closed above.
  } finally {
    clearTimeout(timer);
  }
  return !late;
}

/** The first bytes of a real client. */
async function clientHello(): Promise<Uint8Array> {
  using server = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = server.addr as Deno.NetAddr;
  const connecting = Deno.connectTls({ hostname: "127.0.0.1", port }).catch(() => undefined);
  const buffer = new Uint8Array(16_384);
  let length = 0;
  {
    using conn = await server.accept();
    length = await conn.read(buffer) ?? 0;
  }
  (await connecting)?.close();
  return buffer.slice(0, length);
}
