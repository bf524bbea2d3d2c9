/** What a run is asked for, and everything that its result depends on. */
import { lstatSync, readlinkSync, statSync } from "node:fs";
import { relative } from "node:path";
import type { Digest } from "../../core/digest.ts";
import { findExecutable } from "./executable.ts";
import type { RunFacts, RunInput } from "./exec_key.ts";
import { linkDigest } from "./exec_key.ts";
import type { FileDigests } from "./file_digests.ts";
import { isAtOrBelow, matchingFiles } from "./input_files.ts";

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
  // What the run writes is no input, though a pattern may match it.
  const inputs = matchingFiles(request.inputs, cwd)
    .filter((path) => !outputs.some((output) => isAtOrBelow(path, output)));
  return {
    os: Deno.build.os,
    arch: Deno.build.arch,
    salt: request.salt,
    folder: nameIn(root, cwd),
    words,
    programs: programs.map((path) => digests.of(path)),
    variables: new Map(request.variables.map((name) => [name, env(name)])),
    inputs: inputs.map((path) => inputOf(path, nameIn(root, path), digests)),
    outputs: outputs.map((path) => nameIn(root, path)).sort(),
    printed: request.printed,
  };
}

function inputOf(path: string, name: string, digests: FileDigests): RunInput {
  if (!lstatSync(path).isSymbolicLink()) {
    const kind = (statSync(path).mode & 0o111) === 0 ? "file" : "program";
    return { path: name, kind, digest: digests.of(path) };
  }
  const target = readlinkSync(path);
  const contents: Digest | undefined = statSync(path, { throwIfNoEntry: false })?.isFile()
    ? digests.of(path)
    : undefined;
  return { path: name, kind: "link", digest: linkDigest(target, contents) };
}

/** A path relative to the root where it is below it; empty for the root itself. */
function nameIn(root: string, path: string): string {
  return isAtOrBelow(path, root) ? relative(root, path) : path;
}
