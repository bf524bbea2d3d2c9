/** The files that a run writes: what they were before, whether they may be stored, and back again. */
import { closeSync, lstatSync, openSync, readlinkSync, readSync } from "node:fs";
import { dirname, relative } from "node:path";
import type { TreePlace } from "../../client/tree/tree_place.ts";
import type { SignalOptions } from "../../core/bytes.ts";
import type { Cache } from "../../core/cache.ts";
import type { Clock } from "../../core/clock.ts";
import type { Entry } from "../../core/entry.ts";
import { CacheError } from "../../core/errors.ts";
import { READ_SLICE_BYTES } from "../../core/limits.ts";
import type { Snapshot } from "./file_states.ts";
import { settle, snapshot, untouched } from "./file_states.ts";
import { isAtOrBelow } from "./input_files.ts";
import type { RunRequest } from "./run_request.ts";
import type { SecretSearch } from "./secret_scanner.ts";
import type { PrintedBytes, RunRecord } from "./stored_run.ts";
import { draftOf, storePrinted } from "./stored_run.ts";

/** Outputs before and after a run. */
export class OutputWatch {
  readonly #paths: readonly string[];
  /** Text: why it is not known. */
  readonly #before: Snapshot | string;

  private constructor(paths: readonly string[], before: Snapshot | string) {
    this.#paths = paths;
    this.#before = before;
  }

  /**
   * Looks at the outputs before the run. They are left where they are: a tool that goes on from its
   * last result may do so, and a run that fails takes nothing away.
   */
  static async begin(
    paths: readonly string[],
    { clock, signal }: { readonly clock: Clock; readonly signal: AbortSignal },
  ): Promise<OutputWatch> {
    let before: Snapshot;
    try {
      before = snapshot(paths);
      await settle(before, clock, signal);
    } catch (thrown) {
      signal.throwIfAborted();
      return new OutputWatch(paths, unseen(thrown));
    }
    return new OutputWatch(paths, before);
  }

  /**
   * Looks at the outputs after the run: why they may not be stored, or how many bytes they have.
   * That they can not be looked at is such a reason, and no failure of the run.
   */
  end(secrets: SecretSearch): { readonly problem?: string | undefined; readonly bytes: number } {
    try {
      const problem = this.#problem(secrets);
      const files = problem === undefined ? [...snapshot(this.#paths).keys()] : [];
      return { problem, bytes: files.reduce((sum, path) => sum + lstatSync(path).size, 0) };
    } catch (thrown) {
      return { problem: unseen(thrown), bytes: 0 };
    }
  }

  #problem(secrets: SecretSearch): string | undefined {
    if (typeof this.#before === "string") return this.#before;
    for (const path of this.#paths) {
      const missing = lstatSync(path, { throwIfNoEntry: false }) === undefined;
      if (missing) return `it did not make its output ${path}`;
    }
    const after = snapshot(this.#paths);
    for (const path of after.keys()) {
      const inName = secrets.in(path);
      // Such a path is not printed either.
      if (inName !== undefined) return `${inName} is in the name of an output`;
      const found = secretIn(path, secrets);
      if (found !== undefined) return `${found} is in its output ${path}`;
    }
    const [old] = untouched(this.#before, after);
    if (old !== undefined) return `${old} is older than the run, which did not write it`;
    const [changed] = changes(after, snapshot(this.#paths));
    return changed && `${changed} still changes after the run`;
  }
}

/** Stores the outputs as a tree, with what was printed; `false` when somebody else was faster. */
export async function storeOutputs(
  cache: Cache,
  record: RunRecord,
  printed: PrintedBytes,
  request: RunRequest,
  options: SignalOptions & { readonly clock: Clock },
): Promise<boolean> {
  const { saveTree } = await import("../../client/tree/save_tree.ts");
  const blobs = await storePrinted(cache, record.namespace, printed, options);
  const draft = { ...draftOf(record), blobs };
  const { outcome } = await saveTree(cache, draft, placesOf(request), {
    ...options,
    // They were written just now: every one is read.
    statFolder: undefined,
  });
  return outcome === "saved";
}

/**
 * Writes the outputs of a stored run, each file beside its place and renamed; `false` when bytes
 * were lost meanwhile.
 * @throws {CacheError} `corrupt` for a tree that is refused, before anything is written
 */
export async function restoreOutputs(
  cache: Cache,
  entry: Entry,
  request: RunRequest,
  options: SignalOptions & { readonly clock: Clock },
): Promise<boolean> {
  const { readTree } = await import("../../client/tree/find_tree.ts");
  const { restoreTree } = await import("../../client/tree/restore_tree.ts");
  const entries = await readTree(cache, entry, options);
  if (!entries) return false;
  const places = placesOf(request);
  const missing = places.find(({ name }) => !entries.some(({ path }) => isAtOrBelow(path, name)));
  if (missing) {
    throw new CacheError(
      "corrupt",
      `Cannot use the entry "${entry.key}": "${missing.name}" is not in it`,
      {
        operation: "exec.load",
      },
    );
  }
  await restoreTree(cache.blobs(entry.namespace), entries, places, {
    ...options,
    statFolder: undefined,
  });
  return true;
}

function placesOf({ root, outputs }: RunRequest): TreePlace[] {
  // Links on the way to an output are the caller's own; nothing in it is written through one.
  return outputs.map((path) => ({ path, name: relative(root, path), anchor: dirname(path) }));
}

/** Words for a person, of files that may not be read or went away under one's eyes. */
function unseen(thrown: unknown): string {
  const { code, path } = thrown as { code?: unknown; path?: unknown };
  const where = typeof path === "string" ? ` ${path}` : "";
  return `its outputs can not be looked at: ${typeof code === "string" ? code : "failed"}${where}`;
}

function changes(a: Snapshot, b: Snapshot): string[] {
  return [...new Set([...a.keys(), ...b.keys()])].filter((path) => a.get(path) !== b.get(path));
}

function secretIn(path: string, secrets: SecretSearch): string | undefined {
  const stats = lstatSync(path);
  if (stats.isSymbolicLink()) return secrets.in(readlinkSync(path));
  if (!stats.isFile()) return undefined;
  const scanner = secrets.scanner();
  const buffer = new Uint8Array(READ_SLICE_BYTES);
  const descriptor = openSync(path, "r");
  try {
    while (scanner.found === undefined) {
      const count = readSync(descriptor, buffer);
      if (count === 0) break;
      scanner.push(buffer.subarray(0, count));
    }
    return scanner.found;
  } finally {
    closeSync(descriptor);
  }
}
