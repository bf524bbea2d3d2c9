/**
 * A server under a flood of requests that are nearly right (`VITTE_FUZZ_REQUESTS` of them, the seed
 * is printed): no 5xx but those that mean it, nothing written by who may not, nothing lost that was
 * acknowledged, nothing left open, no file outside its folder.
 */
import assert from "node:assert/strict";
import { fuzzHttp } from "../fuzz/http_fuzz.ts";
import { fromFileUrl } from "../helpers/paths.ts";
import { startServer } from "../helpers/real_server.ts";
import { listFiles, tempDir } from "../helpers/temp.ts";

const REQUESTS = Number(Deno.env.get("VITTE_FUZZ_REQUESTS") ?? 6000);
/** MB that the server may have grown to: its caches have limits. */
const MOST_MB = 600;
/** Descriptors that a server may have more afterwards: segments that were opened meanwhile. */
const MORE_DESCRIPTORS = 30;

Deno.test(`http fuzz: ${REQUESTS} requests leave a server that is whole`, async () => {
  await using outer = await tempDir("vrc-fuzz-");
  const dir = outer.join("store");
  await using server = await startServer(dir, { args: ["--threads", "2"] });
  const tokens = {
    admin: server.adminToken,
    writer: await makeToken(server, "fuzz-writer", ["read", "write"]),
    reader: await makeToken(server, "fuzz-reader", ["read"]),
  };
  const port = Number(new URL(server.url).port);
  const world = { host: `127.0.0.1:${port}`, tokens, routes: await routes() };
  const before = descriptors(server.pid);

  const report = await fuzzHttp(world, port, REQUESTS);
  const seen = [...report.counts].sort().map(([what, count]) => `${what} ${count}`);
  const memory = residentMb(server.pid);
  console.info(`${REQUESTS} requests, seed ${report.seed}: ${seen.join(", ")}`);
  console.info(`${report.stored.length} blobs acknowledged; ${memory.toFixed(0)} MB resident`);

  assert.deepEqual(report.faults, []);
  assert.doesNotMatch(server.log(), /internal error|TypeError|RangeError|Uncaught/);
  for (const hex of report.stored) await readBack(server.url, tokens.reader, hex);
  await until(() => descriptors(server.pid) <= before + MORE_DESCRIPTORS);
  assert.ok(memory < MOST_MB, `${memory} MB`);
  const outside = (await listFiles(outer.path)).filter((path) => !path.startsWith("store/"));
  assert.deepEqual(outside, [], "no file outside the store");
  const health = await fetch(`${server.url}/healthz`);
  await health.body?.cancel();
  assert.equal(health.status, 200);
  assert.equal(await server.stop(), 0);
});

interface Server {
  readonly url: string;
  readonly adminToken: string;
}

async function makeToken({ url, adminToken }: Server, name: string, verbs: string[]) {
  const response = await fetch(`${url}/v1/tokens`, {
    method: "POST",
    headers: { authorization: `Bearer ${adminToken}`, "content-type": "application/json" },
    body: JSON.stringify({ name, verbs }),
  });
  assert.equal(response.status, 201);
  return (await response.json()).token as string;
}

/** The routes of the API's description; those that read the whole store are asked by other tests. */
async function routes() {
  const text = await Deno.readTextFile(fromFileUrl("../../docs/openapi.json"));
  const paths = JSON.parse(text).paths as Record<string, Record<string, unknown>>;
  return Object.entries(paths)
    .filter(([path]) => !path.startsWith("/v1/admin/"))
    .map(([path, methods]) => ({
      path,
      methods: Object.keys(methods).filter((name) => name !== "parameters"),
    }));
}

async function readBack(url: string, token: string, hex: string): Promise<void> {
  const response = await fetch(`${url}/v1/blobs/sha256-${hex}`, {
    headers: { authorization: `Bearer ${token}` },
  });
  assert.equal(response.status, 200, `the acknowledged blob ${hex} is there`);
  const hash = await crypto.subtle.digest("SHA-256", await response.bytes());
  assert.equal(new Uint8Array(hash).toHex(), hex);
}

function descriptors(pid: number): number {
  return [...Deno.readDirSync(`/proc/${pid}/fd`)].length;
}

function residentMb(pid: number): number {
  const text = Deno.readTextFileSync(`/proc/${pid}/status`);
  return Number(/VmRSS:\s+(\d+)/.exec(text)![1]) * 1024 / 1e6;
}

async function until(holds: () => boolean): Promise<void> {
  const end = performance.now() + 20_000;
  while (!holds()) {
    assert.ok(performance.now() < end, "what was opened is closed again");
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}
