/**
 * Real builds under `with` whose server hangs, dies or turns hostile: none fails, and what that costs
 * is printed and bounded. Without the relay of `with` Nx fails in all of these.
 */
import assert from "node:assert/strict";
import type { BuildCache } from "../helpers/ill_server.ts";
import { TOKEN, turningServer, TURNS } from "../helpers/hostile_server.ts";
import type { Built, RealTool } from "../helpers/real_builds.ts";
import { run, runtimeFolder, SOURCE_PROGRAM, startServer } from "../helpers/real_server.ts";
import type { RealServer } from "../helpers/real_server.ts";
import { tempDir } from "../helpers/temp.ts";
import { gradle } from "../helpers/tools/gradle.ts";
import { metro } from "../helpers/tools/metro.ts";
import { nx } from "../helpers/tools/nx.ts";
import { turborepo } from "../helpers/tools/turborepo.ts";

/**
 * Seconds that an outage may cost a build: one wait of 2 s (4 s for a large upload), and as much for
 * the tool's own doing. On top of it the machine may be half as fast as it was for the healthy build.
 */
const MOST_SECONDS = 4;
const HIDDEN = /warning: the cache failed while the command ran: \d+ answers? became/;

/** What happens to a server, as words between `with` and the tool, or as a step of the task. */
const OUTAGES: Readonly<Record<string, (pid: number) => Partial<BuildCache>>> = {
  "hung before the first request": (pid) => ({ under: before(`kill -STOP ${pid}`) }),
  "hung in the middle": (pid) => ({ meanwhile: `kill -STOP ${pid}` }),
  "killed before the first request": (pid) => ({ under: before(`kill -KILL ${pid}`) }),
  "killed in the middle": (pid) => ({ meanwhile: `kill -KILL ${pid}` }),
};

/** Words that do something and then become the words behind them. */
function before(command: string): string[] {
  return ["sh", "-c", `${command}; exec "$@"`, "sh"];
}

/** `with --`, and then `more`. */
function withWords(url: string, token: string, more: readonly string[] = []): string[] {
  const env = [`DENO_DIR=${runtimeFolder()}`, `VITTE_CACHE_URL=${url}`, `VITTE_TOKEN=${token}`];
  return ["env", ...env, ...SOURCE_PROGRAM, "with", "--", ...more];
}

/** A token that builds may have. */
async function writerOf({ url, adminToken }: RealServer): Promise<string> {
  const words = ["token", "create", "ci", "--allow", "read,write", "--url", url];
  const made = await run([...SOURCE_PROGRAM, ...words], { env: { VITTE_TOKEN: adminToken } });
  assert.equal(made.code, 0, made.stderr);
  return made.stdout.trim();
}

interface Timed extends Built {
  readonly seconds: number;
}

async function timed(tool: RealTool, home: string, cache: BuildCache, input?: string) {
  await Deno.mkdir(home);
  const began = performance.now();
  const built = await tool.build(home, cache, input);
  assert.equal(built.code, 0, built.said);
  assert.notEqual(built.out, "");
  return { ...built, seconds: (performance.now() - began) / 1000 } satisfies Timed;
}

/** Prints what a build cost more than one with a healthy cache, and holds it to the bound. */
function judge(what: string, built: Timed, healthy: Timed): void {
  const cost = built.seconds - healthy.seconds;
  console.log(
    `${what}: ${built.seconds.toFixed(1)} s, healthy ${healthy.seconds.toFixed(1)} s: ` +
      `costs ${cost.toFixed(1)} s`,
  );
  assert.match(built.said, HIDDEN, built.said);
  const most = MOST_SECONDS + healthy.seconds;
  assert.ok(cost < most, `${what} costs ${cost} s, want less than ${most} s`);
}

for (const tool of [nx, turborepo(true), gradle, metro]) {
  Deno.test(`${tool.tool} builds under with, whatever becomes of the server`, async (t) => {
    await using folder = await tempDir();
    let healthy: Timed | undefined;
    await t.step("healthy: the second build is all hits", async () => {
      // Programs and packages that are used for the first time are no part of the comparison.
      await using other = await startServer(folder.join("warm store"));
      const warm = withWords(other.url, await writerOf(other));
      await timed(tool, folder.join("warm"), { url: "", token: "", under: warm });
      await using server = await startServer(folder.join("store"));
      const given = { url: "", token: "", under: withWords(server.url, await writerOf(server)) };
      healthy = await timed(tool, folder.join("one"), given);
      assert.match(healthy.said, tool.miss);
      const second = await timed(tool, folder.join("two"), given);
      assert.match(second.said, tool.hit);
      assert.equal(second.out, healthy.out);
      assert.doesNotMatch(healthy.said + second.said, HIDDEN);
    });
    const baseline = healthy;
    if (!baseline) return;

    for (const [name, outage] of Object.entries(OUTAGES)) {
      await t.step(name, async () => {
        await using server = await startServer(folder.join(`store ${name}`));
        const { under, meanwhile } = outage(server.pid);
        const built = await timed(tool, folder.join(name), {
          url: "",
          token: "",
          under: withWords(server.url, await writerOf(server), under),
          ...(meanwhile === undefined ? {} : { meanwhile }),
        });
        // A process that is stopped hears nothing else.
        await server.kill();
        judge(`${tool.tool}, server ${name}`, built, baseline);
      });
    }

    for (const [name, turn] of Object.entries(TURNS)) {
      await t.step(name, async () => {
        await using server = turningServer(turn);
        const given = { url: "", token: "", under: withWords(server.url, TOKEN) };
        const built = await timed(tool, folder.join(name), given);
        judge(`${tool.tool}, server answers with ${name}`, built, baseline);
      });
    }
  });
}
