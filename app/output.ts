/** What a command prints: data to standard output, everything else to standard error. */
import type { CacheError } from "../core/errors.ts";
import { ConfigError, problemLine } from "./config/problem.ts";
import type { Environment } from "./environment.ts";

/** The name in front of every line on standard error. */
export const PROGRAM = "vitte-remote-cache";

/** Prints for people, or for machines with `--json`. */
export class Output {
  readonly json: boolean;
  readonly #environment: Environment;
  readonly #aside: boolean;

  /** `aside`: lines of JSON go to standard error, where standard output is another program's. */
  constructor(
    environment: Environment,
    options: { json?: boolean | undefined; aside?: boolean | undefined } = {},
  ) {
    this.#environment = environment;
    this.json = options.json ?? false;
    this.#aside = options.aside ?? false;
  }
  /** The result: `value` as one line of JSON, or `text` for people. */
  async result(value: unknown, text: string): Promise<void> {
    if (this.json) return await this.#line(value);
    await this.#environment.stdout(ended(text));
  }
  /** Raw data. */
  async data(bytes: Uint8Array): Promise<void> {
    await this.#environment.stdout(bytes);
  }
  /** A remark for a person; silent with `--json`. */
  note(text: string): void {
    if (!this.json) say(this.#environment, `${PROGRAM}: ${text}\n`);
  }
  /** A line of a server's log; also with `--json`. */
  log(text: string): void {
    say(this.#environment, `${PROGRAM}: ${text}\n`);
  }
  /** Something that is wrong but does not stop the command. */
  warn(text: string, hint?: string): void {
    say(this.#environment, `${PROGRAM}: warning: ${text}\n`);
    this.#hint(hint);
  }
  /** A failure: one error line, then hint lines. */
  error(message: string, hint?: string): void {
    say(this.#environment, `${PROGRAM}: error: ${shown(message)}\n`);
    this.#hint(hint);
  }
  /** A failure as a machine wants it, if `--json` was given, and as a person does. */
  async failure(error: CacheError): Promise<void> {
    if (error instanceof ConfigError) return await this.#configuration(error);
    const { kind, message } = error;
    const hint = error.hint ?? HINTS[kind];
    if (this.json) await this.#line({ error: { kind, message, hint } });
    this.error(message, hint);
  }
  /** Each problem on a line of its own. */
  async #configuration({ kind, message, problems }: ConfigError): Promise<void> {
    if (this.json) {
      const list = problems.slice(0, MOST_PROBLEMS).map(({ place, ...rest }) => ({
        ...rest,
        ...place,
      }));
      const more = problems.length - 1;
      const first = more > 0 ? `${problemLine(problems[0]!)} (and ${more} more)` : message;
      const error = { kind, message: first.slice(0, LONGEST_MESSAGE), problems: list };
      await this.#line({ error });
    }
    for (const problem of problems.slice(0, MOST_PROBLEMS)) {
      this.error(problemLine(problem), problem.hint);
    }
    const more = problems.length - MOST_PROBLEMS;
    if (more > 0) this.error(`${more} more problems in the configuration`);
  }

  #hint(hint: string | undefined): void {
    for (const line of hint?.split("\n") ?? []) {
      say(this.#environment, `${PROGRAM}: hint: ${shown(line)}\n`);
    }
  }

  async #line(value: unknown): Promise<void> {
    const text = `${JSON.stringify(value)}\n`;
    if (this.#aside) say(this.#environment, text);
    else await this.#environment.stdout(text);
  }
}

/**
 * Writes a remark to standard error. Where that can not be written (a log on a full disk, nobody
 * listens any more) there is nobody to be told, and no build and no server may end for it.
 */
export function say({ stderr }: Pick<Environment, "stderr">, data: string | Uint8Array): void {
  try {
    stderr(data);
  } catch {
    // The exit code is what is left to say something with.
  }
}

/** Lines that a broken file may fill a terminal with; a reader mends the first ones first. */
const MOST_PROBLEMS = 20;
const LONGEST_MESSAGE = 1000;

const HINTS: Readonly<Record<string, string>> = {
  unauthenticated: "give a token with --token-file, VITTE_TOKEN_FILE or VITTE_TOKEN",
  permission_denied: "ask an administrator for a token with this right (token create --allow …)",
  unavailable: "is the server running? try: vitte-remote-cache doctor",
  quota_exceeded: "make room: vitte-remote-cache gc, or raise --max-size",
};

function ended(text: string): string {
  return text === "" || text.endsWith("\n") ? text : `${text}\n`;
}

// What ends a line, moves the cursor, or turns the order of letters around.
// deno-lint-ignore no-control-regex
const UNSAFE = /[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]/g;

/** Text of somebody else, such as a key, as a terminal may show it: on one line. */
export function shown(text: string): string {
  return text.replace(UNSAFE, (c) => `\\u{${c.codePointAt(0)!.toString(16)}}`);
}

/** How many files, in words. */
export function filesText(count: number): string {
  return count === 1 ? "1 file" : `${count} files`;
}

/** Rows in columns, two blanks apart; numbers to the right. */
export function table(header: readonly string[], rows: readonly (readonly string[])[]): string {
  const all = [header, ...rows.map((row) => row.map(shown))];
  const widths = header.map((_, column) =>
    Math.max(...all.map((row) => [...(row[column] ?? "")].length))
  );
  return all.map((row) =>
    row.map((cell, column) => pad(cell, widths[column]!, isNumber(rows[0]?.[column]))).join("  ")
      .trimEnd()
  ).join("\n");
}

function isNumber(cell: string | undefined): boolean {
  return cell !== undefined && /^[\d.,]+( [KMGTP]?i?B)?$/.test(cell);
}

function pad(cell: string, width: number, right: boolean): string {
  const blanks = " ".repeat(Math.max(0, width - [...cell].length));
  return right ? blanks + cell : cell + blanks;
}
