/** Installs the foreign programs that interop tests drive; what cannot be had is only reported. */
import { ROOT } from "./run_steps.ts";

/** A program, and the Debian package that brings it. */
const PROGRAMS: Readonly<Record<string, string>> = {
  // ApacheBench: the only load generator of the bench that can ask HEAD.
  ab: "apache2-utils",
  bazel: "bazel-bootstrap",
  ccache: "ccache",
  curl: "curl",
  fish: "fish",
  gcc: "gcc",
  gradle: "gradle",
  mvn: "maven",
  nginx: "nginx-light",
  openssl: "openssl",
  // Reads a store as a stranger does.
  python3: "python3",
  // Brings the Go toolchain where there is none, see test/helpers/go_toolchain.ts.
  pip3: "python3-pip",
  // A pseudo terminal, for what only a terminal is asked.
  script: "bsdutils",
  sqlite3: "sqlite3",
  strace: "strace",
  unzip: "unzip",
  wrk: "wrk",
  zsh: "zsh",
  zstd: "zstd",
};

/** npm packages that tests run and their versions, each in a folder `.cache/npm/<name>` of its own. */
export const NPM = {
  // A tree of 37,000 files for save and restore.
  "@mui/icons-material": "5.16.14",
  "@microsoft/rush": "5.179.0",
  "@moonrepo/cli": "2.5.5",
  metro: "0.87.1",
  nx: "24.0.6",
  turbo: "2.11.11",
} as const;

/** Whether a program is on the PATH or where Debian keeps the administrator's ones. */
export function hasProgram(name: string): boolean {
  const folders = (Deno.env.get("PATH") ?? "").split(":").concat("/usr/sbin", "/sbin");
  return folders.some((folder) => {
    try {
      return Deno.statSync(`${folder}/${name}`).isFile;
    } catch {
      return false; // a folder of the PATH that is not there or not ours to read holds nothing
    }
  });
}

/**
 * Brings `name@version` from npm into `.cache/npm/<name>` if it is not there.
 * Resolves with the folder that holds `node_modules`.
 *
 * @throws {Error} if npm cannot fetch it.
 */
export async function npmPackage(name: string, version: string): Promise<string> {
  const folder = `${ROOT}/.cache/npm/${name.replace("/", "+")}`;
  const stamp = `${folder}/installed-${version}`;
  try {
    await Deno.stat(stamp);
    return folder;
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
  await Deno.mkdir(folder, { recursive: true });
  await Deno.writeTextFile(`${folder}/package.json`, "{}\n");
  console.log(`installing with npm: ${name}@${version}`);
  const args = ["install", "--no-audit", "--no-fund", "--no-save", `${name}@${version}`];
  const { success, output } = await run("npm", args, folder);
  if (!success) throw new Error(`Cannot install "${name}@${version}": ${output.trim()}`);
  await Deno.writeTextFile(stamp, "");
  return folder;
}

/** Installs programs that are missing, and returns a line for each that could not be had. */
export async function installForTests(): Promise<string[]> {
  return await installPrograms(Object.keys(PROGRAMS));
}

/** Brings the npm packages that are missing, and returns a line for each that could not be had. */
export async function installNpmPackages(): Promise<string[]> {
  const problems: string[] = [];
  for (const [name, version] of Object.entries(NPM)) {
    try {
      await npmPackage(name, version);
    } catch (error) {
      problems.push((error as Error).message);
    }
  }
  return problems;
}

/** Installs those of these programs that are missing; resolves with what could not be had. */
export async function installPrograms(names: readonly string[]): Promise<string[]> {
  const missing = names.filter((program) => !hasProgram(program));
  return missing.length > 0 ? await installDebian(missing) : [];
}

async function installDebian(missing: string[]): Promise<string[]> {
  const names = missing.join(", ");
  if (!hasProgram("apt-get")) return [`Cannot install ${names}: no apt-get here`];
  const sudo = Deno.uid() === 0 ? [] : ["sudo", "-n"];
  if (sudo.length > 0 && !hasProgram("sudo")) return [`Cannot install ${names}: not root, no sudo`];
  const packages = [...new Set(missing.map((program) => PROGRAMS[program]!))];
  console.log(`installing with apt-get: ${packages.join(" ")}`);
  const apt = async (...args: string[]) => {
    const [program, ...rest] = [...sudo, "env", "DEBIAN_FRONTEND=noninteractive", "apt-get"];
    return await run(program!, [...rest, "-q", "-y", ...args], ROOT);
  };
  const updated = await apt("update");
  const installed = await apt("install", "--no-install-recommends", ...packages);
  const still = missing.filter((program) => !hasProgram(program));
  if (still.length === 0) return [];
  const said = (installed.success ? "" : installed.output) || updated.output;
  return [`Cannot install ${still.join(", ")}: ${said.trim().split("\n").slice(-3).join(" ")}`];
}

async function run(program: string, args: string[], cwd: string) {
  const child = new Deno.Command(program, { args, cwd, stdin: "null" });
  const { success, stdout, stderr } = await child.output();
  const decoder = new TextDecoder();
  return { success, output: decoder.decode(stdout) + decoder.decode(stderr) };
}

if (import.meta.main) {
  const problems = [...await installForTests(), ...await installNpmPackages()];
  for (const problem of problems) console.error(problem);
}
