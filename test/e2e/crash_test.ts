/** The server killed at random moments under parallel uploads: nothing acknowledged is lost. */
import assert from "node:assert/strict";
import { seededRandom } from "../helpers/random.ts";
import type { RealServer } from "../helpers/real_server.ts";
import { startServer } from "../helpers/real_server.ts";
import { tempDir } from "../helpers/temp.ts";

/** How often the server is killed; the long form is `VITTE_KILLS=200`. */
const KILLS = Number(Deno.env.get("VITTE_KILLS") ?? 12);
const WRITERS = 6;
const random = seededRandom("VITTE_CRASH_SEED");

interface Sent {
  readonly hash: string;
  acknowledged: boolean;
}

Deno.test(`serve keeps every acknowledged entry over ${KILLS} SIGKILLs under load`, async () => {
  await using folder = await tempDir();
  const dir = `${folder.path}/store`;
  /** Every value ever sent for a key: the newest acknowledged one, or one sent after it, is right. */
  const sent = new Map<string, Sent[]>();
  let acknowledged = 0;
  let checked = 0;
  for (let round = 0; round < KILLS; round++) {
    const server = await startServer(dir);
    await checkAll(server, sent, round === KILLS - 1 ? undefined : 150);
    const stop = new AbortController();
    const writers = Array.from({ length: WRITERS }, (_, n) => write(server, n, stop.signal));
    await new Promise((resolve) => setTimeout(resolve, random.integer(20, 350)));
    await server.kill();
    stop.abort();
    acknowledged += (await Promise.all(writers)).reduce((sum, count) => sum + count, 0);
  }
  await using server = await startServer(dir);
  checked = await checkAll(server, sent, undefined);
  const verified = await fetch(`${server.url}/v1/admin/verify`, {
    method: "POST",
    headers: { ...bearer(server), "content-type": "application/json" },
    body: "{}",
  });
  const report = await verified.json();
  assert.deepEqual(
    [report.quarantined, report.lost, report.broken_entries, report.problems],
    [0, 0, 0, []],
  );
  assert.ok(acknowledged > KILLS, `only ${acknowledged} writes were acknowledged`);
  console.info(
    `${KILLS} kills, ${acknowledged} acknowledged writes, ${checked} keys read back whole`,
  );

  async function write(server: RealServer, writer: number, signal: AbortSignal): Promise<number> {
    let count = 0;
    while (!signal.aborted) {
      const key = `w${writer}/k${random.integer(0, 40)}`;
      const size = random.next() < 0.7 ? random.integer(0, 4000) : random.integer(4000, 1_500_000);
      const body = random.bytes(size);
      const record: Sent = { hash: await hex(body), acknowledged: false };
      const history = sent.get(key) ?? [];
      history.push(record);
      sent.set(key, history);
      try {
        const response = await fetch(`${server.url}/v1/entries/${key}`, {
          method: "PUT",
          headers: bearer(server),
          body,
        });
        await response.body?.cancel();
        assert.ok(response.ok, `PUT ${key}: ${response.status}`);
        record.acknowledged = true;
        count++;
      } catch (thrown) {
        // The server was killed under this request: nothing is promised about its write.
        if (!(thrown instanceof TypeError)) throw thrown;
        return count;
      }
    }
    return count;
  }
});

/** Reads keys back; each must hold its newest acknowledged value or one that was sent later. */
async function checkAll(
  server: RealServer,
  sent: Map<string, Sent[]>,
  most: number | undefined,
): Promise<number> {
  const keys = [...sent.keys()].sort(() => random.next() - 0.5).slice(0, most);
  for (const key of keys) {
    const history = sent.get(key)!;
    const newest = history.findLastIndex((record) => record.acknowledged);
    const response = await fetch(`${server.url}/v1/entries/${key}`, { headers: bearer(server) });
    const body = new Uint8Array(await response.arrayBuffer());
    if (response.status === 404) {
      assert.equal(newest, -1, `${key}: an acknowledged entry is gone`);
      continue;
    }
    assert.equal(response.status, 200, key);
    const hash = await hex(body);
    const allowed = history.slice(Math.max(newest, 0)).map((record) => record.hash);
    assert.ok(allowed.includes(hash), `${key}: serves something that was not the newest`);
  }
  return keys.length;
}

function bearer(server: RealServer): Record<string, string> {
  return { authorization: `Bearer ${server.adminToken}` };
}

async function hex(bytes: Uint8Array<ArrayBuffer>): Promise<string> {
  return new Uint8Array(await crypto.subtle.digest("SHA-256", bytes)).toHex();
}
