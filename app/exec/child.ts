/** Runs another program to its end: signals reach it, and what it prints can be kept meanwhile. */
import { abortable, onAbort } from "../../core/abort.ts";
import type { Clock } from "../../core/clock.ts";
import type { Bytes } from "../../core/digest.ts";
import { CacheError } from "../../core/errors.ts";
import { EXEC_PIPE_GRACE_MS } from "../../core/build_limits.ts";
import type { ProgramStatus } from "../exit_codes.ts";
import { programStatus } from "../exit_codes.ts";
import type { Printed } from "./printed.ts";

/** What to run. */
export interface ChildOptions {
  /** Program and arguments. */
  readonly words: readonly [string, ...string[]];
  /** The folder that it runs in. */
  readonly cwd: string;
  /** Variables over the inherited ones. */
  readonly env?: Readonly<Record<string, string>>;
  /** Aborts with the signal's name as the reason's message. */
  readonly interrupted: AbortSignal;
  /**
   * Whether standard error is a terminal: then Ctrl-C has reached the child already, and a second
   * SIGINT would make many programs stop without tidying up.
   */
  readonly interactive: boolean;
  readonly clock: Clock;
  /** Keeps what is printed. Default: the child has our own standard output and error. */
  readonly printed?: { readonly stdout: Printed; readonly stderr: Printed };
  /** Hears the process id before the first byte is read. */
  readonly onStart?: (pid: number) => void;
}

/** How it ended. */
export interface ChildEnd {
  readonly status: ProgramStatus;
  readonly signalled: boolean;
  /** Whether all that was printed was read: `false` when a process it left behind still may print. */
  readonly whole: boolean;
}

/**
 * Runs the program with our own standard input and resolves when it has ended; also when the user
 * interrupts, since the signal is handed on and the program decides.
 * @throws {CacheError} `not_found` or `permission_denied` when it can not be started
 */
export async function runChild(options: ChildOptions): Promise<ChildEnd> {
  const { printed, interrupted, clock } = options;
  const output = printed ? "piped" : "inherit";
  const child = spawn(options, output);
  options.onStart?.(child.pid);
  using _listener = onAbort(interrupted, () => forward(child, options));
  const done = new AbortController();
  const pipes = printed
    ? Promise.all([
      printed.stdout.read(child.stdout, { clock, signal: done.signal }),
      printed.stderr.read(child.stderr, { clock, signal: done.signal }),
    ])
    : Promise.resolve([]);
  // Heard below, when the program has ended: until then it must not be left alone.
  pipes.catch(() => {});
  const { code, signal } = await child.status;
  const shownMs = () => printed ? Math.max(printed.stdout.shownMs(), printed.stderr.shownMs()) : 0;
  const whole = await within(pipes, { clock, done, shownMs });
  return { status: programStatus(code), signalled: signal !== null, whole };
}

function spawn({ words, cwd, env }: ChildOptions, output: "piped" | "inherit"): Deno.ChildProcess {
  const [program, ...args] = words;
  try {
    return new Deno.Command(program, {
      args,
      cwd,
      ...(env ? { env } : {}),
      stdin: "inherit",
      stdout: output,
      stderr: output,
    }).spawn();
  } catch (cause) {
    if (cause instanceof Deno.errors.NotFound) {
      throw new CacheError("not_found", `Cannot run "${program}": no such program`, {
        operation: "exec.spawn",
        cause,
      });
    }
    throw new CacheError("permission_denied", `Cannot run "${program}": the system refused`, {
      operation: "exec.spawn",
      cause,
    });
  }
}

function forward(child: Deno.ChildProcess, { interrupted, interactive }: ChildOptions): void {
  const name = (interrupted.reason as DOMException).message;
  const signal = name === "SIGTERM" ? "SIGTERM" : "SIGINT";
  if (signal === "SIGINT" && interactive) return;
  try {
    child.kill(signal);
  } catch (thrown) {
    // It has ended by itself meanwhile: its status tells how.
    if (!(thrown instanceof TypeError || thrown instanceof Deno.errors.NotFound)) throw thrown;
  }
}

/**
 * Waits for the pipes' ends; a process that was left behind may hold them for ever. While whoever
 * reads our own output takes his time, the pipes may well be full of what the program printed.
 */
async function within(
  pipes: Promise<unknown>,
  { clock, done, shownMs }: { clock: Clock; done: AbortController; shownMs: () => number },
): Promise<boolean> {
  const late = new AbortController();
  const [began, shownBefore] = [clock.monotonic(), shownMs()];
  const watch = async () => {
    for (let waited = 0; waited < EXEC_PIPE_GRACE_MS;) {
      await clock.sleep(EXEC_PIPE_GRACE_MS - waited, done.signal);
      waited = clock.monotonic() - began - (shownMs() - shownBefore);
    }
    late.abort(new DOMException("a process still prints", "TimeoutError"));
  };
  const timer = watch().catch(() => {
    // The pipes ended first.
  });
  try {
    await abortable(pipes, late.signal);
    return true;
  } catch (thrown) {
    if (!late.signal.aborted) throw thrown;
    return false;
  } finally {
    done.abort();
    await timer;
    await pipes;
  }
}

/** The bytes of both streams; `undefined` when one of them may not be stored. */
export function printedBytes(
  { stdout, stderr }: { readonly stdout: Printed; readonly stderr: Printed },
): { readonly stdout: Bytes; readonly stderr: Bytes } | undefined {
  const [out, err] = [stdout.bytes(), stderr.bytes()];
  return out && err && { stdout: out, stderr: err };
}
