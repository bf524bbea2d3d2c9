/** What a run is asked for, and everything that its result depends on. */
import { lstatSync, readlinkSync, realpathSync, statSync } from "node:fs";
import { relative } from "node:path";
import { digestOf } from "../../core/digest.ts";
import type { Digest } from "../../core/digest.ts";
import { CacheError } from "../../core/errors.ts";
import { MAX_TREE_ENTRIES } from "../../core/limits.ts";
import { findExecutable } from "./executable.ts";
import type { RunFacts, RunInput } from "./exec_key.ts";
import { linkDigest } from "./exec_key.ts";
import type { FileDigests } from "./file_digests.ts";
import { filesIn, isAtOrBelow, matchingFiles } from "./input_files.ts";

/** One run as the command line asks for it. */
export interface RunRequest {
  readonly words: readonly [string, ...string[]];
  /** The working folder, absolute. */
  readonly cwd: string;
  /** What paths in the key are relative to, absolute. */
  readonly root: string;
  /** Patterns, relative to the working folder. */
  readonly inputs: readonly string[];
  /** Absolute paths. */
  readonly outputs: readonly string[];
  /** Names of variables that are part of the key. */
  readonly variables: readonly string[];
  readonly salt: string;
  /** Whether what it prints is stored and shown again. */
  readonly printed: boolean;
}

/** What {@linkcode runFacts} looks at. */
export interface Surroundings {
  env(name: string): string | undefined;
  readonly digests: FileDigests;
}

/**
 * The facts of a run, as things are now.
 * @throws {CacheError} `invalid_argument` for a pattern that matches nothing
 * or an input that can not be read, and what finding the program throws
 */
export function runFacts(request: RunRequest, { env, digests }: Surroundings): RunFacts {
  const { cwd, root, words, outputs } = request;
  const programs = findExecutable(words[0], { cwd, path: env("PATH") });
  const inputs = new Inputs(request, digests);
  return {
    os: Deno.build.os,
    arch: Deno.build.arch,
    salt: request.salt,
    folder: nameIn(root, cwd),
    words,
    programs: programs.map((path) => digests.of(path)),
    variables: new Map(request.variables.map((name) => [name, env(name)])),
    inputs: inputs.all(),
    outputs: outputs.map((path) => nameIn(root, path)).sort(),
    printed: request.printed,
  };
}

/** The inputs of one request, and what links among them lead to. */
class Inputs {
  readonly #request: RunRequest;
  readonly #digests: FileDigests;
  /** Folders behind links, each taken once: links may go in circles. */
  readonly #entered = new Set<string>();
  #behindLinks = 0;

  constructor(request: RunRequest, digests: FileDigests) {
    this.#request = request;
    this.#digests = digests;
  }

  all(): RunInput[] {
    const { inputs, cwd, root } = this.#request;
    return matchingFiles(inputs, cwd).filter((path) => this.#isInput(path))
      .map((path) => this.#input(path, nameIn(root, path)));
  }

  /** What the run writes is no input, though a pattern may match it. */
  #isInput(path: string): boolean {
    return !this.#request.outputs.some((output) => isAtOrBelow(path, output));
  }

  #input(path: string, name: string): RunInput {
    if (!lstatSync(path).isSymbolicLink()) {
      const kind = (statSync(path).mode & 0o111) === 0 ? "file" : "program";
      return { path: name, kind, digest: this.#digests.of(path) };
    }
    const far = statSync(path, { throwIfNoEntry: false });
    const contents = far?.isFile()
      ? this.#digests.of(path)
      : far?.isDirectory()
      ? this.#folder(realpathSync(path))
      : undefined;
    return { path: name, kind: "link", digest: linkDigest(readlinkSync(path), contents) };
  }

  /** Of everything in a folder that a link leads to; `undefined` when it counts already. */
  #folder(folder: string): Digest | undefined {
    if (this.#entered.has(folder)) return undefined;
    this.#entered.add(folder);
    const paths = filesIn(folder).filter((path) => this.#isInput(path));
    this.#behindLinks += paths.length;
    if (this.#behindLinks > MAX_TREE_ENTRIES) {
      throw new CacheError(
        "invalid_argument",
        `Cannot use the links among the inputs: more than ${MAX_TREE_ENTRIES} files are behind them`,
        { operation: "exec.read", hint: "!PATTERN takes a link out" },
      );
    }
    const found = paths.map((path) => this.#input(path, relative(folder, path)));
    return digestOf(
      new TextEncoder().encode(
        JSON.stringify(found.map(({ path, kind, digest }) => [path, kind, digest])),
      ),
    );
  }
}

/** A path relative to the root where it is below it; empty for the root itself. */
function nameIn(root: string, path: string): string {
  return isAtOrBelow(path, root) ? relative(root, path) : path;
}
