/**
 * A table of damages under a real server, and to its folder while it is stopped: no wrong byte over
 * HTTP, the alarm in metrics, log, `stats` and `doctor`, and `verify --repair --from` another server.
 */
import assert from "node:assert/strict";
import { equalBytes } from "../../core/bytes.ts";
import { BYTE_KINDS, FILE_KINDS } from "../damage/kinds.ts";
import { filesOf } from "../damage/records.ts";
import type { Span, StoreFile } from "../damage/records.ts";
import { buildWorld } from "../damage/world.ts";
import type { World } from "../damage/world.ts";
import { harnessNth } from "../helpers/long.ts";
import { seededRandom } from "../helpers/random.ts";
import { runCli, startServer } from "../helpers/real_server.ts";
import type { RealServer } from "../helpers/real_server.ts";
import { tempDir } from "../helpers/temp.ts";

const ARGS = ["--max-size", "32MiB", "--scrub-rate", "none"];

/** What happens to which file, and whether blobs must be missing after it. */
const CASES: readonly { kind: string; type: StoreFile["type"]; lossy: boolean }[] = [
  { kind: "flips", type: "data pack", lossy: true },
  { kind: "zero", type: "data pack", lossy: true },
  { kind: "swap", type: "data pack", lossy: true },
  { kind: "duplicate", type: "data pack", lossy: true },
  { kind: "left out", type: "data pack", lossy: true },
  { kind: "half cut", type: "data pack", lossy: true },
  { kind: "empty", type: "active data", lossy: true },
  { kind: "garbage behind", type: "active data", lossy: false },
  { kind: "exchange", type: "data pack", lossy: true },
  { kind: "delete", type: "data pack", lossy: true },
  { kind: "page of noise", type: "log pack", lossy: false },
  { kind: "half cut", type: "active log", lossy: false },
  { kind: "delete", type: "index.sqlite", lossy: false },
  { kind: "delete", type: "packs.sqlite", lossy: false },
  { kind: "flips", type: "audit", lossy: false },
];

interface Looked {
  readonly wrong: number;
  readonly lost: number;
  readonly reads: number;
}

/** Reads every blob over HTTP. */
async function look(server: RealServer, world: World): Promise<Looked> {
  const sum = { wrong: 0, lost: 0, reads: 0 };
  for (const { namespace, digest, bytes } of world.blobs) {
    const path = namespace === "default" ? "" : `/ns/${namespace}`;
    const url = `${server.url}${path}/v1/blobs/${digest}`;
    const headers = { authorization: `Bearer ${world.tokens.admin}` };
    const response = await fetch(url, { headers });
    sum.reads++;
    try {
      const got = new Uint8Array(await response.arrayBuffer());
      if (response.status !== 200) sum.lost++;
      else if (!equalBytes(got, bytes)) sum.wrong++;
    } catch {
      sum.lost++; // a broken stream: what came is known not to be the whole
    }
  }
  return sum;
}

async function ask(server: RealServer, path: string, token: string): Promise<string> {
  const response = await fetch(server.url + path, {
    headers: { authorization: `Bearer ${token}` },
  });
  assert.equal(response.status, 200, path);
  return await response.text();
}

