/** Large bodies through a real server: equal, in little memory, and shared between versions. */
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
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

Deno.test("a body in small chunks costs about what one of known length does", async () => {
  await using folder = await tempDir();
  await using server = await startServer(`${folder.path}/store`);
  const size = 64 * MIB;
  const seconds = async (send: () => Promise<number>) => {
    const before = await processorSeconds(server.pid);
    assert.equal(await send(), 201);
    return await processorSeconds(server.pid) - before;
  };
  const bytes = random.bytes(size);
  const sized = await seconds(() =>
    putSized(server, "/v1/entries/sized", size, (n) => bytes.slice(n * MIB, (n + 1) * MIB))
  );
  bytes.reverse();
  const chunked = await seconds(() => putChunked(server, "/v1/entries/chunked", bytes, 4096));
  console.info(`64 MiB: sized ${sized.toFixed(2)} s, in chunks of 4 KiB ${chunked.toFixed(2)} s`);
  // The runtime's way to read such a body costs some forty times as much, growing with the size.
  assert.ok(chunked < 4 * sized + 1, `${chunked} s against ${sized} s`);
});

/** A chunked PUT from a socket that is never waited for: as fast as a client can be. */
async function putChunked(
  server: RealServer,
  path: string,
  bytes: Uint8Array,
  chunk: number,
): Promise<number> {
  const { hostname, port, host } = new URL(server.url);
  const head = `PUT ${path} HTTP/1.1\r\nHost: ${host}\r\n` +
    `Authorization: Bearer ${server.adminToken}\r\nTransfer-Encoding: chunked\r\n\r\n`;
  const parts = [Buffer.from(head)];
  for (let at = 0; at < bytes.length; at += chunk) {
    const part = bytes.subarray(at, at + chunk);
    parts.push(Buffer.from(`${part.length.toString(16)}\r\n`), Buffer.from(part));
    parts.push(Buffer.from("\r\n"));
  }
  parts.push(Buffer.from("0\r\n\r\n"));
  const all = Buffer.concat(parts);
  using connection = await Deno.connect({ hostname, port: Number(port) });
  for (let at = 0; at < all.length;) at += await connection.write(all.subarray(at));
  const answer = new Uint8Array(4096);
  const count = await connection.read(answer);
  const text = new TextDecoder().decode(answer.subarray(0, count ?? 0));
  return Number(/^HTTP\/1\.1 (\d+)/.exec(text)?.[1]);
}

/** Processor time that a process has used so far, its threads included. */
async function processorSeconds(pid: number): Promise<number> {
  const fields = (await Deno.readTextFile(`/proc/${pid}/stat`)).split(") ")[1]!.split(" ");
  const TICKS_PER_SECOND = 100;
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
}

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
