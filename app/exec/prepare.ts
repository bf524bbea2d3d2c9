/** What an execution needs before it begins: the root, the secrets to search for, the turns. */
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import { CacheError } from "../../core/errors.ts";
import { TOLERANT_STALL_MS } from "../../core/build_limits.ts";
import { Secret } from "../../core/secret.ts";
import { parseToken } from "../../core/token.ts";
import type { StoreName, StoreSettings } from "../config/resolve_store.ts";
import type { Environment } from "../environment.ts";
import { UsageError } from "../exit_codes.ts";
import { openResolved } from "../open_named_store.ts";
import type { Output } from "../output.ts";
import type { Tolerance } from "../tolerance.ts";
import { factsSecret } from "./exec_key.ts";
import type { ExecutionParts } from "./execution.ts";
import { isAtOrBelow } from "./input_files.ts";
import type { OutputLock } from "./output_lock.ts";
import { lockOutputs } from "./output_lock.ts";
import { rootFolder } from "./root_folder.ts";
import type { RunRequest } from "./run_request.ts";
import type { NamedSecret } from "./secret_scanner.ts";
import { isSearchable, SecretSearch } from "./secret_scanner.ts";

/** What {@linkcode prepare} goes by. */
export interface PrepareOptions {
  readonly output: Output;
  readonly tolerance: Tolerance;
  readonly request: Omit<RunRequest, "root">;
  /** Names of variables whose values must not be stored. */
  readonly secretNames: readonly string[];
  /** Which store is meant, as flags say. */
  readonly store: StoreName;
}

/** What {@linkcode prepare} finds. */
export interface Prepared
  extends Pick<ExecutionParts, "open" | "lock" | "secrets" | "factsSecret" | "refusal"> {
  readonly root: string;
}

/** @throws {UsageError} for outputs outside of the project */
export async function prepare(
  environment: Environment,
  options: PrepareOptions,
): Promise<Prepared> {
  const { request, tolerance, store } = options;
  const root = rootFolder(request.cwd);
  for (const path of request.outputs) {
    if (isAtOrBelow(path, root) && path !== root) continue;
    throw new UsageError(
      `--output ${path} is not below the project's root ${root}`,
      "the root is the folder of .vitte/config.toml or .git, else the working folder",
    );
  }
  const settings = await settingsOf(environment, tolerance, store);
  const token = settings?.token?.value.reveal();
  const named = secretsOf(environment, options.secretNames, token);
  const short = named.find((secret) => !isSearchable(secret));
  const issued = token === undefined ? undefined : parseToken(token);
  return {
    root,
    secrets: new SecretSearch(named),
    refusal: short && `${short.name} is too short to be searched for in what it writes`,
    open: async () => {
      if (!settings) throw new CacheError("internal", "Cannot open the cache: none is known");
      return await openResolved(environment, settings, { idleMs: TOLERANT_STALL_MS });
    },
    factsSecret: factsSecret({
      salt: request.salt,
      serverKey: issued?.type === "issued" ? issued.serverKey : undefined,
    }),
    lock: (paths) => takeTurns(environment, options.output, paths),
  };
}

/** `undefined` when they can not be known: then the cache is left alone, with a warning. */
async function settingsOf(
  environment: Environment,
  tolerance: Tolerance,
  store: StoreName,
): Promise<StoreSettings | undefined> {
  try {
    const { resolveStore } = await import("../config/resolve_store.ts");
    return await resolveStore(environment, store);
  } catch (thrown) {
    tolerance.give("find out which cache is meant", thrown);
    return undefined;
  }
}

/** Values that are not set can not come up. */
function secretsOf(
  environment: Environment,
  names: readonly string[],
  token: string | undefined,
): NamedSecret[] {
  const found = [["the token", token], ["VITTE_TOKEN", environment.env("VITTE_TOKEN")?.trim()]]
    .concat(names.map((name) => [name, environment.env(name)]));
  return found.flatMap(([name, value]) => value ? [{ name: name!, value: new Secret(value) }] : []);
}

async function takeTurns(
  environment: Environment,
  output: Output,
  paths: readonly string[],
): Promise<OutputLock | undefined> {
  const { clock, interrupted } = environment;
  const home = environment.env("HOME");
  const caches = environment.env("XDG_CACHE_HOME") || (home ? `${home}/.cache` : tmpdir());
  try {
    return await lockOutputs(paths.map(realName), {
      folder: `${caches}/vitte-remote-cache-locks`,
      clock,
      signal: interrupted,
      onWait: () => output.note("another run writes the same files: waiting for its end"),
    });
  } catch (thrown) {
    interrupted.throwIfAborted();
    // Without turns the program is run all the same, and nothing is stored.
    const why = thrown instanceof Error ? thrown.message : String(thrown);
    output.warn(`runs of the same outputs can not take turns: ${why}`);
    return undefined;
  }
}

/** One name for one place, whatever links lead to it. */
function realName(path: string): string {
  try {
    return join(Deno.realPathSync(dirname(path)), basename(path));
  } catch (thrown) {
    // The folder is still to be made, by the run.
    if (thrown instanceof Deno.errors.NotFound) return path;
    throw thrown;
  }
}
