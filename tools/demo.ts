/**
 * Starts the server on its embedded default and builds the same thing from two folders with
 * separate local state: the second build is served from the cache.
 */
import { createHash } from "node:crypto";
import { connectCache, getOrBuild } from "../mod.ts";
import { compileAllWith } from "./demo_jobs.ts";
import type { DemoJob } from "./demo_jobs.ts";
import { chooseJob } from "./demo_jobs.ts";
import { fromHere, startServe } from "./demo_server.ts";

const folder = await Deno.makeTempDir({ prefix: "vitte-demo-" });
try {
  console.log(`Everything of this demo is below ${folder} and goes away at its end.\n`);
  const job = await chooseJob(folder);
  console.log(`Job: ${job.what}`);
  await using server = await startServe(`${folder}/store`);
  console.log(`Server: ${server.url} (its store is ${folder}/store)\n`);
  const first = await build("machine-1", job, server.url, server.token);
  const second = await build("machine-2", job, server.url, server.token);
  const same = equal(first.outputs, second.outputs);
  const stats = await (await fetch(`${server.url}/v1/stats`, {
    headers: { authorization: `Bearer ${server.token}` },
  })).json();
  console.log(
    `\nThe second build took ${(first.seconds / second.seconds).toFixed(1)} times less time; ` +
      `outputs byte-equal: ${same ? "yes" : "NO"}.`,
  );
  console.log(
    `Store: ${stats.entries} entries, ${stats.logical_bytes} bytes, stored in ` +
      `${stats.stored_bytes}; ${stats.hits} hits, ${stats.misses} misses.`,
  );
  if (!same || second.built > 0) {
    console.error("The demo failed: the second build was not served from the cache.");
    Deno.exitCode = 1;
  } else console.log(forYourBuild());
} finally {
  await Deno.remove(folder, { recursive: true });
}

interface Built {
  readonly seconds: number;
  readonly built: number;
  readonly outputs: ReadonlyMap<string, string>;
}

async function build(name: string, job: DemoJob, url: string, token: string): Promise<Built> {
  const home = `${folder}/${name}`;
  await job.prepare(home);
  await using cache = connectCache({ url, token });
  const began = performance.now();
  const outputs = new Map<string, string>();
  let built = 0;
  let bytes = 0;
  await compileAllWith(job.units, async (unit) => {
    const key = `demo/${await job.keyOf(home, unit)}`;
    const { bytes: output } = await getOrBuild(cache, key, async () => {
      built++;
      return await job.build(home, unit);
    });
    bytes += output.length;
    outputs.set(unit, createHash("sha256").update(output).digest("hex"));
  });
  const seconds = (performance.now() - began) / 1000;
  console.log(
    `${name}: ${job.units.length} outputs (${bytes} bytes) in ${seconds.toFixed(1)} s, ` +
      `${built} built, ${job.units.length - built} from the cache`,
  );
  return { seconds, built, outputs };
}

function equal(a: ReadonlyMap<string, string>, b: ReadonlyMap<string, string>): boolean {
  return a.size === b.size && [...a].every(([unit, hash]) => b.get(unit) === hash);
}

function forYourBuild(): string {
  const program = `npx -y deno@2.9.6 run -A ${fromHere("../cli.ts")}`;
  return `
For your build:
  npx -y deno@2.9.6 task start            # the cache, on http://127.0.0.1:8080

  # in your repository: finds its build tools, makes a token for each, prints their settings
  ${program} setup
  # one of them, written to files of yours alone
  ${program} setup ccache --write
  # what is wrong, and what to do
  ${program} doctor

  # any command: not run again while its inputs are the same
  ${program} exec --input 'src/**' --output dist -- make dist`;
}
