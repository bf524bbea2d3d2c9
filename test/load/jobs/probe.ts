/** A token holder at work: a few connections that ask for the same small body again and again. */
import { Wire } from "../wire.ts";

/** What to do. */
export interface ProbeJob {
  readonly job: "probe";
  readonly port: number;
  readonly token: string;
  readonly target: string;
  readonly connections: number;
  readonly seconds: number;
  /** Milliseconds between an answer and the next question of a connection. */
  readonly pauseMs: number;
}

/** What it saw. */
export interface ProbeResult {
  readonly requests: number;
  readonly errors: Readonly<Record<string, number>>;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly maxMs: number;
}

/** Asks for so long; `ready` is called when the first answer is there. */
export async function probe(
  job: ProbeJob,
  options: { ready(): void },
): Promise<ProbeResult> {
  const times: number[] = [];
  const errors: Record<string, number> = {};
  const until = performance.now() + job.seconds * 1000;
  const question = { method: "GET", target: job.target, token: job.token };

  async function one(): Promise<void> {
    using wire = await Wire.to(job.port);
    while (performance.now() < until) {
      const began = performance.now();
      await wire.ask(question);
      const { status } = await wire.answer();
      if (times.push(performance.now() - began) === 1) options.ready();
      if (status !== 200) errors[status] = (errors[status] ?? 0) + 1;
      if (job.pauseMs > 0) await new Promise((resolve) => setTimeout(resolve, job.pauseMs));
    }
  }
  await Promise.all(Array.from({ length: job.connections }, one));
  return { requests: times.length, errors, ...summary(times) };
}

/** Median, 99th percentile and the longest of these times. */
export function summary(times: readonly number[]) {
  const sorted = [...times].sort((a, b) => a - b);
  const at = (share: number) =>
    sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? NaN;
  return { p50Ms: at(0.5), p99Ms: at(0.99), maxMs: at(1) };
}
