/** Strangers: connections without a token that say one byte of a header a second, and come back. */
import { Hangup, Wire } from "../wire.ts";

/** What to do. */
export interface DripJob {
  readonly job: "drip";
  readonly port: number;
  readonly connections: number;
  readonly everyMs: number;
}

/** What became of it. */
export interface DripResult {
  /** Connections that came to be, the first ones and those that came back. */
  readonly opened: number;
  /** Ended by the server. */
  readonly cut: number;
  readonly refused: number;
  readonly bytes: number;
}

/** Drips until `stop` aborts; `ready` is called when all are connected. */
export async function drip(
  { port, connections, everyMs }: DripJob,
  options: { readonly stop: AbortSignal; ready(): void },
): Promise<DripResult> {
  const { stop } = options;
  const result = { opened: 0, cut: 0, refused: 0, bytes: 0 };
  const text = new TextEncoder().encode("GET /v1/status HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Drip: ");
  const letter = new Uint8Array([97]);
  let first = 0;

  async function one(number: number): Promise<void> {
    // Not all in the same millisecond: they would be a burst a second instead of a drip.
    await pause(everyMs * number / connections, stop);
    for (let come = 0; !stop.aborted; come++) {
      try {
        using wire = await Wire.to(port);
        result.opened++;
        const leaving = () => wire[Symbol.dispose]();
        stop.addEventListener("abort", leaving, { once: true });
        if (come === 0 && ++first === connections) options.ready();
        try {
          for (let at = 0; !stop.aborted; at++) {
            await wire.write(at < text.length ? text.subarray(at, at + 1) : letter);
            result.bytes++;
            await pause(everyMs, stop);
          }
        } finally {
          stop.removeEventListener("abort", leaving);
        }
      } catch (thrown) {
        if (stop.aborted) return;
        if (thrown instanceof Hangup) result.cut++;
        else if (thrown instanceof Deno.errors.ConnectionRefused) result.refused++;
        else throw thrown;
        await pause(everyMs, stop);
      }
    }
  }
  await Promise.all(Array.from({ length: connections }, (_, number) => one(number)));
  return result;
}

async function pause(ms: number, stop: AbortSignal): Promise<void> {
  if (stop.aborted) return;
  const { promise, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, ms);
  stop.addEventListener("abort", () => resolve(), { once: true });
  await promise;
  clearTimeout(timer);
}
