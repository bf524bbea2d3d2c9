/** What the kernel says of a process: memory, descriptors, threads. */
import assert from "node:assert/strict";

/** At one moment. */
export interface ProcessFacts {
  /** MB (10^6 bytes) in memory now. */
  readonly rssMb: number;
  /** The most there ever were. */
  readonly peakMb: number;
  readonly descriptors: number;
  readonly threads: number;
}

/** Looks at a process of this machine. */
export async function processFacts(pid: number): Promise<ProcessFacts> {
  const status = await Deno.readTextFile(`/proc/${pid}/status`);
  const number = (name: string) => {
    const value = Number(new RegExp(`^${name}:\\s+(\\d+)`, "m").exec(status)?.[1]);
    assert.ok(Number.isFinite(value), `no ${name}`);
    return value;
  };
  return {
    rssMb: number("VmRSS") * 1024 / 1e6,
    peakMb: number("VmHWM") * 1024 / 1e6,
    descriptors: [...Deno.readDirSync(`/proc/${pid}/fd`)].length,
    threads: number("Threads"),
  };
}

/** Looks again and again until it is disposed of. */
export class MemoryCurve implements Disposable {
  readonly points: number[] = [];
  readonly #timer: ReturnType<typeof setInterval>;

  constructor(pid: number, everyMs: number) {
    this.#timer = setInterval(() => {
      const kb = /^VmRSS:\s+(\d+)/m.exec(Deno.readTextFileSync(`/proc/${pid}/status`))?.[1];
      this.points.push(Number(kb) * 1024 / 1e6);
    }, everyMs);
  }

  get mostMb(): number {
    return Math.max(...this.points);
  }

  /** At most `count` points, in MB, evenly spread. */
  text(count = 20): string {
    const step = Math.max(1, Math.ceil(this.points.length / count));
    return this.points.filter((_, at) => at % step === 0).map((mb) => mb.toFixed(0)).join(" ");
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
  }
}

/** Milliseconds in which what is left behind has to go: much, since a busy machine is slow. */
export const SETTLE_MS = 30_000;

/** Waits until `good`, looking every 100 ms; tells the last look either way. */
export async function settled(
  pid: number,
  good: (facts: ProcessFacts) => boolean,
  ms: number,
): Promise<ProcessFacts> {
  const until = performance.now() + ms;
  for (;;) {
    const facts = await processFacts(pid);
    if (good(facts) || performance.now() > until) return facts;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}
