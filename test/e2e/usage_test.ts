/** Usage by tool, namespace and hour on a real server, over a restart. */
import assert from "node:assert/strict";
import type { RealServer } from "../helpers/real_server.ts";
import { runCli, startServer } from "../helpers/real_server.ts";
import { tempDir } from "../helpers/temp.ts";

/** Threads tell what they counted once a second. */
const WAIT_MS = 10_000;

interface Row {
  readonly group: string;
  readonly hits: number;
  readonly misses: number;
  readonly writes: number;
  readonly bytes_in: number;
  readonly saved_ms: number;
}

Deno.test("stats tells by tool, namespace and hour what was asked and saved, also after a restart", async () => {
  await using folder = await tempDir();
  const dir = `${folder.path}/store`;
  const body = "x".repeat(1000);
  const ccache = `/ccache/${"0123456789".repeat(4)}`;
  let before: { tool: Row[]; namespace: Row[]; hour: Row[] } | undefined;
  {
    await using server = await startServer(dir);
    await ask(server, "PUT", "/v1/entries/k", body, { "vitte-cost": "1500" });
    for (let n = 0; n < 3; n++) await ask(server, "GET", "/v1/entries/k");
    await ask(server, "HEAD", "/v1/entries/k");
    await ask(server, "GET", "/v1/entries/nobody");
    await ask(server, "PUT", `/ns/team${ccache}`, body);
    await ask(server, "GET", `/ns/team${ccache}`);
    await ask(server, "GET", "/v1/entries/k", undefined, { authorization: "Bearer wrong" });
    const end = Date.now() + WAIT_MS;
    let seen = 0;
    while (seen < 8 && Date.now() < end) {
      const rows = await history(server, "tool");
      seen = rows.reduce((sum, row) => sum + row.hits + row.misses + row.writes, 0);
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    const tool = await history(server, "tool");
    const one = ({ group, hits, misses, writes, bytes_in, saved_ms }: Row) =>
      [group, hits, misses, writes, bytes_in, saved_ms].join(" ");
    assert.deepEqual(tool.map(one), ["ccache 1 0 1 1000 0", "native 4 1 1 1000 4500"]);
    const namespace = await history(server, "namespace");
    assert.deepEqual(namespace.map(one), ["default 4 1 1 1000 4500", "team 1 0 1 1000 0"]);
    const hour = await history(server, "hour");
    assert.ok(hour.length >= 1 && hour.length <= 2, "one hour, two if one ends meanwhile");
    assert.match(hour[0]!.group, /^\d{4}-\d\d-\d\dT\d\d:00:00\.000Z$/);
    before = { tool, namespace, hour };
    assert.equal(await server.stop(), 0);
  }
  await using server = await startServer(dir);
  const counts = ({ group, hits, misses, writes, saved_ms }: Row) =>
    [group, hits, misses, writes, saved_ms].join(" ");
  for (const by of ["namespace", "hour"] as const) {
    const rows = await history(server, by);
    assert.deepEqual(rows.map(counts), before[by].map(counts), by);
  }
});

async function history(server: RealServer, by: string): Promise<Row[]> {
  const env = { VITTE_CACHE_URL: server.url, VITTE_TOKEN: server.adminToken };
  const ran = await runCli(["stats", "--by", by, "--since", "3h", "--json"], { env });
  assert.equal(ran.code, 0, ran.stderr);
  const stats = JSON.parse(ran.stdout);
  assert.equal(typeof stats.hits, "number", "totals stay at the top");
  return stats.history;
}

async function ask(
  server: RealServer,
  method: string,
  path: string,
  body?: string,
  headers: Record<string, string> = {},
): Promise<void> {
  const response = await fetch(server.url + path, {
    method,
    headers: { authorization: `Bearer ${server.adminToken}`, ...headers },
    body: body ?? null,
  });
  await response.body?.cancel();
}
