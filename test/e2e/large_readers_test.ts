/** Many downloads of a long blob from a real server: slow, fast, of ranges, dropped, of damaged bytes. */
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { longOr } from "../helpers/long.ts";
import { seededRandom } from "../helpers/random.ts";
import { startServer } from "../helpers/real_server.ts";
import type { RealServer } from "../helpers/real_server.ts";
import { tempDir } from "../helpers/temp.ts";

const SIZE = 12_000_000;
/** Downloads that are dropped before their end. */
const DROPPED = longOr(10_000, 200);
/** Of each thread's blocks 32 MB, of 64 idle readers two blocks each, and the program itself. */
const MEMORY_LIMIT_MB = 400;
const random = seededRandom("VITTE_LARGE_READERS_SEED");
const BODY = random.bytes(SIZE);

async function served(): Promise<{ server: RealServer } & AsyncDisposable> {
  const stack = new AsyncDisposableStack();
  const folder = stack.use(await tempDir());
  const args = ["--max-size", "none", "--threads", "2"];
  const server = stack.use(await startServer(`${folder.path}/store`, { args }));
  const headers = bearer(server);
  const put = await fetch(`${server.url}/v1/entries/long`, { method: "PUT", headers, body: BODY });
  await put.body?.cancel();
  assert.equal(put.status, 201);
  return { server, [Symbol.asyncDispose]: () => stack.disposeAsync() };
}

function bearer(server: RealServer): Record<string, string> {
  return { authorization: `Bearer ${server.adminToken}` };
}

/** Asks by hand, so that nothing is read before the test reads it. */
async function ask(server: RealServer): Promise<Deno.TcpConn> {
  const { hostname, port } = new URL(server.url);
  const connection = await Deno.connect({ hostname, port: Number(port) });
  const lines = [
    "GET /v1/entries/long HTTP/1.1",
    `Host: ${hostname}:${port}`,
    `Authorization: Bearer ${server.adminToken}`,
    "Connection: close",
  ];
  await connection.write(new TextEncoder().encode(`${lines.join("\r\n")}\r\n\r\n`));
  return connection;
}

/** Reads an answer to its end, `pause` milliseconds between two reads; compares each byte. */
async function compare(connection: Deno.TcpConn, pause: number): Promise<number> {
  const view = new Uint8Array(64 * 1024);
  let at = -1;
  let head = "";
  while (true) {
    const read = await connection.read(view);
    if (read === null) return at;
    let bytes = view.subarray(0, read);
    if (at < 0) {
      head += Buffer.from(bytes).toString("latin1");
      const end = head.indexOf("\r\n\r\n");
      if (end < 0) continue;
      assert.match(head, /^HTTP\/1\.1 200 /);
      bytes = new Uint8Array(Buffer.from(head.slice(end + 4), "latin1"));
      at = 0;
    }
    assert.equal(Buffer.compare(bytes, BODY.subarray(at, at + bytes.length)), 0, `from ${at} on`);
    at += bytes.length;
    if (pause > 0) await new Promise((resolve) => setTimeout(resolve, pause));
  }
}

async function peakMb(pid: number): Promise<number> {
  const status = await Deno.readTextFile(`/proc/${pid}/status`);
  return Number(/VmHWM:\s+(\d+)/.exec(status)![1]) / 1000;
}

function descriptors(pid: number): number {
  return [...Deno.readDirSync(`/proc/${pid}/fd`)].length;
}

Deno.test("long bodies from a real server", async (t) => {
  await using world = await served();
  const { server } = world;

  await t.step("64 slow readers, 16 fast ones and ranges at once all get every byte", async () => {
    const readers = Array.from({ length: 80 }, async (_, n) => {
      using connection = await ask(server);
      assert.equal(await compare(connection, n < 64 ? 1 + n % 4 : 0), SIZE);
    });
    const ranges = Array.from({ length: 16 }, async () => {
      const start = random.integer(0, SIZE - 3_000_000);
      const end = start + random.integer(1, 3_000_000);
      const headers = { ...bearer(server), range: `bytes=${start}-${end - 1}` };
      const answer = await fetch(`${server.url}/v1/entries/long`, { headers });
      // An entry has no ranges: all of it comes.
      const bytes = await answer.bytes();
      const wanted = answer.status === 206 ? BODY.subarray(start, end) : BODY;
      assert.equal(Buffer.compare(bytes, wanted), 0);
    });
    await Promise.all([...readers, ...ranges]);
  });

  await t.step(`64 readers who stop reading keep it below ${MEMORY_LIMIT_MB} MB`, async () => {
    const stopped = await Promise.all(Array.from({ length: 64 }, () => ask(server)));
    for (const connection of stopped) await connection.read(new Uint8Array(1024));
    using fast = await ask(server);
    assert.equal(await compare(fast, 0), SIZE);
    for (const connection of stopped) connection.close();
    const peak = await peakMb(server.pid);
    console.info(`peak memory of the server ${peak.toFixed(0)} MB`);
    assert.ok(peak < MEMORY_LIMIT_MB, `peak memory ${peak} MB`);
  });

  await t.step(`${DROPPED} dropped downloads leave nothing open`, async () => {
    const before = descriptors(server.pid);
    for (let n = 0; n < DROPPED; n += 50) {
      await Promise.all(Array.from({ length: 50 }, async () => {
        using connection = await ask(server);
        const view = new Uint8Array(random.integer(1, 300_000));
        await connection.read(view);
      }));
    }
    using last = await ask(server);
    assert.equal(await compare(last, 0), SIZE);
    for (let look = 0; look < 100 && descriptors(server.pid) > before + 1; look++) {
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    assert.ok(descriptors(server.pid) <= before + 1, "descriptors are back");
    const peak = await peakMb(server.pid);
    console.info(`peak memory of the server ${peak.toFixed(0)} MB`);
    assert.ok(peak < MEMORY_LIMIT_MB, `peak memory ${peak} MB`);
  });

  await t.step(
    "of a damaged body no wrong byte is sent, and the next one is told a miss",
    async () => {
      const middle = Math.floor(SIZE * 0.6);
      await damage(server.dir, BODY.subarray(middle, middle + 64));
      using connection = await ask(server);
      const got = await compare(connection, 0).catch((thrown) => {
        // The server breaks the connection off, which may come as an error.
        if (thrown instanceof Deno.errors.ConnectionReset) return 0;
        throw thrown;
      });
      assert.ok(got <= middle, `${got} bytes came, the damage is at ${middle}`);
      const headers = bearer(server);
      for (let look = 0; look < 100; look++) {
        const next = await fetch(`${server.url}/v1/entries/long`, { headers });
        await next.body?.cancel().catch(() => {});
        if (next.status === 404) return;
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
      assert.fail("the damaged blob is still promised");
    },
  );
});

/** Turns one bit of a place in the store's segments that holds these bytes. */
async function damage(dir: string, bytes: Uint8Array): Promise<void> {
  const folder = `${dir}/active`;
  for await (const { name } of Deno.readDir(folder)) {
    const at = Buffer.from(await Deno.readFile(`${folder}/${name}`)).indexOf(bytes);
    if (at < 0) continue;
    using file = await Deno.open(`${folder}/${name}`, { read: true, write: true });
    await file.seek(at, Deno.SeekMode.Start);
    await file.write(new Uint8Array([bytes[0]! ^ 1]));
    return;
  }
  assert.fail("no segment holds these bytes");
}
