/** What is raced. */
import type { Contender } from "./contender.ts";
import type { Measured } from "./load.ts";
import { getLoad, largeLoad, put, putLoad, seed } from "./load.ts";

const LARGE = 100_000_000;

/** One row of the table. */
export interface Race {
  readonly name: string;
  /** Of the rate: `req/s` or `MB/s`. */
  readonly unit: string;
  prepare(server: Contender): Promise<void>;
  run(server: Contender): Promise<Measured>;
}

/** All races; `dir` holds the files that are uploaded. */
export async function buildRaces(dir: string, seconds: number): Promise<Race[]> {
  const files = await Promise.all([0, 1, 2, 3].map(async (n) => {
    const file = `${dir}/large-${n}`;
    await Deno.writeFile(file, random(LARGE));
    return file;
  }));
  const large = { key: "large", files };
  const nothing = () => Promise.resolve();
  const get = (name: string, size: number, connections: number): Race => ({
    name: `GET ${name} x${connections}`,
    unit: "req/s",
    prepare: (server) => seed(server, name.replace(" ", ""), random(size)),
    run: (server) => getLoad(server, name.replace(" ", ""), { connections, seconds }),
  });
  const putRace = (name: string, size: number, connections: number): Race => ({
    name: `PUT ${name} x${connections}`,
    unit: "req/s",
    prepare: nothing,
    run: (server) => putLoad(server, size, { connections, seconds }),
  });
  const big = (method: "GET" | "PUT", parallel: number): Race => ({
    name: `${method} 100 MB x${parallel}`,
    unit: "MB/s",
    prepare: async (server) => {
      if (method === "GET") await put(server, "large", await Deno.readFile(files[0]!));
    },
    run: (server) => largeLoad(server, { ...large, method, parallel }),
  });
  return [
    get("1 KiB", 1024, 16),
    get("1 KiB", 1024, 64),
    get("64 KiB", 65_536, 16),
    get("64 KiB", 65_536, 64),
    big("GET", 1),
    big("GET", 4),
    putRace("1 KiB", 1024, 16),
    putRace("1 KiB", 1024, 64),
    putRace("64 KiB", 65_536, 16),
    big("PUT", 1),
    big("PUT", 4),
  ];
}

/** Bytes that do not compress and do not repeat. */
function random(length: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(length);
  for (let at = 0; at < length; at += 65_536) {
    crypto.getRandomValues(bytes.subarray(at, Math.min(at + 65_536, length)));
  }
  return bytes;
}
