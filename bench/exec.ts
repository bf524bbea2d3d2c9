/** How long a whole `exec` takes that is answered from the cache. */
import { fromFileUrl } from "./paths.ts";
import { startOurs } from "./contender.ts";
import type { Figure } from "./figure.ts";
import { median } from "./measured.ts";

/** Runs that only warm up. */
const WARM = 3;

/** Measures `exec` of a command without output, as a program of its own, from the first byte to its end. */
export async function measureExec(dir: string, rounds: number): Promise<Figure[]> {
  await using server = await startOurs({ folder: `${dir}/exec`, threads: 1 });
  const folder = `${dir}/exec-work`;
  await Deno.mkdir(folder, { recursive: true });
  await Deno.writeTextFile(`${folder}/input.txt`, "1\n");
  const token = server.headers["authorization"]!.replace("Bearer ", "");
  const run = async () => {
    const began = performance.now();
    const { success, stderr } = await new Deno.Command(Deno.execPath(), {
      args: ["run", "-A", "--no-check", "--config", fromFileUrl("../deno.json")]
        .concat(fromFileUrl("../cli.ts"), "exec", "--input", "input.txt", "--", "true"),
      cwd: folder,
      env: { VITTE_CACHE_URL: server.url, VITTE_TOKEN: token, HOME: dir },
      stdout: "null",
      stderr: "piped",
    }).output();
    if (!success) throw new Error(new TextDecoder().decode(stderr));
    return performance.now() - began;
  };
  for (let n = 0; n < WARM; n++) await run();
  const times: number[] = [];
  for (let n = 0; n < rounds * 2; n++) times.push(await run());
  return [{
    name: "exec hit without outputs, whole process",
    value: median(times),
    unit: "ms",
    better: "lower",
    least: 150,
    aim: 80,
    note: `deno run of the sources, warm, ${times.length} runs, median`,
  }];
}
