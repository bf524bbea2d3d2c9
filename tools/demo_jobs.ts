/** Real work for the demo: compile a C library, or analyse this project's own modules. */
import { createHash } from "node:crypto";

/** Something that is built from many units, each of which gives one output. */
export interface DemoJob {
  readonly what: string;
  readonly units: readonly string[];
  /** Makes a folder with its own copy of the sources. */
  prepare(home: string): Promise<void>;
  /** What the output of a unit depends on. */
  keyOf(home: string, unit: string): Promise<string>;
  build(home: string, unit: string): Promise<Uint8Array<ArrayBuffer>>;
}

const PARALLEL = 2;
const ROOT = decodeURIComponent(new URL("../", import.meta.url).pathname);

/** A C library where there are a compiler and npm, else documentation of our own modules. */
export async function chooseJob(folder: string): Promise<DemoJob> {
  const version = await output(["gcc", "--version"], ROOT);
  if (version) {
    const source = await fetchLibrary(`${folder}/download`);
    if (source) return cJob(source, new TextDecoder().decode(version).split("\n")[0]!);
  }
  return await docJob();
}

/** Runs `work` for each unit, some at a time. */
export async function compileAllWith(
  units: readonly string[],
  work: (unit: string) => Promise<void>,
): Promise<void> {
  const waiting = [...units];
  await Promise.all(Array.from({ length: PARALLEL }, async () => {
    for (let unit = waiting.shift(); unit !== undefined; unit = waiting.shift()) await work(unit);
  }));
}

const PACKAGE = "@discordjs/opus@0.10.0";
const FLAGS = ["-DHAVE_CONFIG_H", "-DOPUS_BUILD", "-DUSE_ALLOCA", "-O2", "-w"].concat(
  ["config/opus/linux/x64", "opus/include", "opus/celt", "opus/silk", "opus/silk/float"]
    .map((dir) => `-I${dir}`),
  ["-Iopus/silk/fixed", "-Iopus/src"],
);

async function fetchLibrary(dir: string): Promise<string | undefined> {
  await Deno.mkdir(dir, { recursive: true });
  const packed = await output(["npm", "pack", PACKAGE, "--silent"], dir);
  const archive = packed && new TextDecoder().decode(packed).trim().split("\n").at(-1);
  if (!archive || !await output(["tar", "xzf", archive], dir)) return undefined;
  return `${dir}/package/deps`;
}

async function cJob(source: string, compiler: string): Promise<DemoJob> {
  const units: string[] = [];
  for (const dir of ["celt", "silk", "silk/float", "src"]) {
    for await (const item of Deno.readDir(`${source}/opus/${dir}`)) {
      if (item.name.endsWith(".c")) units.push(`opus/${dir}/${item.name}`);
    }
  }
  return {
    what: `compile libopus, ${units.length} C files (${compiler})`,
    units,
    async prepare(home) {
      await must(["cp", "-r", source, home], ROOT);
    },
    async keyOf(home, unit) {
      const text = await must(["gcc", ...FLAGS, "-E", "-P", unit, "-o", "-"], home);
      return createHash("sha256").update(compiler).update(FLAGS.join("\0")).update(text)
        .digest("hex");
    },
    build: (home, unit) => must(["gcc", ...FLAGS, "-c", unit, "-o", "/dev/stdout"], home, true),
  };
}

/** TypeScript modules in a folder of the project and in those below it, tests left out. */
async function modulesIn(dir: string): Promise<string[]> {
  const found: string[] = [];
  for await (const { name, isDirectory } of Deno.readDir(`${ROOT}${dir}`)) {
    if (isDirectory) found.push(...await modulesIn(`${dir}/${name}`));
    else if (name.endsWith(".ts") && !name.endsWith("_test.ts")) found.push(`${dir}/${name}`);
  }
  return found;
}

async function docJob(): Promise<DemoJob> {
  // These folders import nothing but each other and libraries.
  const folders = ["core", "codec", "protocol", "policy", "auth", "client"];
  const files = (await Promise.all(folders.map(modulesIn))).flat().sort();
  const units = files.filter((file) => file.split("/").length === 2);
  const sources = new Map<string, Promise<Uint8Array>>();
  return {
    what: `analyse ${units.length} TypeScript modules (no C compiler here)`,
    units,
    async prepare(home) {
      await Deno.mkdir(home, { recursive: true });
      // The modules name libraries by short names, which only the import map knows.
      const { imports } = JSON.parse(await Deno.readTextFile(`${ROOT}deno.json`));
      await Deno.writeTextFile(`${home}/deno.json`, JSON.stringify({ imports }));
      for (const file of files) {
        await Deno.mkdir(`${home}/${file}`.replace(/\/[^/]*$/, ""), { recursive: true });
        await Deno.copyFile(`${ROOT}${file}`, `${home}/${file}`);
      }
    },
    async keyOf(home, unit) {
      // What is said of a module depends on those that it imports: any of them may change it.
      const all = sources.get(home) ?? hashFiles(home, files);
      sources.set(home, all);
      return createHash("sha256").update(Deno.version.deno).update(unit).update(await all)
        .digest("hex");
    },
    async build(home, unit) {
      const text = new TextDecoder().decode(
        await must([Deno.execPath(), "doc", "--json", "--no-lock", unit], home),
      );
      return new TextEncoder().encode(text.replaceAll(home, ""));
    },
  };
}

async function hashFiles(home: string, files: readonly string[]): Promise<Uint8Array> {
  const hash = createHash("sha256");
  for (const file of files) hash.update(file).update(await Deno.readFile(`${home}/${file}`));
  return hash.digest();
}

async function must(
  command: readonly string[],
  cwd: string,
  viaFile = false,
): Promise<Uint8Array<ArrayBuffer>> {
  if (viaFile) {
    // A linker-less compiler seeks in its output: give it a file of its own.
    const file = await Deno.makeTempFile({ dir: cwd, suffix: ".o" });
    await must(command.map((word) => word === "/dev/stdout" ? file : word), cwd);
    const bytes = await Deno.readFile(file);
    await Deno.remove(file);
    return bytes;
  }
  const [program, ...args] = command;
  const done = await new Deno.Command(program!, { args, cwd, stdout: "piped", stderr: "piped" })
    .output();
  if (done.success) return done.stdout as Uint8Array<ArrayBuffer>;
  throw new Error(`${command.join(" ")}: ${new TextDecoder().decode(done.stderr)}`);
}

/** What a program printed, `undefined` if there is no such program or it failed. */
async function output(
  [program, ...args]: readonly string[],
  cwd: string,
): Promise<Uint8Array | undefined> {
  try {
    const done = await new Deno.Command(program!, { args, cwd, stdout: "piped", stderr: "null" })
      .output();
    return done.success ? done.stdout : undefined;
  } catch (thrown) {
    if (thrown instanceof Deno.errors.NotFound) return undefined;
    throw thrown;
  }
}
