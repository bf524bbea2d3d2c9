/** What is wrong with a configuration, in one shape for every file. */
import { CacheError } from "../../core/errors.ts";

/** A place in a file; lines and columns are counted from 1. */
export interface Place {
  readonly line: number;
  readonly column: number;
}

/** One thing that is wrong. Never holds a secret. */
export interface ConfigProblem {
  readonly file: string;
  /** `undefined` for what concerns the whole file. */
  readonly place?: Place | undefined;
  /** As it is written: `remote-cache.url`. */
  readonly key?: string | undefined;
  /** What should stand there, such as `a URL`. */
  readonly expected: string;
  /** What stands there, such as `the number 5`. */
  readonly found: string;
  readonly hint?: string | undefined;
}

/** Everything that is wrong with the configuration, at once. */
export class ConfigError extends CacheError {
  readonly problems: readonly ConfigProblem[];

  constructor(problems: readonly ConfigProblem[]) {
    const hint = problems.length === 1 ? problems[0]!.hint : undefined;
    super("invalid_argument", problems.map(problemLine).join("; "), {
      operation: "config.read",
      ...(hint === undefined ? {} : { hint }),
    });
    this.problems = problems;
  }
}

/** `FILE:LINE:COLUMN: "key": want …, found …`. */
export function problemLine(problem: ConfigProblem): string {
  const { file, place, key, expected, found } = problem;
  const where = place ? `${file}:${place.line}:${place.column}` : file;
  return `${where}: ${key === undefined ? "" : `"${key}": `}want ${expected}, found ${found}`;
}
