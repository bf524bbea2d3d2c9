/** A store of a million entries: how soon it answers, and what memory that takes. */
import type { Contender } from "./contender.ts";
import { startOurs } from "./contender.ts";
import { fillKey } from "./fill_store.ts";
import type { Figure } from "./figure.ts";
import { median } from "./measured.ts";
import { fromFileUrl } from "./paths.ts";
import { fillLoad } from "./wrk.ts";

const ENTRIES = 1_000_000;
/** Starts of each kind. */
const STARTS = 5;
/** Runs that the load lasts for, and how often its memory is looked at. */
const LOAD_RUNS = 5;
const LOOK_MS = 100;
/** Until what begins after a start is over, and memory has settled. */
const SETTLE_MS = 15_000;

/** Makes the store that {@linkcode measureMillion} wants; it takes minutes. */
export async function fillMillion(dir: string): Promise<void> {
  const fill = await new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--no-check", "--config", fromFileUrl("../deno.json")]
      .concat(fromFileUrl("fill_store.ts"), "--dir", folderIn(dir), "--entries", String(ENTRIES)),
    stdout: "null",
    stderr: "inherit",
  }).output();
  if (!fill.success) throw new Error("the store could not be filled");
}

/** Starts a server on that store after clean stops and after kills, in turn. */
export async function measureMillion(
  dir: string,
  run: { readonly seconds: number; readonly threads: number },
): Promise<Figure[]> {
  const options = { folder: folderIn(dir), threads: run.threads };
  const after = { "a stop": [] as number[], "a SIGKILL": [] as number[] };
  for (let n = 0; n < STARTS * 2; n++) {
    const began = performance.now();
    await using server = await startOurs(options);
    await get(server, n);
    // What came before the first start was a stop: of the program that filled it.
    after[n % 2 === 0 ? "a stop" : "a SIGKILL"].push(performance.now() - began);
    if (n % 2 === 0) await server.kill();
  }
  await using server = await startOurs(options);
  await get(server, 0);
  await new Promise((resolve) => setTimeout(resolve, SETTLE_MS));
  const idle = server.residentMb();
  let busy = 0;
  const look = setInterval(() => busy = Math.max(busy, server.residentMb()), LOOK_MS);
  await fillLoad(server, ENTRIES, { connections: 64, seconds: run.seconds * LOAD_RUNS });
  clearInterval(look);
  const starts = Object.entries(after).map(([what, times]): Figure => ({
    name: `start with 1,000,000 entries after ${what}: first GET 200`,
    value: median(times) / 1000,
    unit: "s",
    better: "lower",
    least: 1,
    aim: 0.3,
    note: `from the start of the process, ${times.length} starts, median`,
  }));
  const memory = (what: string, value: number, least: number, aim: number): Figure => ({
    name: `memory with 1,000,000 entries, ${what}`,
    value,
    unit: "MB",
    better: "lower",
    least,
    aim,
    note:
      `${run.threads} serving threads; idle: ${SETTLE_MS / 1000} s after a start; load: GETs of ` +
      `all entries at random, the highest of what was seen every ${LOOK_MS} ms`,
  });
  return [
    ...starts,
    memory("idle", idle, 250, 120),
    memory("under 64 connections", busy, 400, 250),
  ];
}

function folderIn(dir: string): string {
  return `${dir}/million`;
}

async function get(server: Contender, n: number): Promise<void> {
  const { url, headers } = server;
  const response = await fetch(`${url}/v1/entries/${fillKey(n)}`, { headers });
  await response.body?.cancel();
  if (response.status !== 200) throw new Error(`GET of entry ${n}: ${response.status}`);
}
