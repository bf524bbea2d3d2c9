/** Reads everything that a load was told it had written, whole, and compares it. */
import { bodyOf } from "../bodies.ts";
import { Wire } from "../wire.ts";
import type { Acknowledged } from "./mix.ts";
import { equal } from "./mix.ts";

/** What to do. */
export interface ReadBackJob {
  readonly job: "read_back";
  readonly port: number;
  readonly token: string;
  readonly connections: number;
  /** The list that `mix` wrote. */
  readonly list: string;
}

/** What it saw. */
export interface ReadBackResult {
  readonly read: number;
  readonly bytes: number;
  /** Not there, or not with 200. */
  readonly lost: number;
  readonly wrong: number;
  /** The first few of them. */
  readonly examples: readonly string[];
}

/** Reads all of the list. */
export async function readBack(job: ReadBackJob): Promise<ReadBackResult> {
  const list: Acknowledged[] = JSON.parse(await Deno.readTextFile(job.list));
  const result = { read: 0, bytes: 0, lost: 0, wrong: 0, examples: [] as string[] };
  let next = 0;

  async function client(): Promise<void> {
    using wire = await Wire.to(job.port);
    for (let at = next++; at < list.length; at = next++) {
      const one = list[at]!;
      const [number, size, target] = one;
      await wire.ask({ method: "GET", target, token: job.token });
      const { status, body } = await wire.answer({ keep: true });
      const right = status === 200 && equal(body, bodyOf(number, size));
      if (right) {
        result.read++;
        result.bytes += size;
        continue;
      }
      if (status === 200) result.wrong++;
      else result.lost++;
      if (result.examples.length < 5) result.examples.push(`${status} ${size} ${target}`);
    }
  }
  await Promise.all(Array.from({ length: job.connections }, client));
  return result;
}
