/** Which test files there are, how they are shared out, and what their run says. */
import { statfsSync } from "node:fs";
import { filesWhere, typescriptFiles } from "./source_files.ts";
import { ROOT } from "./run_steps.ts";
import type { Step } from "./run_steps.ts";

/** Folders whose tests need a network, a foreign program or minutes. */
const SLOW = /^(test\/interop|test\/e2e|test\/load|bench)\//;

/** Test files, the quick and the slow ones. */
export function testFiles(): { quick: string[]; slow: string[] } {
  const all = filesWhere((path) => /_test\.tsx?$/.test(path));
  return {
    quick: all.filter((path) => !SLOW.test(path)),
    slow: all.filter((path) => SLOW.test(path)),
  };
}

/** Folders whose files start processes or try thousands of cases: each file is a step of its own. */
const HEAVY = /^test\/(damage|fault|property|suites)\//;

/** Hooks are for all tests of a process: a file that has them must not share it. */
const HOOKS = /^Deno\.test\.(?:before|after)(?:All|Each)\(/m;

/** Where files that only import test files are written. */
const GATHERED = ".cache/tests";

/** Heavy files that take longer than a share of the small ones. */
const HEAVIEST = /^test\/(damage\/stopped|suites\/http_api_engine)_/;

/**
 * Test steps for the quick files: the heavy ones alone, the many small ones shared out to `shards`
 * processes of about equal length. What is short comes last, so that all lanes end together. Each
 * process gets one file that imports its share: with a file each, a third of the processor time goes
 * into loading the same modules again. Not `deno test --parallel`: tests that count descriptors and
 * workers need a process to themselves.
 */
export function quickTestSteps(shards: number): Step[] {
  const { quick } = testFiles();
  const alone = (path: string) =>
    HEAVY.test(path) || HOOKS.test(Deno.readTextFileSync(`${ROOT}/${path}`));
  const heavy = quick.filter(alone);
  const light = quick.filter((path) => !heavy.includes(path));
  const parts = Array.from({ length: shards }, () => ({ bytes: 0, files: [] as string[] }));
  const sized = light.map((path) => ({ path, bytes: Deno.statSync(`${ROOT}/${path}`).size }));
  sized.sort((a, b) => b.bytes - a.bytes);
  for (const { path, bytes } of sized) {
    const least = parts.reduce((a, b) => b.bytes < a.bytes ? b : a);
    least.files.push(path);
    least.bytes += bytes;
  }
  const step = (name: string, files: string[]): Step => ({ name, args: testArgs(files) });
  const each = (files: string[]) => files.map((path) => step(path, [path]));
  return [
    ...each(heavy.filter((path) => HEAVIEST.test(path))),
    ...parts.filter((part) => part.files.length > 0).map((part, at) =>
      step(
        `tests ${at + 1} of ${shards} (${part.files.length} files)`,
        [gather(`${at + 1}_of_${shards}`, part.files.sort())],
      )
    ),
    ...each(heavy.filter((path) => !HEAVIEST.test(path))),
  ];
}

/** Where Linux keeps files in memory. */
const MEMORY_FOLDER = "/dev/shm";
/** Bytes that have to be free there: many times what the folders of all lanes hold at once. */
const MEMORY_ROOM = 2 ** 31;

/**
 * Environment with which quick tests put their folders in memory, where the machine has room for
 * them: much of their time is waiting for the disk, and what they show of it they show by killing
 * and by planted faults. Empty where `TMPDIR` was chosen. `task test` lets them have the disk.
 */
export function inMemory(): Record<string, string> {
  if (Deno.build.os !== "linux" || Deno.env.has("TMPDIR")) return {};
  try {
    const { bavail, bsize, type } = statfsSync(MEMORY_FOLDER);
    return type === TMPFS_MAGIC && bavail * bsize > MEMORY_ROOM ? { TMPDIR: MEMORY_FOLDER } : {};
  } catch {
    return {}; // no such folder: the tests take the disk
  }
}

/** What `statfs` says of a tmpfs. */
const TMPFS_MAGIC = 0x01021994;

/** Writes a file that imports these test files; tells where it is. */
function gather(name: string, files: readonly string[]): string {
  const path = `${GATHERED}/${name}.ts`;
  Deno.mkdirSync(`${ROOT}/${GATHERED}`, { recursive: true });
  const lines = files.map((file) => `import "../../${file}";\n`);
  Deno.writeTextFileSync(`${ROOT}/${path}`, lines.join(""));
  return path;
}

/** Arguments that test these files; types are checked once, for all of them, by another step. */
export function testArgs(files: readonly string[]): string[] {
  return ["test", "-A", "--no-check", "--preload=./tools/leak_watch.ts", ...files];
}

/** Arguments that lint these files. */
export function lintArgs(files: readonly string[]): string[] {
  return ["lint", ...files];
}

/**
 * Slow tests that hold times or memory against each other: beside others they would measure those.
 * Not here: tests whose bound leaves room for a machine of half the speed.
 */
const ALONE = /^test\/(load\/|e2e\/(large_|exec_killed_))/;

/**
 * Slow files that take a minute or more, the longest first. They begin first: a long one that comes
 * last would run while the other lane has nothing to do.
 */
const LONGEST: readonly string[] = [
  "test/interop/outage_test.ts",
  "test/e2e/trees_test.ts",
  "test/interop/go_faults_test.ts",
  "test/interop/rush_test.ts",
  "test/e2e/planted_test.ts",
  "test/interop/gradle_test.ts",
  "test/interop/bazel_test.ts",
  "test/interop/ccache_test.ts",
  "test/interop/full_disk_test.ts",
  "test/e2e/kill_points_test.ts",
  "test/interop/go_test.ts",
  "test/interop/maven_test.ts",
  "test/e2e/doctor_test.ts",
];

/**
 * A step for each slow file; each gets a process and 20 minutes. `shared` are those that may run
 * beside one another.
 */
export function slowTestSteps(): { shared: Step[]; alone: Step[] } {
  const steps = (files: readonly string[]) =>
    files.map((path): Step => ({ name: path, args: testArgs([path]), timeoutMs: 1_200_000 }));
  const { slow } = testFiles();
  const place = (path: string) => LONGEST.includes(path) ? LONGEST.indexOf(path) : LONGEST.length;
  slow.sort((a, b) => place(a) - place(b)); // stable: the others stay by name
  return {
    shared: steps(slow.filter((path) => !ALONE.test(path))),
    alone: steps(slow.filter((path) => ALONE.test(path))),
  };
}

/** Checks that look at the source only; the type check comes first since it takes longest. */
export function staticSteps(): Step[] {
  return [
    { name: "deno check", args: ["check", "--frozen", ...typescriptFiles()] },
    { name: "deno fmt --check", args: ["fmt", "--check", "deno.json", ...typescriptFiles()] },
    { name: "deno lint", args: lintArgs(typescriptFiles()) },
    { name: "file sizes", args: ["run", "-A", "--no-check", "tools/check_sizes.ts"] },
    { name: "docs", args: ["run", "-A", "--no-check", "tools/check_docs.ts"] },
  ];
}

/** The examples in the public interface, run as tests. */
export function docTestStep(): Step {
  // Without types: Deno puts an import of every export before an example, and unused ones are errors.
  return {
    name: "examples in mod.ts",
    args: ["test", "--doc", "--no-check", "-A", "mod.ts"],
  };
}

/** How many tests ended how. */
export interface Counts {
  passed: number;
  failed: number;
  skipped: number;
}

/**
 * Reads the counts from what one `deno test` printed: tests, not their steps. A test that prints `SKIP <name>: <reason>` ran
 * but checked nothing: it counts as skipped, as an ignored test or step does. A run that ended
 * badly without naming a failed test counts as one failure.
 */
export function countTests(output: string, ok: boolean): Counts {
  const counts: Counts = { passed: 0, failed: 0, skipped: 0 };
  const summary =
    /^(?:ok|FAILED) \| (\d+) passed(?: \([^)]*\))? \| (\d+) failed(?: \([^)]*\))?(?: \| (\d+) ignored(?: \((\d+) steps?\))?)?/gm;
  // The last one: a test of this very thing may have printed others.
  const [, passed, failed, ignored, ignoredSteps] = [...output.matchAll(summary)].at(-1) ?? [];
  counts.passed = Number(passed ?? 0);
  counts.failed = Number(failed ?? 0);
  counts.skipped = Number(ignored ?? 0) + Number(ignoredSteps ?? 0);
  const said = skipLines(output).length;
  counts.skipped += said;
  counts.passed = Math.max(0, counts.passed - said);
  if (!ok && counts.failed === 0) counts.failed = 1;
  return counts;
}

/**
 * The `SKIP <name>: <reason>` lines, each once. A name in brackets is that of a test of the skip
 * line itself.
 */
export function skipLines(output: string): string[] {
  return [...new Set(output.split("\n").filter((line) => /^SKIP [^(:][^:]*: ./.test(line)))];
}
