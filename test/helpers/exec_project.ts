/** A small C project whose compiler counts its runs, and the executable that caches them. */
import { compile } from "../../tools/compile.ts";
import type { Ran } from "./real_server.ts";
import { run } from "./real_server.ts";
import type { TempDir } from "./temp.ts";

/** What `exec --json` says of itself on standard error. */
export interface Report {
  readonly key: string;
  readonly result: "hit" | "ran";
  readonly stored: boolean;
  readonly reason?: string;
}

/** How one `exec` ended. */
export interface ExecRan extends Ran {
  /** `undefined` when it did not come to that. */
  readonly report: Report | undefined;
  /** Standard error without the report. */
  readonly said: string;
}

/** Where commands run. */
export interface ExecPlace {
  readonly cwd: string;
  /** Variables, over those of the test. */
  readonly env: Readonly<Record<string, string>>;
}

/** A folder with a project, a compiler of its own in `bin/`, and a home. */
export class ExecProject {
  readonly #dir: TempDir;
  readonly #program: string;
  readonly #env: Readonly<Record<string, string>>;

  private constructor(dir: TempDir, program: string, env: Readonly<Record<string, string>>) {
    this.#dir = dir;
    this.#program = program;
    this.#env = env;
  }

  /** Makes one below `dir`; `store` names the cache, as variables. */
  static async create(dir: TempDir, store: Readonly<Record<string, string>>): Promise<ExecProject> {
    const project = new ExecProject(dir, await compile(), store);
    await Deno.mkdir(dir.join("project/.git"), { recursive: true });
    await project.write("lib.h", "#define ANSWER 42\n");
    await project.write("main.c", '#include "lib.h"\nint answer(void) { return ANSWER; }\n');
    await project.compiler("bin");
    return project;
  }

  get path(): string {
    return this.#dir.join("project");
  }

  /** The executable. */
  get program(): string {
    return this.#program;
  }

  file(name: string): string {
    return `${this.path}/${name}`;
  }
  async write(name: string, text: string): Promise<void> {
    await Deno.writeTextFile(this.file(name), text);
  }
  read(name: string): Promise<Uint8Array> {
    return Deno.readFile(this.file(name));
  }

  /** A program of the test's own in `bin/`. */
  async script(name: string, lines: string, folder = "bin"): Promise<void> {
    await Deno.mkdir(this.#dir.join(folder), { recursive: true });
    await Deno.writeTextFile(this.#dir.join(folder, name), `#!/bin/sh\n${lines}\n`);
    await Deno.chmod(this.#dir.join(folder, name), 0o755);
  }

  /** A compiler `cc` that notes each run and says something on both streams. */
  async compiler(folder: string, remark = "compiles"): Promise<void> {
    const log = this.#dir.join("runs");
    await this.script(
      "cc",
      `echo run >> ${log}\necho ${remark} $FLAGS\necho a warning >&2\nexec gcc $FLAGS "$@"`,
      folder,
    );
  }

  /** How often a compiler ran. */
  async runs(): Promise<number> {
    const text = await Deno.readTextFile(this.#dir.join("runs")).catch(() => "");
    return text.split("\n").length - 1;
  }

  /** Variables and folder of a command; `bin` names folders in front of PATH. */
  place(env: Readonly<Record<string, string>> = {}, bin: readonly string[] = ["bin"]): ExecPlace {
    const path = [...bin.map((name) => this.#dir.join(name)), Deno.env.get("PATH") ?? ""].join(":");
    const home = this.#dir.join("home");
    return {
      cwd: this.path,
      env: { HOME: home, XDG_CACHE_HOME: "", PATH: path, ...this.#env, ...env },
    };
  }

  /** Runs `exec --json ARGS`. */
  async exec(args: readonly string[], place: ExecPlace = this.place()): Promise<ExecRan> {
    const ran = await run([this.#program, "exec", "--json", ...args], {
      cwd: place.cwd,
      env: { ...place.env },
    });
    return { ...ran, ...reportIn(ran.stderr) };
  }

  /** Starts it, to be killed. */
  spawn(args: readonly string[], place: ExecPlace = this.place()): Deno.ChildProcess {
    return new Deno.Command(this.#program, {
      args: ["exec", ...args],
      cwd: place.cwd,
      env: { ...place.env },
      stdin: "null",
      stdout: "null",
      stderr: "null",
    }).spawn();
  }
}

function reportIn(stderr: string): Pick<ExecRan, "report" | "said"> {
  const lines = stderr.split("\n");
  const at = lines.findIndex((line) => line.startsWith('{"key":'));
  if (at < 0) return { report: undefined, said: stderr };
  const [line] = lines.splice(at, 1);
  return { report: JSON.parse(line!), said: lines.join("\n") };
}
