/** Clients that stand still, for as long as they are let: they read nothing, or send no more. */
import { bodyOf } from "../bodies.ts";
import { Wire } from "../wire.ts";

/** What to do. */
export interface StallJob {
  readonly job: "stall";
  readonly port: number;
  readonly token?: string | undefined;
  readonly connections: number;
  readonly method: "GET" | "PUT";
  /** What is asked for; uploads put their number behind it. */
  readonly target: string;
  /** Bytes that an upload promises. */
  readonly length?: number;
  /** Bytes of it that come. */
  readonly sent?: number;
}

/** What it saw. */
export interface StallResult {
  readonly connections: number;
}

/** Stands still until `stop` aborts; `ready` is called when all have asked. */
export async function stall(
  job: StallJob,
  options: { readonly stop: AbortSignal; ready(): void },
): Promise<StallResult> {
  using wires = new DisposableStack();
  const { method, token, length } = job;
  for (let at = 0; at < job.connections; at++) {
    const wire = wires.use(await Wire.to(job.port));
    const target = method === "PUT" ? `${job.target}/${at}` : job.target;
    await wire.ask({ method, target, token, length });
    if (job.sent) await wire.write(bodyOf(at, job.sent));
  }
  options.ready();
  const { promise, resolve } = Promise.withResolvers<void>();
  options.stop.addEventListener("abort", () => resolve(), { once: true });
  if (options.stop.aborted) resolve();
  await promise;
  return { connections: job.connections };
}
