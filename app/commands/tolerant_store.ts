/** A store for commands that stand in the middle of somebody's build. */
import type { Command } from "commander";
import { Option } from "commander";
import { TOLERANT_STALL_MS } from "../../core/limits.ts";
import type { ExitCode } from "../exit_codes.ts";
import type { Opened } from "../opened.ts";
import { openNamedStore } from "../open_named_store.ts";
import { Output } from "../output.ts";
import type { AttemptOptions, OnError } from "../tolerance.ts";
import { Tolerance } from "../tolerance.ts";
import type { CommandContext, StoreFlags } from "./context.ts";
import { storeFlags } from "./context.ts";

/** What the work of {@linkcode onTolerantStore} is given. */
export interface TolerantWork {
  readonly opened: Opened;
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

/**
 * As `Tolerance.attempt`, and does not return before the work has ended, however it was given up:
 * work that writes files has to put away what is half done.
 */
export async function attemptToItsEnd<T>(
  tolerance: Tolerance,
  what: string,
  work: (signal: AbortSignal) => Promise<T>,
  options: AttemptOptions,
): Promise<T | undefined> {
  let working: Promise<T> | undefined;
  try {
    return await tolerance.attempt(what, (signal) => working = work(signal), options);
  } finally {
    // How it went was told above.
    await working?.catch(() => {});
  }
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
  await using opened = await openNamedStore(environment, { ...flags, ...patience });
  const { clock, interrupted } = environment;
  const tolerance = new Tolerance({ output, clock, interrupted, onError });
  context.end(await work({ opened, output, flags, tolerance }));
}
