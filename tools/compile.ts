/**
 * `deno task compile`: one executable, `./vitte-remote-cache`. Does nothing when it is up to date.
 *
 * On Linux x86_64 it is made with the Deno version that `denort.sh` has a runtime for, since the
 * runtime that `deno compile` wants comes from a host that many machines and CI can not reach.
 * Elsewhere the Deno that runs this fetches its own.
 */
import { createHash } from "node:crypto";
import { npmPackage } from "./install.ts";
import { ROOT } from "./run_steps.ts";
import { filesWhere } from "./source_files.ts";

const OUTPUT = `${ROOT}/vitte-remote-cache`;
const STAMP = `${ROOT}/.cache/compile.sha256`;

/** Compiles `cli.ts` if anything it is made of has changed; resolves with the executable's path. */
export async function compile(): Promise<string> {
  const sum = sourceSum();
  if (await readIfThere(STAMP) === sum && await isFile(OUTPUT)) return OUTPUT;
  await Deno.mkdir(`${ROOT}/.cache`, { recursive: true });
  const folder = await Deno.makeTempDir({ dir: `${ROOT}/.cache`, prefix: "bundle-" });
  try {
    const { entry, include } = await bundle(folder);
    await compileProgram(entry, { output: OUTPUT, include });
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
  await Deno.writeTextFile(STAMP, sum);
  return OUTPUT;
}

/**
 * Joins modules that are always loaded together: each one that is loaded costs a start 0.2 ms, and
 * a command in front of a compiler needs 130 of them. What is loaded late stays a file of its own.
 */
async function bundle(folder: string): Promise<{ entry: string; include: string[] }> {
  // A worker is started by URL, which no bundler follows: it is a second program.
  const workers = filesWhere((path) => /^app\/[^/]*worker\.ts$/.test(path));
  const { deno, env } = await compiler();
  const flags = ["--code-splitting", "--platform", "deno", "--outdir", folder];
  await run(deno, ["bundle", "--quiet", ...flags, "cli.ts", ...workers], env);
  const include = workers.map((path) => `${folder}/${path.slice(path.lastIndexOf("/") + 1)}`);
  for (const [n, name] of include.entries()) {
    // The URL is relative to the file that starts it, which is now in the folder itself.
    await Deno.writeTextFile(name, `import "./${workers[n]!.replace(/\.ts$/, ".js")}";\n`);
  }
  return { entry: `${folder}/cli.js`, include };
}

/** Compiles any program of the project; an `output` that is running is replaced, not written over. */
export async function compileProgram(
  entry: string,
  options: { readonly output: string; readonly include?: readonly string[] },
): Promise<void> {
  const { deno, env } = await compiler();
  // A compiler that is killed leaves its half behind: not among the sources.
  await Deno.mkdir(`${ROOT}/.cache`, { recursive: true });
  const fresh = options.output.startsWith(`${ROOT}/`)
    ? `${ROOT}/.cache/compiled-${Deno.pid}`
    : `${options.output}.new-${Deno.pid}`;
  const includes = (options.include ?? []).flatMap((path) => ["--include", path]);
  try {
    await run(deno, [
      "compile",
      "-A",
      "--no-check",
      // It would be kept in the folder for temporary files under a name that everybody knows, and
      // run by whoever starts the program next. It saves 1 ms of a start.
      "--no-code-cache",
      "--v8-flags=--max-semi-space-size=1",
      ...includes,
      "-o",
      fresh,
      entry,
    ], env);
    await Deno.rename(fresh, options.output);
  } finally {
    await Deno.remove(fresh).catch(() => {}); // it has its new name, or never was
  }
}

async function compiler(): Promise<{ deno: string; env: Record<string, string> }> {
  const linux = Deno.build.target === "x86_64-unknown-linux-gnu";
  return linux ? await withBroughtRuntime() : { deno: Deno.execPath(), env: {} };
}

async function withBroughtRuntime(): Promise<{ deno: string; env: Record<string, string> }> {
  const script = `${ROOT}/tools/denort.sh`;
  const runtime = Deno.env.get("DENORT_BIN") ?? await run("bash", [script]);
  const version = await run("bash", [script, "--deno-version"]);
  const folder = await npmPackage("deno", version);
  // Only npm packages are fetched; a machine that puts its own authority before the registry
  // has it in the system's store.
  const store = Deno.env.get("DENO_TLS_CA_STORE") ?? "system";
  return {
    deno: `${folder}/node_modules/.bin/deno`,
    // Its threads' stacks are too small for long expressions in generated code.
    env: { DENORT_BIN: runtime, DENO_TLS_CA_STORE: store, RUST_MIN_STACK: "67108864" },
  };
}

/** SHA-256 over everything the executable is made of, and over how it is made. */
function sourceSum(): string {
  const made = filesWhere((path) =>
    !/_test\.tsx?$|^(test|bench|docs|deploy)\//.test(path) &&
    (/\.(ts|tsx|json|html|css|js|svg)$/.test(path) || path === "deno.lock" ||
      path === "tools/denort.sh")
  );
  const hash = createHash("sha256");
  for (const path of made) {
    const bytes = Deno.readFileSync(`${ROOT}/${path}`);
    hash.update(`${path}\0${bytes.length}\0`).update(bytes);
  }
  return hash.digest("hex");
}

async function run(
  program: string,
  args: string[],
  env: Record<string, string> = {},
): Promise<string> {
  const child = new Deno.Command(program, { args, env, cwd: ROOT, stdin: "null" });
  const { success, stdout, stderr } = await child.output();
  const decoder = new TextDecoder();
  if (success) return decoder.decode(stdout).trim();
  throw new Error(`Cannot run "${program} ${args[0] ?? ""}": ${decoder.decode(stderr).trim()}`);
}

async function readIfThere(path: string): Promise<string | undefined> {
  try {
    return await Deno.readTextFile(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}

async function isFile(path: string): Promise<boolean> {
  return await Deno.stat(path).then((info) => info.isFile, () => false);
}

if (import.meta.main) console.log(await compile());
