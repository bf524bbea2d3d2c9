/** A store for commands that stand in the middle of somebody's build. */
import type { Command } from "commander";
import { Option } from "commander";
import type { Cache } from "../../core/cache.ts";
import { CacheError } from "../../core/errors.ts";
import { TOLERANT_STALL_MS } from "../../core/build_limits.ts";
import type { ExitCode } from "../exit_codes.ts";
import type { Opened } from "../opened.ts";
import { openNamedStore } from "../open_named_store.ts";
import { Output } from "../output.ts";
import type { OnError } from "../tolerance.ts";
import { Tolerance } from "../tolerance.ts";
import type { CommandContext, StoreFlags } from "./context.ts";
import { storeFlags } from "./context.ts";

/** What the work of {@linkcode onTolerantStore} is given. */
export interface TolerantWork {
  /** For what is attempted: throws where the store could not be opened, and then nothing is. */
  readonly cache: Cache;
  readonly output: Output;
  readonly flags: StoreFlags;
  readonly tolerance: Tolerance;
}

/** Adds `--on-error`. */
export function withOnError(command: Command): Command {
  return command.addOption(
    new Option("--on-error <what>", "a cache that is down, slow or refuses is a warning, or fails")
      .choices(["warn", "fail"]).default("warn"),
  );
}

/** Opens the store that the flags name, does the work, closes it. */
export async function onTolerantStore(
  context: CommandContext,
  command: Command,
  work: (given: TolerantWork) => Promise<ExitCode>,
): Promise<void> {
  const { environment } = context;
  const flags = storeFlags(context, command);
  const { onError } = command.opts<{ onError: OnError }>();
  const output = new Output(environment, flags);
  const patience = onError === "warn" ? { idleMs: TOLERANT_STALL_MS } : {};
  const { clock, interrupted } = environment;
  const tolerance = new Tolerance({ output, clock, interrupted, onError });
  let found: Opened | undefined;
  try {
    found = await openNamedStore(environment, { ...flags, ...patience });
  } catch (thrown) {
    interrupted.throwIfAborted();
    tolerance.give("open the cache", thrown);
  }
  await using opened = found;
  const cache = (): Cache => {
    if (opened) return opened.cache;
    throw new CacheError("internal", "Cannot use the cache: it was not opened");
  };
  context.end(
    await work({
      get cache() {
        return cache();
      },
      output,
      flags,
      tolerance,
    }),
  );
}
