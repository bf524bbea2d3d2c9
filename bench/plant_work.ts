/** What the test of `--plant` has done twice: the same work in two threads, whose CPU time it prints. */
import { threadMs } from "./thread_ms.ts";

const TURNS = 100;
const STEPS = 1_000_000;
const inWorker = typeof (globalThis as { postMessage?: unknown }).postMessage === "function";

const took = await work();
if (inWorker) {
  (globalThis as unknown as { postMessage(message: number): void }).postMessage(took);
} else {
  const worker = new Worker(import.meta.url, { type: "module" });
  worker.onmessage = ({ data }) => {
    console.log(JSON.stringify([took, data]));
    worker.terminate();
  };
}

async function work(): Promise<number> {
  const before = threadMs();
  let sum = 0;
  for (let turn = 0; turn < TURNS; turn++) {
    for (let step = 0; step < STEPS; step++) sum = sum * 31 + step | 0;
    await new Promise((resolve) => setTimeout(resolve, 0, sum));
  }
  return threadMs() - before;
}
