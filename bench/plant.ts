/**
 * A slowdown on purpose, with which `--check` is seen to go red: each thread of the server that runs
 * our code works for longer, by the share in `VITTE_BENCH_PLANT` (percent) of the CPU time that it
 * took. Loaded in front of the server by `--plant` of the bench and by nothing else.
 */
import { threadMs } from "./thread_ms.ts";

/** The variable that names the share. */
export const PLANT = "VITTE_BENCH_PLANT";
/** How often a thread looks at what it took. */
const LOOK_MS = 10;
/** What is owed before it is paid. */
const LEAST_MS = 5;

if (Deno.env.has(PLANT)) {
  slowDown(Number(Deno.env.get(PLANT)) / 100);
  const module = new URL(import.meta.url).search.slice(1);
  // In a worker this file stands in front of the worker's own module.
  if (module !== "") await import(decodeURIComponent(module));
}

function slowDown(share: number): void {
  let spun = 0;
  const timer = setInterval(() => {
    const before = threadMs();
    const owed = (before - spun) * share - spun;
    if (owed < LEAST_MS) return;
    // By the clock: the kernel brings the CPU time up to date only a few times in what is owed. What
    // it was in truth is taken off afterwards, so nothing adds up.
    for (const end = performance.now() + owed; performance.now() < end;);
    spun += threadMs() - before;
  }, LOOK_MS);
  Deno.unrefTimer(timer);
  const Plain = globalThis.Worker;
  globalThis.Worker = class extends Plain {
    constructor(module: string | URL, options?: WorkerOptions) {
      super(
        `${new URL(import.meta.url.split("?")[0]!)}?${encodeURIComponent(`${module}`)}`,
        options,
      );
    }
  };
}
