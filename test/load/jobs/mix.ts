/** Many clients at once that read and write, some slowly, some of which vanish in mid-request. */
import { Buffer } from "node:buffer";
import { createHash } from "node:crypto";
import { bodyOf } from "../bodies.ts";
import { Hangup, Wire } from "../wire.ts";
import { summary } from "./probe.ts";

/** What to do. */
export interface MixJob {
  readonly job: "mix";
  readonly port: number;
  readonly token: string;
  readonly connections: number;
  readonly seconds: number;
  /** One client in so many vanishes in every third request; 0: none does. */
  readonly vanishing: number;
  readonly seed: number;
  /** Numbers of bodies begin here, so that two loads on one server never share one. */
  readonly first: number;
  /** Of all requests, those that write. */
  readonly writing: number;
  /** Sizes of what is written, each as likely as the others. */
  readonly sizes: readonly number[];
  /** Where the list of what was acknowledged is written. */
  readonly list: string;
}

/** What it saw. */
export interface MixResult {
  readonly requests: number;
  readonly acknowledged: number;
  readonly bytesWritten: number;
  /** Answers by what was asked and their status: `put 201`. */
  readonly answers: Readonly<Record<string, number>>;
  /** Requests that their own client dropped. */
  readonly vanished: number;
  /** What nobody ordered, each kind once and how often. */
  readonly errors: Readonly<Record<string, number>>;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly maxMs: number;
}

/** A body that was acknowledged: its number, its size and where it is to be found. */
export type Acknowledged = readonly [number: number, size: number, target: string];

/** Bytes of a body that is read, and the milliseconds between two parts, of a slow client. */
const SLOW_PART = 16 * 1024;
const SLOW_MS = 50;

/** Runs for so many seconds. */
export async function mix(job: MixJob): Promise<MixResult> {
  const { port, token } = job;
  const acknowledged: Acknowledged[] = [];
  const answers: Record<string, number> = {};
  const errors: Record<string, number> = {};
  const times: number[] = [];
  let [next, requests, vanished, bytesWritten] = [job.first, 0, 0, 0];
  const until = performance.now() + job.seconds * 1000;
  const count = (where: Record<string, number>, what: string) =>
    void (where[what] = (where[what] ?? 0) + 1);

  async function client(id: number): Promise<void> {
    const random = generator(job.seed * 100_003 + id);
    const vanishes = job.vanishing > 0 && id % job.vanishing === 0;
    let wire: Wire | undefined;
    try {
      while (performance.now() < until) {
        try {
          wire ??= await Wire.to(port);
          const began = performance.now();
          const stays = await request(wire, random, vanishes);
          if (stays) times.push(performance.now() - began);
          else {
            vanished++;
            wire[Symbol.dispose]();
            wire = undefined;
          }
        } catch (thrown) {
          if (!(thrown instanceof Hangup)) throw thrown;
          count(errors, "the server hung up");
          wire?.[Symbol.dispose]();
          wire = undefined;
        }
      }
    } finally {
      wire?.[Symbol.dispose]();
    }
  }

  /** Tells whether the client is still there. */
  async function request(wire: Wire, random: () => number, vanishes: boolean): Promise<boolean> {
    requests++;
    const leaves = vanishes && random() < 1 / 3;
    const slow = random() < 0.02;
    if (random() < job.writing || acknowledged.length === 0) {
      return await put(wire, random, { leaves, slow });
    }
    const kind = random();
    if (kind < 0.1) return await miss(wire, random);
    const wanted = acknowledged[Math.floor(random() * acknowledged.length)]!;
    const target = wanted[2];
    if (kind < 0.2) {
      await wire.ask({ method: "HEAD", target, token });
      judge("head", await wire.answer({ method: "HEAD" }), [200]);
      return true;
    }
    await wire.ask({ method: "GET", target, token });
    if (leaves) return false;
    const whole = wanted[1] <= 64 * 1024;
    const answer = await wire.answer({ keep: whole, ...(slow ? { onPart: dawdle } : {}) });
    judge("get", answer, [200]);
    if (answer.status === 200 && whole && !equal(answer.body, bodyOf(wanted[0], wanted[1]))) {
      count(errors, "get: other bytes");
    }
    return true;
  }

  async function put(
    wire: Wire,
    random: () => number,
    { leaves, slow }: { leaves: boolean; slow: boolean },
  ): Promise<boolean> {
    const size = job.sizes[Math.floor(random() * job.sizes.length)]!;
    const number = next++;
    const body = bodyOf(number, size);
    const target = random() < 0.5
      ? `/v1/entries/load/${number}`
      : `/cas/${createHash("sha256").update(body).digest("hex")}`;
    const question = { method: "PUT", target, token };
    if (leaves) {
      await wire.ask({ ...question, length: size });
      await wire.write(body.subarray(0, Math.floor(size * random())));
      return false;
    }
    if (slow) {
      await wire.ask({ ...question, length: size });
      for (let at = 0; at < size; at += SLOW_PART) {
        await wire.write(body.subarray(at, at + SLOW_PART));
        if (at < 20 * SLOW_PART) await dawdle();
      }
    } else await wire.send(question, body);
    const answer = await wire.answer();
    judge("put", answer, [200, 201]);
    if (answer.status === 200 || answer.status === 201) {
      acknowledged.push([number, size, target]);
      bytesWritten += size;
    }
    return true;
  }

  async function miss(wire: Wire, random: () => number): Promise<boolean> {
    const target = `/v1/entries/never/${Math.floor(random() * 1e9)}`;
    await wire.ask({ method: "GET", target, token });
    judge("miss", await wire.answer(), [404]);
    return true;
  }

  function judge(what: string, { status, head }: { status: number; head: string }, good: number[]) {
    count(answers, `${what} ${status}`);
    if (good.includes(status)) return;
    if ([429, 503, 507].includes(status)) {
      if (!head.includes("\r\nretry-after: ")) {
        count(errors, `${what} ${status} without Retry-After`);
      }
    } else count(errors, `${what} ${status}`);
  }

  await Promise.all(Array.from({ length: job.connections }, (_, id) => client(id)));
  await Deno.writeTextFile(job.list, JSON.stringify(acknowledged));
  return {
    requests,
    acknowledged: acknowledged.length,
    bytesWritten,
    answers,
    vanished,
    errors,
    ...summary(times),
  };
}

/** Lets some time pass, as a slow client does between two parts. */
export async function dawdle(): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, SLOW_MS));
}

/** Whether these are the same bytes. */
export function equal(a: Uint8Array, b: Uint8Array): boolean {
  return Buffer.compare(a, b) === 0;
}

/** mulberry32. */
function generator(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 0x1_0000_0000;
  };
}
