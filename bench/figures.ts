/** What has no rival beside it: batches, `exec`, threads. */
import type { Contender } from "./contender.ts";
import { startOurs } from "./contender.ts";
import { measureExec } from "./exec.ts";
import type { Figure } from "./figure.ts";
import { measureMillion } from "./million.ts";
import { DIGESTS_MEDIA_TYPE } from "../protocol/blob_batch.ts";
import { random } from "./bodies.ts";
import { median } from "./measured.ts";
import type { Measured } from "./measured.ts";
import { seed } from "./seed.ts";
import { getLoad, postLoad, putLoad } from "./wrk.ts";

/** How long and how often. */
export interface FigureRun {
  readonly rounds: number;
  readonly seconds: number;
  readonly threads: number;
}

/** Measures all figures whose name has `only` in it. */
export async function measureFigures(
  dir: string,
  run: FigureRun,
  only: string,
): Promise<Figure[]> {
  const parts: Record<string, () => Promise<Figure[]>> = {
    "batch which are missing": () => batches(dir, run),
    "exec hit": () => measureExec(dir, run.rounds),
    "1,000,000 entries": () => measureMillion(dir, run),
    "threads": () => threads(dir, run),
  };
  const figures: Figure[] = [];
  for (const [name, measure] of Object.entries(parts)) {
    if (!name.includes(only)) continue;
    figures.push(...await measure());
    console.error(`${name}: done`);
  }
  return figures;
}

const DIGESTS = 1000;
const BODIES = 20;

async function batches(dir: string, run: FigureRun): Promise<Figure[]> {
  await using server = await startOurs({ folder: `${dir}/batches`, threads: run.threads });
  await seed(server, "known", random(1024));
  const known = await knownDigests(server);
  const files = await Promise.all(Array.from({ length: BODIES }, async (_, n) => {
    const digests = Array.from(
      { length: DIGESTS },
      (_, i) => i % 2 === 0 ? known[(n + i) % known.length]! : hex(random(32)),
    );
    const file = `${dir}/digests-${n}`;
    await Deno.writeFile(file, Uint8Array.fromHex(digests.join("")));
    return file;
  }));
  const post = { path: "/v1/blobs/missing", contentType: DIGESTS_MEDIA_TYPE, files };
  const runs: Measured[] = [];
  for (let round = 0; round < run.rounds; round++) {
    runs.push(await postLoad(server, post, { connections: 2, seconds: run.seconds }));
  }
  const errors = runs.reduce((sum, one) => sum + one.errors, 0);
  if (errors > 0) throw new Error(`${errors} of the batches failed`);
  const note = `${DIGESTS} digests a request as bytes, every other one there, 2 connections, ` +
    `${run.rounds} runs of ${run.seconds} s, medians`;
  return [
    {
      name: "batch which are missing: rate",
      value: median(runs.map(({ rate }) => rate)) * DIGESTS,
      unit: "digests/s",
      better: "higher",
      least: 500_000,
      aim: 2_000_000,
      note,
    },
    {
      name: "batch which are missing: p99",
      value: median(runs.map(({ p99Ms }) => p99Ms!)),
      unit: "ms",
      better: "lower",
      least: 5,
      aim: 1,
      note,
    },
  ];
}

/** CPU a request and rate of ours with 1 and with 2 serving threads, in turn. */
async function threads(dir: string, run: FigureRun): Promise<Figure[]> {
  await using stack = new AsyncDisposableStack();
  const body = random(1024);
  const servers: [number, Contender][] = [];
  for (const count of [1, 2]) {
    const server = await startOurs({ folder: `${dir}/threads-${count}`, threads: count });
    servers.push([count, stack.use(server)]);
    await seed(server, "1KiB", body);
  }
  const options = { connections: 64, seconds: run.seconds };
  const loads = {
    "GET 1 KiB": (server: Contender) => getLoad(server, "1KiB", options),
    "PUT 1 KiB": (server: Contender) => putLoad(server, body, options),
  };
  const figures: Figure[] = [];
  for (const [name, load] of Object.entries(loads)) {
    const runs = new Map<number, Measured[]>([[1, []], [2, []]]);
    for (let round = 0; round < run.rounds; round++) {
      for (const [count, server] of servers) runs.get(count)!.push(await load(server));
    }
    for (const [count, measured] of runs) {
      const threads = `${name} x64, ${count} ${count === 1 ? "thread" : "threads"}`;
      const note = `${run.rounds} runs of ${run.seconds} s in turn, medians`;
      const value = (of: (one: Measured) => number) => median(measured.map(of));
      figures.push(
        { name: threads, value: value((one) => one.rate), unit: "req/s", note },
        { name: threads, value: value((one) => one.cpu), unit: "CPU s per 10,000", note },
      );
    }
  }
  return figures;
}

async function knownDigests(server: Contender): Promise<string[]> {
  const digests: string[] = [];
  for (let n = 0; n < 100; n++) {
    const body = random(1024);
    const digest = hex(new Uint8Array(await crypto.subtle.digest("SHA-256", body)));
    const response = await fetch(`${server.url}/v1/blobs/${digest}`, {
      method: "PUT",
      headers: server.headers,
      body,
    });
    await response.body?.cancel();
    if (!response.ok) throw new Error(`PUT of a blob: ${response.status}`);
    digests.push(digest);
  }
  return digests;
}

function hex(bytes: Uint8Array): string {
  return bytes.toHex();
}
