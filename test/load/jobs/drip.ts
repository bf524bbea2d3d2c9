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
  readonly bytes: number;
}

/** One of them. */
interface Stranger {
  wire: Wire | undefined;
  said: number;
  /** Connecting, or writing. */
  busy: boolean;
}

const HEAD = new TextEncoder().encode("GET /v1/status HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Drip: ");
const LETTER = new Uint8Array([97]);
/** Turns of one round: one timer moves them all, since thousands of timers would be the load. */
const TURNS = 20;

/** Drips until `stop` aborts; `ready` is called when all are connected. */
export async function drip(
  { port, connections, everyMs }: DripJob,
  options: { readonly stop: AbortSignal; ready(): void },
): Promise<DripResult> {
  const result = { opened: 0, cut: 0, bytes: 0 };
  const failed = Promise.withResolvers<void>();
  const strangers = Array.from(
    { length: connections },
    (): Stranger => ({ wire: undefined, said: 0, busy: false }),
  );

  async function move(stranger: Stranger): Promise<void> {
    if (stranger.busy) return;
    stranger.busy = true;
    try {
      if (!stranger.wire) {
        stranger.wire = await Wire.to(port);
        stranger.said = 0;
        if (++result.opened === connections) options.ready();
      }
      const at = stranger.said++;
      await stranger.wire.write(at < HEAD.length ? HEAD.subarray(at, at + 1) : LETTER);
      result.bytes++;
    } catch (thrown) {
      if (!(thrown instanceof Hangup)) throw thrown;
      result.cut++;
      stranger.wire?.[Symbol.dispose]();
      stranger.wire = undefined;
    } finally {
      stranger.busy = false;
    }
  }

  let turn = 0;
  const timer = setInterval(() => {
    for (let at = turn++ % TURNS; at < connections; at += TURNS) {
      move(strangers[at]!).catch(failed.reject);
    }
  }, everyMs / TURNS);
  options.stop.addEventListener("abort", () => failed.resolve(), { once: true });
  if (options.stop.aborted) failed.resolve();
  await failed.promise.finally(() => clearInterval(timer));
  for (const { wire } of strangers) wire?.[Symbol.dispose]();
  return result;
}
