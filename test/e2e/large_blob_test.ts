/** Large bodies through a real server: equal, in little memory, and shared between versions. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { once } from "node:events";
import http from "node:http";
import { seededRandom } from "../helpers/random.ts";
import type { RealServer } from "../helpers/real_server.ts";
import { runCli, startServer } from "../helpers/real_server.ts";
import { tempDir } from "../helpers/temp.ts";

/** MiB of the large blob; the long form is `VITTE_LARGE_MIB=4096`. */
const LARGE_MIB = Number(Deno.env.get("VITTE_LARGE_MIB") ?? 512);
const MEMORY_LIMIT_MB = 300;
const MIB = 1024 * 1024;
const random = seededRandom("VITTE_LARGE_SEED");

Deno.test(`a blob of ${LARGE_MIB} MiB goes up and down in under ${MEMORY_LIMIT_MB} MB`, async () => {
  await using folder = await tempDir();
  await using server = await startServer(`${folder.path}/store`, {
    args: ["--max-size", "none"],
  });
  const up = createHash("sha256");
  const block = random.bytes(MIB);
  const status = await putSized(server, "/v1/entries/large", LARGE_MIB * MIB, (sent) => {
    // Every block differs in many places, so that chunks are not shared.
    new DataView(block.buffer).setUint32(0, sent, true);
    for (let i = 4; i < MIB; i += 4096) block[i] = (block[i]! + sent) % 256;
    up.update(block);
    return block.slice();
  });
  assert.equal(status, 201);
  const wanted = up.digest("hex");

  const got = await fetch(`${server.url}/v1/entries/large`, { headers: bearer(server) });
  assert.equal(got.headers.get("content-length"), String(LARGE_MIB * MIB));
  const down = createHash("sha256");
  for await (const part of got.body!) down.update(part);
  assert.equal(down.digest("hex"), wanted);
  const peak = await peakMemoryMb(server.pid);
  console.info(`${LARGE_MIB} MiB up and down, peak memory of the server ${peak.toFixed(0)} MB`);
  assert.ok(peak < MEMORY_LIMIT_MB, `peak memory ${peak} MB`);
});

Deno.test("a 200 MB file with one byte put in at the head stores less than 1 MB more", async () => {
  await using folder = await tempDir();
  await using server = await startServer(`${folder.path}/store`);
  const file = `${folder.path}/file`;
  await Deno.writeFile(file, random.bytes(200_000_000));
  await putFile(server, "v1", file);
  const before = await stats(server);
  const shifted = `${folder.path}/shifted`;
  const whole = await Deno.readFile(file);
  await Deno.writeFile(shifted, new Uint8Array([7]));
  await Deno.writeFile(shifted, whole, { append: true });
  await putFile(server, "v2", shifted);
  const after = await stats(server);
  const more = after.stored_bytes - before.stored_bytes;
  console.info(`one byte at the head of 200 MB: ${more} more stored bytes`);
  assert.ok(more > 0 && more < 1_000_000, `${more} more stored bytes`);
  assert.equal(after.logical_bytes - before.logical_bytes, 200_000_001);
  const back = `${folder.path}/back`;
  const got = await runCli(["get", "v2", "-o", back, "--url", server.url], {
    env: { VITTE_TOKEN: server.adminToken },
  });
  assert.equal(got.code, 0, got.stderr);
  assert.equal(await hashFile(back), await hashFile(shifted));
});

/** A PUT with Content-Length, block by block: `fetch` would send it chunked. */
async function putSized(
  server: RealServer,
  path: string,
  size: number,
  next: (block: number) => Uint8Array,
): Promise<number> {
  const { promise, resolve, reject } = Promise.withResolvers<number>();
  const request = http.request(server.url + path, {
    method: "PUT",
    headers: { ...bearer(server), "content-length": size },
    agent: new http.Agent({ keepAlive: false }),
  }, (response) => {
    response.resume();
    response.on("end", () => resolve(response.statusCode ?? 0));
  });
  request.on("error", reject);
  for (let sent = 0; sent < size / MIB; sent++) {
    if (!request.write(next(sent))) await once(request, "drain");
  }
  request.end();
  return await promise;
}

async function putFile(server: RealServer, key: string, file: string): Promise<void> {
  const put = await runCli(["put", key, file, "--url", server.url], {
    env: { VITTE_TOKEN: server.adminToken },
  });
  assert.equal(put.code, 0, put.stderr);
}

async function stats(server: RealServer): Promise<{ stored_bytes: number; logical_bytes: number }> {
  const { stdout, code, stderr } = await runCli(["stats", "--json", "--url", server.url], {
    env: { VITTE_TOKEN: server.adminToken },
  });
  assert.equal(code, 0, stderr);
  return JSON.parse(stdout);
}

async function hashFile(path: string): Promise<string> {
  const hash = createHash("sha256");
  using file = await Deno.open(path);
  const buffer = new Uint8Array(MIB);
  for (let n = await file.read(buffer); n !== null; n = await file.read(buffer)) {
    hash.update(buffer.subarray(0, n));
  }
  return hash.digest("hex");
}

/** VmHWM of a process, in millions of bytes. */
async function peakMemoryMb(pid: number): Promise<number> {
  const status = await Deno.readTextFile(`/proc/${pid}/status`);
  const kib = Number(/VmHWM:\s+(\d+) kB/.exec(status)?.[1]);
  assert.ok(Number.isFinite(kib), "no VmHWM");
  return kib * 1024 / 1e6;
}

function bearer(server: RealServer): Record<string, string> {
  return { authorization: `Bearer ${server.adminToken}` };
}