Deno.test("damage under a real server, and to the folder of a stopped one", async (t) => {
  const random = seededRandom("VITTE_DAMAGE_SEED");
  await using whole = await tempDir();
  const world = await buildWorld(whole.path, random);
  const files = await filesOf(whole.path);
  const copy = async (dir: string) => {
    await new Deno.Command("cp", { args: ["-a", whole.path, dir] }).output();
  };
  await using peerFolder = await tempDir();
  await copy(peerFolder.join("store"));
  await using peer = await startServer(peerFolder.join("store"), { args: ARGS });
  const tokenFile = peerFolder.join("token");
  await Deno.writeTextFile(tokenFile, world.tokens.admin, { mode: 0o600 });
  const total = { cases: 0, wrong: 0, lost: 0, reads: 0, mended: 0 };

  for (const stopped of [false, true]) {
    for (const { kind, type, lossy } of harnessNth(CASES, 4)) {
      // Under a server that has them open, tables and log are not read again.
      if (!stopped && (type.endsWith("sqlite") || type.endsWith("log"))) continue;
      await t.step(`${kind}: ${type}, ${stopped ? "stopped" : "running"}`, async () => {
        await using temp = await tempDir();
        const dir = temp.join("store");
        await copy(dir);
        const damage = async () => {
          const same = files.filter((file) => file.type === type);
          const file = same[0]!;
          const record = file.records[file.records.length >> 1];
          const span: Span = record ?? { from: 0, to: file.size };
          const spot = { dir, path: file.path, span, other: same[1]?.path, random };
          await (FILE_KINDS[kind] ?? BYTE_KINDS[kind]!)(spot);
        };
        if (stopped) await damage();
        await using server = await startServer(dir, { args: ARGS });
        if (!stopped) await damage();
        const seen = await look(server, world);
        assert.equal(seen.wrong, 0, "WRONG BYTES");
        if (!lossy) assert.equal(seen.lost, 0);
        else assert.ok(seen.lost > 0 && seen.lost < seen.reads, `${seen.lost} lost`);
        const admin = world.tokens.admin;
        if (lossy) {
          const metrics = await ask(server, "/metrics", admin);
          assert.match(metrics, /^vitte_quarantined_total [1-9]/m);
          assert.ok(JSON.parse(await ask(server, "/v1/stats", admin)).quarantined > 0);
          assert.match(server.log(), /ALARM/);
          const told = await runCli(
            ["doctor", "--url", server.url, "--token-file", tokenFile],
            { env: { XDG_CONFIG_HOME: temp.join("config") } },
          );
          assert.match(told.stdout, /damaged records are quarantined/);
        }
        const env = { XDG_CONFIG_HOME: temp.join("config") };
        const at = ["--url", server.url, "--token-file", tokenFile];
        const from = ["--from", peer.url, "--from-token-file", tokenFile];
        const repair = await runCli(["verify", "--repair", ...from, ...at, "--json"], { env });
        assert.equal(repair.code, 0, repair.stdout + repair.stderr);
        const report = JSON.parse(repair.stdout);
        assert.equal(report.absent, 0, "the other server has everything");
        assert.equal(report.lost, 0, "everything came back");
        const after = await look(server, world);
        assert.deepEqual([after.wrong, after.lost], [0, 0], "all of it is served again");
        const clean = await runCli(["verify", ...at, "--json"], { env });
        assert.equal(clean.code, 0, clean.stdout);
        total.cases++;
        for (const name of ["wrong", "lost", "reads"] as const) {
          total[name] += seen[name] + after[name];
        }
        total.mended += report.mended;
      });
    }
  }
  console.info(`damage, real servers: ${JSON.stringify(total)}`);
});

Deno.test("verify --repair --from refuses what a lying server sends, and drops cleanly what nobody has", async () => {
  const random = seededRandom("VITTE_DAMAGE_SEED");
  await using temp = await tempDir();
  const dir = temp.join("store");
  const world = await buildWorld(dir, random);
  const file = (await filesOf(dir)).find(({ type }) => type === "data pack")!;
  const span = { from: 56, to: file.recordsEnd };
  const spot = { dir, path: file.path, span, other: undefined, random };
  await BYTE_KINDS["noise"]!(spot);
  const digests = new Set(world.blobs.map(({ digest }) => digest));
  // It has everything, and all of it is something else.
  const liar = Deno.serve({ port: 0, hostname: "127.0.0.1", onListen() {} }, (request) => {
    const digest = [...digests].find((one) => request.url.includes(one));
    const size = world.blobs.find((blob) => blob.digest === digest)?.bytes.length ?? 0;
    return new Response(random.bytes(size), { headers: { etag: `"${digest}"` } });
  });
  const tokenFile = temp.join("token");
  await Deno.writeTextFile(tokenFile, world.tokens.admin, { mode: 0o600 });
  const from = ["--from", `http://127.0.0.1:${liar.addr.port}`, "--from-token-file", tokenFile];
  const env = { XDG_CONFIG_HOME: temp.join("config") };
  const repair = await runCli(["verify", "--repair", ...from, "--dir", dir, "--json"], { env });
  await liar.shutdown();
  assert.equal(repair.code, 0, repair.stderr);
  const report = JSON.parse(repair.stdout);
  assert.equal(report.mended, 0);
  assert.ok(report.absent > 0 && report.lost === report.absent, repair.stdout);
  await using server = await startServer(dir, { args: ARGS });
  const seen = await look(server, world);
  assert.deepEqual([seen.wrong, seen.lost], [0, report.lost], "dropped, and nothing else");
});
