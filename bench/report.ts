/** The page `docs/benchmarks.md`. */
import type { ContenderId } from "./contender.ts";
import type { Figure } from "./figure.ts";
import { isMet } from "./figure.ts";
import { median } from "./measured.ts";
import type { Row, Runs } from "./row.ts";
import { ratioTo } from "./row.ts";

/** Of the run that is reported. */
export interface RunFacts {
  readonly rounds: number;
  readonly seconds: number;
  readonly threads: number;
  readonly minutes: number;
  /** Names and MB. */
  readonly peaks: readonly (readonly [string, number])[];
}

/** The whole page. */
export function report(rows: readonly Row[], figures: readonly Figure[], run: RunFacts): string {
  const servers = rows[0]?.servers ?? [];
  const peaks = run.peaks.map(([name, mb]) => `${name} ${mb.toFixed(0)} MB`).join(", ");
  return `# Benchmarks

Written by \`deno task bench\`: ${run.rounds} rounds of ${run.seconds} s for each row and server, behind one of
small requests that does not count, in one run of ${
    run.minutes.toFixed(1)
  } minutes on one machine, alternating; medians. Loopback; load generator and
servers share the cores. ${navigator.hardwareConcurrency} cores, ${cpuName()}, ${Deno.build.os} ${Deno.osRelease()}, Deno ${Deno.version.deno};
${run.threads} serving threads of ours and of the floor. Bodies are random bytes, or slices of an ELF program (the
Deno executable) where a row says so.

- **vitte-remote-cache**: token checked, SHA-256 checked, every acknowledged PUT durable (\`fdatasync\`).
- **floor**: a few lines of Deno that look a token up in a Map and answer from memory; a PUT stays in
  memory, unhashed. What the runtime allows, not a cache.
- **nginx**: static files by sendfile and WebDAV PUT, 2 workers; no token, no hash, no sync.

## Against what was aimed at

| race | ours | rival | ratio (lowest-highest) | CPU ratio | at least | aim | |
| --- | --- | --- | --- | --- | --- | --- | --- |
${[...rows.flatMap(targetLines), ...figures.map(figureLine)].join("\n")}

The CPU ratio is the rival's CPU time a request over ours: the load generator takes a core of these
two, so that the ratio of rates also tells of what it left over.

![Ratios to the floor](benchmarks/floor.svg)

![Ratios to nginx](benchmarks/nginx.svg)

## Figures: rate / CPU seconds per 10,000 requests (per GB for 100 MB) / p99 ms

| race | unit | ${servers.map((server) => server.name).join(" | ")} |
| --- | --- |${" --- |".repeat(servers.length)}
${
    rows.map((row) => `| ${row.race} | ${row.unit} | ${row.servers.map(cells).join(" | ")} |`)
      .join("\n")
  }

Peak memory after all rows: ${peaks}.
${failures(rows)}${figures.length === 0 ? "" : `\n${figureNotes(figures)}\n`}`;
}

function targetLines(row: Row): string[] {
  const rivals: [ContenderId, number?, number?][] = row.targets.length > 0
    ? row.targets.map(({ rival, least, aim }) => [rival, least, aim])
    : [["floor"]];
  return rivals.flatMap(([rival, least, aim]) => {
    const ratio = ratioTo(row, rival);
    if (!ratio) {
      return [`| ${row.race} | | ${rival} | not there | | ${least ?? ""} | | not measured |`];
    }
    const cpu = ratioTo(row, rival, "cpu")!;
    const ours = row.servers.find((server) => server.id === "ours")!;
    const met = least === undefined ? "" : ratio.median >= least ? "met" : "**not met**";
    return [
      `| ${row.race} | ${rate(ours).toFixed(0)} ${row.unit} | ${rival} | ${
        ratio.median.toFixed(2)
      } (${ratio.lowest.toFixed(2)}-${ratio.highest.toFixed(2)}) | ${cpu.median.toFixed(2)} | ${
        least?.toFixed(1) ?? "-"
      } | ${aim?.toFixed(1) ?? "-"} | ${met} |`,
    ];
  });
}

function figureLine(figure: Figure): string {
  const met = isMet(figure);
  const sign = figure.better === "higher" ? "≥" : "≤";
  const bound = (value?: number) => value === undefined ? "-" : `${sign} ${number(value)}`;
  const word = met === undefined ? "" : met ? "met" : "**not met**";
  return `| ${figure.name} | ${number(figure.value)} ${figure.unit} | - | - | - | ${
    bound(figure.least)
  } | ${bound(figure.aim)} | ${word} |`;
}

function figureNotes(figures: readonly Figure[]): string {
  const notes = new Map<string, string[]>();
  for (const { name, note } of figures) notes.set(note, [...notes.get(note) ?? [], name]);
  return [...notes].map(([note, names]) => `- ${names.join("; ")}: ${note}`).join("\n");
}

function number(value: number): string {
  if (value >= 10_000) return Math.round(value).toLocaleString("en");
  return value.toFixed(value < 10 ? 2 : value < 100 ? 1 : 0).replace(/\.0+$/, "");
}

function rate(server: Runs): number {
  return median(server.runs.map((one) => one.rate));
}

function cells(server: Runs): string {
  const { runs } = server;
  const p99 = runs.every((one) => one.p99Ms !== undefined)
    ? ` / ${median(runs.map((one) => one.p99Ms!)).toFixed(1)}`
    : "";
  return `${rate(server).toFixed(0)} / ${median(runs.map((one) => one.cpu)).toFixed(2)}${p99}`;
}

function failures(rows: readonly Row[]): string {
  const lines = rows.flatMap((row) =>
    row.servers.flatMap(({ name, runs }) => {
      const count = runs.reduce((sum, one) => sum + one.errors, 0);
      return count === 0 ? [] : [`- ${row.race}, ${name}: ${count} failed requests`];
    })
  );
  return lines.length === 0
    ? "No request failed.\n"
    : `\nFailed requests:\n\n${lines.join("\n")}\n`;
}

function cpuName(): string {
  const text = Deno.readTextFileSync("/proc/cpuinfo");
  return /^model name\s*:\s*(.*)$/m.exec(text)?.[1]?.trim() ?? Deno.build.arch;
}
