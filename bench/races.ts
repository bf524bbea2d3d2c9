/** What is raced: the rows of the table, and what each of them aims at. */
import type { Bodies } from "./bodies.ts";
import type { Contender } from "./contender.ts";
import { keyOf } from "./keys.ts";
import type { Measured } from "./measured.ts";
import { largePuts } from "./curl.ts";
import { headLoad } from "./ab.ts";
import { getLoad, missLoad, mixedLoad, putLoad } from "./wrk.ts";
import { putFile, seed } from "./seed.ts";

/** The names of the servers, short, as targets use them. */
export type Rival = "floor" | "nginx";

/** What a row wants to be, as a ratio of our rate to a rival's. */
export interface Target {
  readonly rival: Rival;
  readonly least: number;
  readonly aim: number;
}

/** One row of the table. */
export interface Race {
  readonly name: string;
  /** Of the rate: `req/s` or `MB/s`. */
  readonly unit: "req/s" | "MB/s";
  readonly targets: readonly Target[];
  /** Whether there is a run before those that count. Default: none. */
  readonly warms?: boolean;
  prepare(server: Contender): Promise<void>;
  run(server: Contender): Promise<Measured>;
}

const nothing = () => Promise.resolve();
const target = (rival: Rival, least: number, aim: number): Target => ({ rival, least, aim });

const GET_SMALL = [target("floor", 0.7, 0.9)];
const GET_MIDDLE = [target("floor", 0.8, 1.3)];
const GET_LARGE = [target("nginx", 1.0, 1.2)];
const PUT_SMALL = [target("floor", 0.5, 0.8), target("nginx", 0.4, 0.7)];
const PUT_LARGE = [target("nginx", 0.4, 0.6)];
const MIXED = [target("floor", 0.5, 0.8)];

/** All races. `seconds` is how long one run of small requests lasts. */
export function buildRaces(bodies: Bodies, seconds: number): Race[] {
  const get = (size: string, kind: "random" | "ELF", connections: number, targets: Target[]) => {
    const name = `${size.replace(" ", "")}-${kind}`;
    return {
      name: `GET ${size}${kind === "ELF" ? " ELF" : ""} x${connections}`,
      unit: "req/s",
      targets,
      warms: true,
      prepare: (server: Contender) => seed(server, name, bodies.small(size, kind)),
      run: (server: Contender) => getLoad(server, name, { connections, seconds }),
    } satisfies Race;
  };
  const small = (
    name: string,
    targets: Target[],
    run: (server: Contender) => Promise<Measured>,
    prepare: (server: Contender) => Promise<void> = nothing,
  ): Race => ({ name, unit: "req/s", targets, warms: true, prepare, run });
  const seeded = (server: Contender) =>
    seed(server, "1KiB-random", bodies.small("1 KiB", "random"));
  const putSmall = (size: string, connections: number, targets: Target[]) => {
    const body = bodies.small(size, "random");
    return small(
      `PUT ${size} x${connections}`,
      targets,
      (server) => putLoad(server, body, { connections, seconds }),
    );
  };
  const getLarge = (connections: number): Race => ({
    name: `GET 100 MB x${connections}`,
    unit: "MB/s",
    targets: GET_LARGE,
    prepare: async (server) => {
      const [file] = await bodies.freshLarge(1);
      await putFile(server, keyOf("large", 0), file!);
    },
    run: (server) => getLoad(server, "large", { connections, seconds, keys: 1 }),
  });
  const putLarge = (parallel: number): Race => ({
    name: `PUT 100 MB x${parallel}`,
    unit: "MB/s",
    targets: PUT_LARGE,
    prepare: nothing,
    // Bytes that were there once are only chunks that are known: each upload brings new ones.
    run: async (server) => await largePuts(server, await bodies.freshLarge(parallel)),
  });
  const head = (connections: number) =>
    small(
      `HEAD x${connections}`,
      GET_SMALL,
      (server) => headLoad(server, "1KiB-random", { connections, seconds }),
      seeded,
    );
  const miss = (connections: number) =>
    small(
      `miss x${connections}`,
      GET_SMALL,
      (server) => missLoad(server, { connections, seconds }),
    );
  return [
    get("1 KiB", "random", 16, GET_SMALL),
    get("1 KiB", "random", 64, GET_SMALL),
    get("64 KiB", "random", 16, GET_MIDDLE),
    get("64 KiB", "random", 64, GET_MIDDLE),
    get("64 KiB", "ELF", 16, GET_MIDDLE),
    getLarge(1),
    getLarge(16),
    head(16),
    head(64),
    miss(16),
    miss(64),
    putSmall("1 KiB", 16, PUT_SMALL),
    putSmall("1 KiB", 64, PUT_SMALL),
    putSmall("64 KiB", 16, []),
    putLarge(1),
    putLarge(4),
    small(
      "50/50 1 KiB x64",
      MIXED,
      (server) =>
        mixedLoad(server, "1KiB-random", bodies.small("1 KiB", "random"), {
          connections: 64,
          seconds,
        }),
      seeded,
    ),
  ];
}
