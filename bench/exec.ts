/** How long a whole `exec` takes that is answered from the cache. */
import { compile } from "../tools/compile.ts";
import { startOurs } from "./contender.ts";
import type { Figure } from "./figure.ts";
import { median } from "./measured.ts";
import { fromFileUrl } from "./paths.ts";

/** Runs that only warm up. */
const WARM = 3;
const EXEC = ["exec", "--input", "input.txt", "--", "true"];

/**
 * Measures `exec` of a command without output, as a program of its own, from its start to its end:
 * the executable, as users have it, and the sources under `deno run`, in turn.
 */
export async function measureExec(dir: string, rounds: number): Promise<Figure[]> {
  await using server = await startOurs({ folder: `${dir}/exec`, threads: 1 });
  const folder = `${dir}/exec-work`;
  await Deno.mkdir(folder, { recursive: true });
  await Deno.writeTextFile(`${folder}/input.txt`, "1\n");
  const token = server.headers["authorization"]!.replace("Bearer ", "");
  const run = async ([program, ...args]: readonly string[]) => {
    const began = performance.now();
    const { success, stderr } = await new Deno.Command(program!, {
      args: [...args, ...EXEC],
      cwd: folder,
      env: { VITTE_CACHE_URL: server.url, VITTE_TOKEN: token },
      stdout: "null",
      stderr: "piped",
    }).output();
    if (!success) throw new Error(new TextDecoder().decode(stderr));
    return performance.now() - began;
  };
  const source = [Deno.execPath(), "run", "-A", "--no-check"]
    .concat("--config", fromFileUrl("../deno.json"), fromFileUrl("../cli.ts"));
  const programs = { "executable": [await compile()], "deno run": source };
  const times = new Map<string, number[]>();
  for (let n = -WARM; n < rounds * 2; n++) {
    for (const [name, command] of Object.entries(programs)) {
      const ms = await run(command);
      if (n >= 0) times.set(name, [...times.get(name) ?? [], ms]);
    }
  }
  return [...times].map(([name, all]) => ({
    name: `exec hit without outputs, ${name}`,
    value: median(all),
    unit: "ms",
    note: `whole processes, warm, ${all.length} runs in turn, medians`,
    // What users start is the executable.
    ...(name === "executable" ? { better: "lower", least: 150, aim: 80 } as const : {}),
  }));
}
