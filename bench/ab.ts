/** HEAD by ApacheBench: wrk waits for the body that a HEAD's content-length speaks of. */
import type { Contender } from "./contender.ts";
import { keyOf } from "./keys.ts";
import type { LoadOptions, Measured } from "./measured.ts";
import { numberIn, runLoad } from "./measured.ts";

const MORE_THAN_ANY = "100000000";

/** HEADs of the first key of a name. */
export async function headLoad(
  server: Contender,
  name: string,
  options: LoadOptions,
): Promise<Measured> {
  const args = ["-q", "-k", "-i", "-c", String(options.connections)];
  args.push("-t", String(Math.ceil(options.seconds)), "-n", MORE_THAN_ANY);
  for (const [name, value] of Object.entries(server.headers)) args.push("-H", `${name}: ${value}`);
  const url = `${server.url}${server.prefix}${keyOf(name, 0)}`;
  const { text, cpuSeconds } = await runLoad(server, "ab", [...args, url]);
  return parseAb(text, cpuSeconds);
}

/** Reads ab's summary. */
export function parseAb(text: string, cpuSeconds: number): Measured {
  const requests = numberIn(text, /Complete requests:\s+(\d+)/);
  return {
    rate: numberIn(text, /Requests per second:\s+([\d.]+)/),
    p99Ms: numberIn(text, /^\s*99%\s+(\d+)/m),
    cpu: requests === 0 ? 0 : cpuSeconds / requests * 10_000,
    errors: numberIn(text, /Failed requests:\s+(\d+)/) +
      numberIn(text, /Non-2xx responses:\s+(\d+)/),
  };
}
