/** Checks beside the work what was too large to be checked before the start. */
import { onAbort } from "../core/abort.ts";
import type { LateCheck } from "../core/late_check.ts";
import type { CheckAnswer, CheckRequest } from "./check_worker.ts";

/** What {@linkcode runLateChecks} goes by. */
export interface LateChecksOptions {
  readonly dir: string;
  readonly checks: Readonly<Record<CheckRequest["what"], LateCheck>>;
  /** Ends what is under way; the next start then finds the same checks due. */
  readonly signal: AbortSignal;
  readonly report: (line: string) => void;
  /** Does one check. Default: on a thread of its own. */
  readonly check?: (request: CheckRequest, signal: AbortSignal) => Promise<CheckAnswer | undefined>;
}

/** Does the checks that are due, one after the other; never throws. */
export async function runLateChecks(options: LateChecksOptions): Promise<void> {
  const { dir, checks, signal, report, check = onOwnThread } = options;
  for (const what of ["index", "packs"] as const) {
    if (!checks[what].due || signal.aborted) continue;
    const answer = await check({ what, dir }, signal);
    if (signal.aborted || !answer) return;
    if ("failed" in answer) report(`could not check the tables (${what}): ${answer.failed}`);
    else checks[what].settle(answer.problem);
  }
}

/** `undefined` when it was ended. */
async function onOwnThread(
  request: CheckRequest,
  signal: AbortSignal,
): Promise<CheckAnswer | undefined> {
  const { promise, resolve } = Promise.withResolvers<CheckAnswer | undefined>();
  // In words that `deno compile` finds: the file is taken into the executable.
  const worker = new Worker(new URL("./check_worker.ts", import.meta.url), { type: "module" });
  using _listener = onAbort(signal, () => resolve(undefined));
  worker.onmessage = ({ data }: MessageEvent<CheckAnswer>) => resolve(data);
  worker.onerror = (event) => {
    event.preventDefault();
    resolve({ failed: event.message });
  };
  worker.postMessage(request);
  try {
    return await promise;
  } finally {
    worker.terminate();
  }
}
