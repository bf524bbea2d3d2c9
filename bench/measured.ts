/** What one run of one load saw. */
import type { Contender } from "./contender.ts";

/** One measured run. */
export interface Measured {
  /** Requests a second, or MB (10^6 bytes) a second for large bodies. */
  readonly rate: number;
  /** Milliseconds; `undefined` where the load generator does not tell. */
  readonly p99Ms: number | undefined;
  /** CPU seconds of the server per 10,000 requests, or per GB. */
  readonly cpu: number;
  /** Answers that were not the wanted ones, and connections that broke. */
  readonly errors: number;
}

/** Options of a load of small requests. */
export interface LoadOptions {
  readonly connections: number;
  readonly seconds: number;
}

/** Runs a load generator to its end; resolves with what it printed and the server's CPU seconds. */
export async function runLoad(
  server: Contender,
  program: string,
  args: readonly string[],
): Promise<{ text: string; cpuSeconds: number }> {
  const before = server.cpuSeconds();
  const command = new Deno.Command(program, {
    args: [...args],
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  });
  const done = await command.output();
  const cpuSeconds = server.cpuSeconds() - before;
  const text = new TextDecoder().decode(done.stdout);
  if (!done.success) {
    throw new Error(
      `${program} at ${server.name}: ${new TextDecoder().decode(done.stderr)}${text}`,
    );
  }
  return { text, cpuSeconds };
}

/** The first group of a pattern as a number; 0 where it is not printed. */
export function numberIn(text: string, pattern: RegExp): number {
  return Number(pattern.exec(text)?.[1] ?? 0);
}

/** The middle of these numbers. */
export function median(numbers: readonly number[]): number {
  const sorted = [...numbers].sort((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}
