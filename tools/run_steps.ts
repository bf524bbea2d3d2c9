/** Runs `deno` child processes as named steps, a few at a time, and keeps what they print. */

import { systemClock } from "../core/clock.ts";

/** One thing to run with the `deno` that runs us. */
export interface Step {
  readonly name: string;
  /** Arguments of `deno`. */
  readonly args: readonly string[];
  /** Milliseconds after which it is killed and counts as failed; default 10 minutes. */
  readonly timeoutMs?: number;
  readonly env?: Readonly<Record<string, string>>;
}

/** What became of a step. */
export interface StepResult {
  readonly step: Step;
  readonly ok: boolean;
  readonly seconds: number;
  /** Standard output and error as they came, without colours. */
  readonly output: string;
}

/** The top of the project, without a trailing slash. */
export const ROOT = new URL("..", import.meta.url).pathname.replace(/\/$/, "");

/** How many quick steps run at once: one more than there are processors, since many wait for the disk. */
export function atOnceQuick(): number {
  return Math.max(2, Math.min(4, navigator.hardwareConcurrency + 1));
}

/**
 * Runs the steps in order, `atOnce` at a time, and calls `report` as each ends. A failed step does
 * not stop the others. Resolves with all results in the order of `steps`.
 */
export async function runSteps(
  steps: readonly Step[],
  options: { atOnce: number; report: (result: StepResult) => void },
): Promise<StepResult[]> {
  const results: StepResult[] = [];
  let next = 0;
  const lane = async () => {
    while (next < steps.length) {
      const at = next++;
      const result = await runStep(steps[at]!);
      results[at] = result;
      options.report(result);
    }
  };
  await Promise.all(Array.from({ length: options.atOnce }, lane));
  return results;
}

async function runStep(step: Step): Promise<StepResult> {
  const began = performance.now();
  const timeoutMs = step.timeoutMs ?? 600_000;
  const child = new Deno.Command(Deno.execPath(), {
    args: [...step.args],
    cwd: ROOT,
    env: { NO_COLOR: "1", ...step.env },
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  let late = false;
  const timer = setTimeout(() => {
    late = true;
    child.kill("SIGKILL");
  }, timeoutMs);
  const parts: string[] = [];
  const collect = async (stream: ReadableStream<Uint8Array<ArrayBuffer>>) => {
    for await (const text of stream.pipeThrough(new TextDecoderStream())) parts.push(text);
  };
  // The pipes are not awaited for ever: a grandchild that outlives a killed step may hold them.
  const pipes = Promise.all([collect(child.stdout), collect(child.stderr)]);
  const status = await child.status;
  clearTimeout(timer);
  const patience = new AbortController();
  await Promise.race([
    pipes.finally(() => patience.abort()),
    systemClock.sleep(2000, patience.signal).catch(() => {}), // aborted: the pipes have ended
  ]);
  if (late) parts.push(`\nkilled after ${timeoutMs / 1000} s\n`);
  const seconds = (performance.now() - began) / 1000;
  return { step, ok: status.success, seconds, output: parts.join("") };
}

/** Prints one line for a step. */
export function printResult(result: StepResult): void {
  const word = result.ok ? "ok    " : "FAILED";
  console.log(`${word} ${result.seconds.toFixed(1).padStart(6)} s  ${result.step.name}`);
}
