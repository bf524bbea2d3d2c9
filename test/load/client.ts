/**
 * A load in a process of its own, so that it shares no thread with the server or the test. Takes a
 * job as JSON, prints a line of JSON when it has begun and one when it is done; it ends what has no
 * end of its own when its standard input does.
 */
import { drip } from "./jobs/drip.ts";
import type { DripJob, DripResult } from "./jobs/drip.ts";
import { drop } from "./jobs/drop.ts";
import type { DropJob, DropResult } from "./jobs/drop.ts";
import { huge } from "./jobs/huge.ts";
import type { HugeJob, HugeResult } from "./jobs/huge.ts";
import { mix } from "./jobs/mix.ts";
import type { MixJob, MixResult } from "./jobs/mix.ts";
import { probe } from "./jobs/probe.ts";
import type { ProbeJob, ProbeResult } from "./jobs/probe.ts";
import { readBack } from "./jobs/read_back.ts";
import type { ReadBackJob, ReadBackResult } from "./jobs/read_back.ts";
import { stall } from "./jobs/stall.ts";
import type { StallJob, StallResult } from "./jobs/stall.ts";

/** Every job, and what comes of it. */
export interface Jobs {
  readonly drip: [DripJob, DripResult];
  readonly drop: [DropJob, DropResult];
  readonly huge: [HugeJob, HugeResult];
  readonly mix: [MixJob, MixResult];
  readonly probe: [ProbeJob, ProbeResult];
  readonly read_back: [ReadBackJob, ReadBackResult];
  readonly stall: [StallJob, StallResult];
}
/** One of them. */
export type Job = Jobs[keyof Jobs][0];

if (import.meta.main) {
  const job: Job = JSON.parse(Deno.args[0] ?? "{}");
  const stop = new AbortController();
  const stopped = untilInputEnds().then(() => stop.abort());
  const result = await run(job, {
    stop: stop.signal,
    ready: () => console.log(JSON.stringify({ ready: true })),
  });
  console.log(JSON.stringify({ result }));
  await stopped;
}

async function run(
  job: Job,
  options: { readonly stop: AbortSignal; ready(): void },
): Promise<Jobs[keyof Jobs][1]> {
  switch (job.job) {
    case "drip":
      return await drip(job, options);
    case "drop":
      return await drop(job);
    case "huge":
      return await huge(job);
    case "mix":
      return await mix(job);
    case "probe":
      return await probe(job, options);
    case "read_back":
      return await readBack(job);
    case "stall":
      return await stall(job, options);
  }
}

async function untilInputEnds(): Promise<void> {
  const buffer = new Uint8Array(64);
  while (await Deno.stdin.read(buffer) !== null);
}
