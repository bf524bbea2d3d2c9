/** The outside world of a command, in memory. */
import type { Environment } from "../../app/environment.ts";
import type { Clock } from "../../core/clock.ts";
import { systemClock } from "../../core/clock.ts";
import { concat, streamOf } from "../../core/bytes.ts";

/** What a test may set; everything else is empty. */
export interface FakeWorld {
  readonly args?: readonly string[];
  /** Default: the process's own. */
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly stdin?: string;
  readonly interactive?: boolean;
  /** What a person answers who is asked for a secret. Default: there is nobody. */
  readonly answer?: string;
  readonly interrupted?: AbortSignal;
  readonly clock?: Clock;
}

/** An environment that keeps what is printed. */
export interface FakeEnvironment extends Environment {
  /** Standard output so far, as text. */
  readonly out: string;
  /** Standard error so far. */
  readonly err: string;
}

/** 2023-11-14T22:13:20.000Z. */
const THEN = 1_700_000_000_000;

/** A wall clock that stands still; who sleeps is woken as by the system's. */
export const stoppedClock: Clock = {
  now: () => THEN,
  monotonic: () => 0,
  sleep: (ms, signal) => systemClock.sleep(ms, signal),
};

/** Makes an environment. */
export function fakeEnvironment(world: FakeWorld = {}): FakeEnvironment {
  const printed: Uint8Array[] = [];
  let err = "";
  const encoder = new TextEncoder();
  return {
    args: world.args ?? [],
    cwd: world.cwd ?? Deno.cwd(),
    env: (name) => world.env?.[name],
    stdin: () => streamOf(encoder.encode(world.stdin ?? "")),
    stdout(data) {
      printed.push(typeof data === "string" ? encoder.encode(data) : data.slice());
      return Promise.resolve();
    },
    stderr(data) {
      err += typeof data === "string" ? data : new TextDecoder().decode(data);
    },
    interactive: world.interactive ?? false,
    cores: 2,
    askSecret(question) {
      if (world.answer !== undefined) err += `${question}\n`;
      return Promise.resolve(world.answer);
    },
    interrupted: world.interrupted ?? new AbortController().signal,
    clock: world.clock ?? stoppedClock,
    get out() {
      return new TextDecoder().decode(concat(printed));
    },
    get err() {
      return err;
    },
  };
}
