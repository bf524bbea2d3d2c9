/** A real C code base of more than 100 files: libopus, as an npm package brings it. */
import { ROOT } from "./paths.ts";
import { run } from "./real_server.ts";

const PACKAGE = "@discordjs/opus@0.10.0";
const FOLDERS = ["celt", "silk", "silk/float", "src"];

/** Flags that compile every file of {@linkcode fetchCProject} by itself. */
export const C_FLAGS: readonly string[] = [
  "-DHAVE_CONFIG_H",
  "-DOPUS_BUILD",
  "-DUSE_ALLOCA",
  "-O2",
  "-w",
  "-Iconfig/opus/linux/x64",
  "-Iopus/include",
  "-Iopus/celt",
  "-Iopus/silk",
  "-Iopus/silk/float",
  "-Iopus/silk/fixed",
  "-Iopus/src",
];

/** The code base: a folder, and its C files relative to it. */
export interface CProject {
  readonly dir: string;
  readonly files: readonly string[];
}

/** Fetches it through npm, once a checkout; throws when there is no registry. */
export async function fetchCProject(): Promise<CProject> {
  const home = `${ROOT}/.cache/c-project`;
  const dir = `${home}/package/deps`;
  const files = await listFiles(dir);
  if (files.length > 0) return { dir, files };
  await Deno.mkdir(home, { recursive: true });
  const packed = await run(["npm", "pack", PACKAGE, "--silent", "--pack-destination", home]);
  if (packed.code !== 0) throw new Error(`npm cannot fetch ${PACKAGE}: ${packed.stderr}`);
  const archive = `${home}/${packed.stdout.trim().split("\n").at(-1)}`;
  const untarred = await run(["tar", "xzf", archive, "-C", home]);
  if (untarred.code !== 0) throw new Error(`tar: ${untarred.stderr}`);
  return { dir, files: await listFiles(dir) };
}

async function listFiles(dir: string): Promise<string[]> {
  const files: string[] = [];
  for (const folder of FOLDERS) {
    try {
      for await (const item of Deno.readDir(`${dir}/opus/${folder}`)) {
        if (item.isFile && item.name.endsWith(".c")) files.push(`opus/${folder}/${item.name}`);
      }
    } catch (thrown) {
      if (thrown instanceof Deno.errors.NotFound) return [];
      throw thrown;
    }
  }
  return files.sort();
}

/** What {@linkcode compileAll} did. */
export interface Compiled {
  readonly seconds: number;
  readonly failed: readonly string[];
}

/** Compiles each file by `[...compiler] flags -c file -o out/<name>.o`, some at a time. */
export async function compileAll(
  project: CProject,
  compiler: readonly string[],
  options: { out: string; cwd: string; env?: Record<string, string>; parallel?: number },
): Promise<Compiled> {
  const began = performance.now();
  const waiting = [...project.files];
  const failed: string[] = [];
  async function work(): Promise<void> {
    for (let file = waiting.shift(); file !== undefined; file = waiting.shift()) {
      const object = `${options.out}/${file.replaceAll("/", "_")}.o`;
      const { code, stderr } = await run(
        [...compiler, ...C_FLAGS, "-c", file, "-o", object],
        { cwd: options.cwd, ...(options.env ? { env: options.env } : {}) },
      );
      if (code !== 0) failed.push(`${file}: ${stderr}`);
    }
  }
  await Promise.all(Array.from({ length: options.parallel ?? 2 }, work));
  return { seconds: (performance.now() - began) / 1000, failed };
}

/** Hex SHA-256 of every file in a folder, by name. */
export async function hashFolder(dir: string): Promise<Map<string, string>> {
  const hashes = new Map<string, string>();
  const names: string[] = [];
  for await (const item of Deno.readDir(dir)) if (item.isFile) names.push(item.name);
  for (const name of names.sort()) {
    const digest = await crypto.subtle.digest("SHA-256", await Deno.readFile(`${dir}/${name}`));
    hashes.set(name, new Uint8Array(digest).toHex());
  }
  return hashes;
}
