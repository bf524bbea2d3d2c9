/** Which program a word means, as the kernel would find it, and what that program is made of. */
import {
  accessSync,
  closeSync,
  constants,
  openSync,
  readSync,
  realpathSync,
  statSync,
} from "node:fs";
import { basename, resolve } from "node:path";
import { CacheError } from "../../core/errors.ts";
import { MAX_INTERPRETERS } from "../../core/build_limits.ts";

/** Where programs are looked for. */
export interface SearchOptions {
  /** The working folder, absolute. */
  readonly cwd: string;
  /** The variable PATH; `undefined` is taken as the system's default. */
  readonly path: string | undefined;
}

const DEFAULT_PATH = "/usr/local/bin:/usr/bin:/bin";
/** Bytes of a script's first line that the kernel reads. */
const SHEBANG_BYTES = 256;

/**
 * The files that run when the word is called, links followed: the program, then the interpreter
 * that its first line names, then that one's, … Behind `/usr/bin/env NAME` the program NAME too.
 * @throws {CacheError} `not_found` when there is none, `permission_denied` when it may not be run
 */
export function findExecutable(word: string, options: SearchOptions): string[] {
  const files: string[] = [];
  let next: string | undefined = word;
  while (next !== undefined && files.length <= MAX_INTERPRETERS) {
    const file = find(next, options);
    files.push(file);
    const [interpreter, ...words]: string[] = shebang(file);
    if (interpreter === undefined) return files;
    // The kernel takes the path as it stands; `env` looks its first word up.
    const behind: string | undefined = basename(interpreter) === "env"
      ? programOf(words)
      : undefined;
    if (behind !== undefined) files.push(find(interpreter, options));
    next = behind ?? resolve(options.cwd, interpreter);
  }
  return files;
}

function find(word: string, { cwd, path = DEFAULT_PATH }: SearchOptions): string {
  if (word.includes("/")) {
    const file = resolve(cwd, word);
    const state = look(file);
    if (state === "yes") return realpathSync(file);
    throw noProgram(word, state);
  }
  let refused = false;
  for (const folder of word === "" ? [] : path.split(":")) {
    // An empty entry is the working folder, as POSIX has it.
    const file = resolve(cwd, folder, word);
    const state = look(file);
    if (state === "yes") return realpathSync(file);
    if (state === "may not") refused = true;
  }
  throw noProgram(word, refused ? "may not" : "no");
}

function look(file: string): "yes" | "no" | "may not" {
  try {
    if (!statSync(file).isFile()) return "may not";
    accessSync(file, constants.X_OK);
    return "yes";
  } catch (thrown) {
    const { code } = thrown as { code?: unknown };
    if (code === "EACCES" || code === "EPERM") return "may not";
    if (code === "ENOENT" || code === "ENOTDIR" || code === "ELOOP") return "no";
    throw thrown;
  }
}

function noProgram(word: string, state: "no" | "may not"): CacheError {
  if (state === "no") {
    return new CacheError("not_found", `Cannot run "${word}": no such program`, {
      operation: "exec.find",
      hint: "is it in PATH? a program of the working folder is called ./NAME",
    });
  }
  return new CacheError("permission_denied", `Cannot run "${word}": it may not be executed`, {
    operation: "exec.find",
    hint: "is it a program, and has it the right x?",
  });
}

/** The words of `#!…`; none for what is no script, or may be run but not read. */
function shebang(file: string): string[] {
  let descriptor: number;
  try {
    descriptor = openSync(file, "r");
  } catch (thrown) {
    if ((thrown as { code?: unknown }).code === "EACCES") return [];
    throw thrown;
  }
  try {
    const bytes = new Uint8Array(SHEBANG_BYTES);
    const count = readSync(descriptor, bytes, 0, SHEBANG_BYTES, 0);
    const [line = ""] = new TextDecoder("latin1").decode(bytes.subarray(0, count)).split("\n", 1);
    if (!line.startsWith("#!")) return [];
    return line.slice(2).trim().split(/[ \t]+/).filter((word) => word !== "");
  } finally {
    closeSync(descriptor);
  }
}

/** The program among the words of `env`: behind its options and assignments. */
function programOf(words: readonly string[]): string | undefined {
  return words.find((word) => !word.startsWith("-") && !word.includes("="));
}
