import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { AUTHORITY, CERT, KEY } from "../test/helpers/certificate.ts";
import { ROOT } from "../test/helpers/paths.ts";
import { run } from "../test/helpers/real_server.ts";
import { tempDir } from "../test/helpers/temp.ts";

const urlOf = (path: string) => JSON.stringify(new URL(path, import.meta.url).href);

/** What a process does that trusts, or does not trust, the authority by `DENO_CERT`. */
const CLIENT = `
import { connectCache } from ${urlOf("./connect.ts")};

const MIB = 1024 * 1024;
const bytes = new Uint8Array(3 * MIB).fill(7);
const open = () => ReadableStream.from([bytes.slice(0, 2 * MIB), bytes.slice(2 * MIB)]);
const source = { size: bytes.length, replayable: true, open };
const said = [];

async function note(cache, namespace, abortAfter) {
  const abort = new AbortController();
  const { signal } = abort;
  if (abortAfter !== undefined) setTimeout(() => abort.abort(new Error("enough")), abortAfter);
  try {
    said.push((await cache.blobs(namespace).put(undefined, source, { signal })).size);
  } catch (thrown) {
    said.push(thrown.kind ?? thrown.message);
  }
}

// The runtime opens socket pairs of its own at any time; a connection is no Unix socket.
async function connections() {
  const unix = new Set((await Deno.readTextFile("/proc/self/net/unix")).split(/\\s+/));
  let count = 0;
  for (const { name } of [...Deno.readDirSync("/proc/self/fd")]) {
    try {
      const [, id] = /^socket:.(\\d+)/.exec(Deno.readLinkSync("/proc/self/fd/" + name)) ?? [];
      if (id && !unix.has(id)) count++;
    } catch (thrown) {
      if (!(thrown instanceof Deno.errors.NotFound)) throw thrown;
    }
  }
  return count;
}

{
  await using cache = connectCache({ url: Deno.args[0] });
  await note(cache, "good");
  await note(cache, "good");
  await note(cache, "refused");
  await note(cache, "silent", 20);
  for (let after = 0; after < 6; after++) await note(cache, "silent", after);
}
for (let look = 0; look < 1000 && await connections() > 0; look++) {
  await new Promise((resolve) => setTimeout(resolve, 10));
}
const left = await connections();
console.log(JSON.stringify({ said, left }));
`;

Deno.test("Large uploads over TLS trust whom the runtime trusts, and leave no connection", async () => {
  await using folder = await tempDir();
  const authority = folder.join("authority.pem");
  const script = folder.join("client.ts");
  await Deno.writeTextFile(authority, AUTHORITY);
  await Deno.writeTextFile(script, CLIENT);
  const lengths: (string | null)[] = [];
  const release = Promise.withResolvers<Response>();
  const stop = new AbortController();
  const server = Deno.serve({
    port: 0,
    hostname: "127.0.0.1",
    cert: CERT,
    key: KEY,
    signal: stop.signal,
    onListen() {},
  }, async ({ url, body, headers }) => {
    if (url.includes("/refused/")) {
      return new Response(null, { status: 413, headers: { "x-request-id": "1" } });
    }
    if (url.includes("/silent/")) return await release.promise;
    lengths.push(headers.get("content-length"));
    const hash = createHash("sha256");
    let size = 0;
    for await (const part of body ?? []) {
      hash.update(part);
      size += part.length;
    }
    return Response.json({ digest: `sha256-${hash.digest("hex")}`, size });
  });
  const client = async (env: Record<string, string>) => {
    const config = `${ROOT}/deno.json`;
    const args = ["run", "-A", "--no-lock", "--no-check", "--config", config, script];
    const url = `https://localhost:${server.addr.port}`;
    const { code, stdout, stderr } = await run([Deno.execPath(), ...args, url], { env });
    assert.equal(code, 0, stderr);
    return JSON.parse(stdout);
  };
  try {
    const size = 3 * 1024 * 1024;
    const enough = Array(7).fill("enough");
    const trusting = await client({ DENO_CERT: authority });
    assert.deepEqual(trusting, { said: [size, size, "too_large", ...enough], left: 0 });
    assert.deepEqual(lengths, [String(size), String(size)]);
    const strange = await client({});
    assert.equal(strange.left, 0);
    assert.deepEqual(strange.said.slice(0, 3), ["unavailable", "unavailable", "unavailable"]);
    assert.equal(lengths.length, 2);
  } finally {
    release.resolve(new Response(null));
    stop.abort();
    await server.finished;
  }
});
