/** What is worth reading of a step that failed. */

/** Lines that are kept of a step that is no test, or that died. */
const LAST_LINES = 200;

/**
 * The name of a step, and what it printed without the tests that went well: what failed and what
 * it said meanwhile, the errors, and the list of names that Deno prints at the end.
 */
export function failureText(name: string, output: string): string {
  const wentWell = /^( *)(.+) \.\.\. ok \([^()]*\)$/;
  const lines = output.trimEnd().split("\n");
  const kept: string[] = [];
  for (const line of lines) {
    const [, indent, test] = wentWell.exec(line) ?? [];
    if (test === undefined) {
      kept.push(line);
      continue;
    }
    // What it said stands between its name and its end.
    const begin = kept.lastIndexOf(`${indent}${test} ...`);
    if (begin >= 0) kept.length = begin;
  }
  const wanted = kept.filter((line) => !/^running \d+ tests? from /.test(line));
  const cut = wanted.length > LAST_LINES && !wanted.includes(" ERRORS ");
  const shown = cut ? wanted.slice(-LAST_LINES) : wanted;
  return `\n=== ${name} failed ===\n${shown.join("\n")}\n`;
}
