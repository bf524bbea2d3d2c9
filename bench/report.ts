/** Tables from measured runs. */
import type { Contender } from "./contender.ts";
import type { Measured } from "./load.ts";

/** One race's runs, by contender. */
export interface Row {
  readonly race: string;
  readonly unit: string;
  readonly measured: ReadonlyMap<string, readonly Measured[]>;
}

/** The middle of these numbers. */
export function median(numbers: readonly number[]): number {
  const sorted = [...numbers].sort((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

/** The page `docs/benchmarks.md`. */
export function report(
  rows: readonly Row[],
  servers: readonly Contender[],
  run: { rounds: number; seconds: number },
): string {
  const [ours, ...rivals] = servers.map((server) => server.name);
  const rate = (row: Row, name: string) => median(row.measured.get(name)!.map((one) => one.rate));
  const cells = (row: Row, name: string) => {
    const runs = row.measured.get(name)!;
    const p99 = runs.every((one) => one.p99Ms !== undefined)
      ? ` / ${median(runs.map((one) => one.p99Ms!)).toFixed(1)}`
      : "";
    const digits = row.unit === "req/s" ? 0 : 0;
    return `${rate(row, name).toFixed(digits)} / ${
      median(runs.map((one) => one.cpu)).toFixed(2)
    }${p99}`;
  };
  const ratio = (row: Row, rival: string) => {
    const each = row.measured.get(ours!)!.map((one, n) =>
      one.rate / row.measured.get(rival)![n]!.rate
    );
    return `${median(each).toFixed(2)} (${Math.min(...each).toFixed(2)}-${
      Math.max(...each).toFixed(2)
    })`;
  };
  const errors = rows.flatMap((row) =>
    [...row.measured].flatMap(([name, runs]) => {
      const count = runs.reduce((sum, one) => sum + one.errors, 0);
      return count === 0 ? [] : [`- ${row.race}, ${name}: ${count} failed requests`];
    })
  );
  return `# Benchmarks

Written by \`deno task bench\`: ${run.rounds} rounds of ${run.seconds} s for each row and server, in one
run on one machine, alternating; medians. Loopback; load generator and server share the cores.
${navigator.hardwareConcurrency} cores, ${Deno.build.os} ${Deno.build.arch}, Deno ${Deno.version.deno}. Bodies are random bytes.

- **vitte-remote-cache**: token checked, SHA-256 checked, every acknowledged PUT durable (\`fdatasync\`).
- **floor**: 40 lines of Deno that look a token up in a Map and answer from memory; a PUT stays in
  memory, unhashed. What the runtime allows, not a cache.
- **nginx**: static files by sendfile and WebDAV PUT, 2 workers; no token, no hash, no sync.

## Ratios: ours to theirs, median (lowest-highest)

| race | ${rivals.join(" | ")} |
| --- |${" --- |".repeat(rivals.length)}
${
    rows.map((row) => `| ${row.race} | ${rivals.map((name) => ratio(row, name)).join(" | ")} |`)
      .join("\n")
  }

## Figures: rate / CPU seconds per 10,000 requests (per GB for 100 MB) / p99 ms

| race | unit | ${[ours, ...rivals].join(" | ")} |
| --- | --- |${" --- |".repeat(rivals.length + 1)}
${
    rows.map((row) =>
      `| ${row.race} | ${row.unit} | ${
        [ours!, ...rivals].map((name) => cells(row, name)).join(" | ")
      } |`
    ).join("\n")
  }

Peak memory after all rows: ${
    servers.map((server) => `${server.name} ${server.peakMb().toFixed(0)} MB`).join(", ")
  }.
${errors.length === 0 ? "No request failed.\n" : `\nFailed requests:\n\n${errors.join("\n")}\n`}`;
}
