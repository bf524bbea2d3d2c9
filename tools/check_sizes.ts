/** Fails when a source file grows too long: split it while it is easy. */
import { ROOT } from "./run_steps.ts";
import { typescriptFiles } from "./source_files.ts";

/** Lines above which a file says why in a line `// size: <why>` at its head, and the end of it. */
const EXPLAIN_ABOVE = 300;
const NEVER_ABOVE = 400;

/** What is wrong with one file's length, or `undefined`. */
export function sizeProblem(path: string, text: string): string | undefined {
  const lines = lineCount(text);
  if (lines > NEVER_ABOVE) return `${path}: ${lines} lines, want at most ${NEVER_ABOVE}`;
  const head = text.split("\n", 20).join("\n");
  if (lines > EXPLAIN_ABOVE && !/^\/\/ size: \S/m.test(head)) {
    return `${path}: ${lines} lines, want at most ${EXPLAIN_ABOVE} or a line "// size: <why>" at the top`;
  }
  return undefined;
}

/** Lines of a text; the newline at its end begins no further one. */
export function lineCount(text: string): number {
  return text.split("\n").length - (text.endsWith("\n") ? 1 : 0);
}

if (import.meta.main) {
  const sources = typescriptFiles().filter((path) => !/_test\.tsx?$|^test\/|^bench\//.test(path));
  const texts = sources.map((path) => [path, Deno.readTextFileSync(`${ROOT}/${path}`)] as const);
  const problems = texts.map(([path, text]) => sizeProblem(path, text)).filter((p) => p);
  const lengths = texts.map(([, text]) => lineCount(text)).sort((a, b) => a - b);
  const median = lengths[Math.floor(lengths.length / 2)] ?? 0;
  const longest = lengths.at(-1) ?? 0;
  console.log(`${lengths.length} source files, median ${median} lines, longest ${longest}`);
  for (const problem of problems) console.error(problem);
  if (problems.length > 0) Deno.exit(1);
}
