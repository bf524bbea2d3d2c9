/** What has no rival beside it: batches, `exec`, threads. */
import { compile } from "../tools/compile.ts";
import type { Contender } from "./contender.ts";
import { startOurs } from "./contender.ts";
import { measureExec } from "./exec.ts";
import type { Figure } from "./figure.ts";
import { fillMillion, measureMillion } from "./million.ts";
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

/** A part of the figures, by its name. */
interface Part {
  readonly name: string;
  /** What takes long and needs no quiet machine. */
  prepare?(): Promise<unknown>;
  measure(): Promise<Figure[]>;
}

/** Measures all figures whose name has `only` in it. */
export async function measureFigures(
  dir: string,
  run: FigureRun,
  only: string,
): Promise<Figure[]> {
  const parts: Part[] = [
    { name: "batch which are missing", measure: () => batches(dir, run) },
    { name: "exec hit", prepare: compile, measure: () => measureExec(dir, run.rounds) },
    {
      name: "1,000,000 entries",
      prepare: () => fillMillion(dir),
      measure: () => measureMillion(dir, run),
    },
    { name: "threads", measure: () => threads(dir, run) },
  ];
  const chosen = parts.filter(({ name }) => name.includes(only));
  await Promise.all(chosen.map((part) => part.prepare?.()));
  const figures: Figure[] = [];
  for (const { name, measure } of chosen) {
    figures.push(...await measure());
    console.error(`${name}: done`);
  }
  return figures;
}

const DIGESTS = 1000;
const BODIES = 20;
/** The first is as many as can be worked on at a time by two cores; at the others they queue. */
const BATCH_CONNECTIONS = [2, 16];

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
  const runs = new Map<number, Measured[]>(BATCH_CONNECTIONS.map((count) => [count, []]));
  for (let round = 0; round < run.rounds; round++) {
    for (const [connections, measured] of runs) {
      measured.push(await postLoad(server, post, { connections, seconds: run.seconds }));
    }
  }
  return [...runs].flatMap(([connections, measured]) => batchFigures(connections, measured, run));
}

function batchFigures(connections: number, runs: readonly Measured[], run: FigureRun): Figure[] {
  const errors = runs.reduce((sum, one) => sum + one.errors, 0);
  if (errors > 0) throw new Error(`${errors} of the batches failed`);
  // Where more wait than are worked on, the wait for one's turn is most of what p99 says.
  const aims = connections === BATCH_CONNECTIONS[0];
  const name = `batch which are missing x${connections}`;
  const note = `${DIGESTS} digests a request as bytes, every other one there, ` +
    `${run.rounds} runs of ${run.seconds} s, medians`;
  return [
    {
      name: `${name}: rate`,
      value: median(runs.map(({ rate }) => rate)) * DIGESTS,
      unit: "digests/s",
      better: "higher",
      ...(aims ? { least: 500_000, aim: 2_000_000 } : {}),
      note,
    },
    {
      name: `${name}: p99`,
      value: median(runs.map(({ p99Ms }) => p99Ms!)),
      unit: "ms",
      better: "lower",
      ...(aims ? { least: 5, aim: 1 } : {}),
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
