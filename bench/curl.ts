/** Uploads of large files by curl, each a process of its own. */
import type { Contender } from "./contender.ts";
import { keyOf } from "./keys.ts";
import type { Measured } from "./measured.ts";

let runs = 0;

/** Uploads all files at once, to keys that were never there; MB/s over all. */
export async function largePuts(
  server: Contender,
  files: readonly string[],
): Promise<Measured> {
  const run = ++runs;
  const before = server.cpuSeconds();
  const began = performance.now();
  const sizes = await Promise.all(files.map(async (file, n) => {
    const args = ["-sS", "-o", "/dev/null", "-w", "%{http_code}", "-H", "Expect:", "-T", file];
    for (const [name, value] of Object.entries(server.headers)) {
      args.push("-H", `${name}: ${value}`);
    }
    const url = `${server.url}${server.prefix}${keyOf(`large-${Deno.pid}-${run}`, n)}`;
    const done = await new Deno.Command("curl", { args: [...args, url] }).output();
    const status = new TextDecoder().decode(done.stdout);
    if (!status.startsWith("2")) throw new Error(`${server.name}: PUT: ${status}`);
    return (await Deno.stat(file)).size;
  }));
  const seconds = (performance.now() - began) / 1000;
  const bytes = sizes.reduce((sum, size) => sum + size, 0);
  const cpu = (server.cpuSeconds() - before) / (bytes / 1e9);
  return { rate: bytes / 1e6 / seconds, p99Ms: undefined, cpu, errors: 0 };
}
