/** A machine that builds Go through our helper: its own home and cache folder. */
import assert from "node:assert/strict";
import { goCommand, writeModule } from "./go_toolchain.ts";
import { run, SOURCE_PROGRAM } from "./real_server.ts";

/** What the helper tells with `--json`. */
export interface GoFacts {
  readonly gets: number;
  readonly local_hits: number;
  readonly remote_hits: number;
  readonly misses: number;
  readonly puts: number;
  readonly uploaded: number;
  readonly not_uploaded: number;
  readonly remote_bytes: number;
  readonly damaged: number;
  readonly outages: number;
  readonly lost_ms: number;
  readonly close_ms: number;
  readonly ms: number;
}

/** One go command, run to its end. */
export interface GoRan {
  readonly code: number;
  readonly facts: GoFacts;
  /** Standard output and standard error. */
  readonly said: string;
  /** How often the compiler ran; known of commands with `-x`. */
  readonly compiled: number;
  readonly seconds: number;
}

/** Where a machine finds the server. */
export interface GoServer {
  readonly url: string;
  readonly token: string;
}

/** How a machine is set up. */
export interface GoMachineOptions {
  readonly server?: GoServer;
  /** Words for the helper. */
  readonly words?: readonly string[];
  /** The checkout, which may be shared. Default: one of its own. */
  readonly source?: string;
}

/** One machine. */
export class GoMachine {
  readonly home: string;
  readonly #go: string;
  readonly #helper: string;
  readonly #env: Record<string, string>;

  readonly #source: string;

  private constructor(home: string, go: string, options: GoMachineOptions) {
    const { server, words = [], source = `${home}/src` } = options;
    this.home = home;
    this.#go = go;
    this.#source = source;
    this.#helper = [...SOURCE_PROGRAM, "go-cacheprog", "--json", ...words].join(" ");
    this.#env = {
      HOME: home,
      XDG_CACHE_HOME: `${home}/cache`,
      GOCACHE: `${home}/gocache`,
      GOPATH: `${home}/gopath`,
      GOENV: "off",
      GOFLAGS: "-trimpath -buildvcs=false",
      GOPROXY: "off",
      GOTOOLCHAIN: "local",
      GOTELEMETRY: "off",
      CGO_ENABLED: "0",
      VITTE_CACHE_URL: server?.url ?? "",
      VITTE_TOKEN: server?.token ?? "",
      VITTE_TOKEN_FILE: "",
    };
  }

  /** Sets one up in an empty folder, with a checkout of the module. */
  static async make(
    home: string,
    files: Readonly<Record<string, string>>,
    options: GoMachineOptions = {},
  ): Promise<GoMachine> {
    const machine = new GoMachine(home, await goCommand(), options);
    await writeModule(machine.#source, files);
    await Deno.mkdir(home, { recursive: true });
    return machine;
  }

  /** The folder of its local files. */
  get cacheDir(): string {
    return `${this.home}/cache/vitte-remote-cache/go`;
  }
  /** The program that `build` makes. */
  get program(): string {
    return `${this.home}/program`;
  }

  /** `go build -x` of the whole program. */
  async build(): Promise<GoRan> {
    return await this.go("build", "-x", "-o", this.program, ".");
  }

  /** Any go command. */
  async go(...words: string[]): Promise<GoRan> {
    const began = performance.now();
    const env = { ...this.#env, GOCACHEPROG: this.#helper };
    const ran = await run([this.#go, ...words], { cwd: this.#source, env });
    const seconds = (performance.now() - began) / 1000;
    const said = ran.stdout + ran.stderr;
    const line = ran.stderr.split("\n").find((one) => one.includes('{"gets":'));
    assert.ok(line, said);
    return {
      code: ran.code,
      facts: JSON.parse(line.slice(line.indexOf("{"))),
      said,
      compiled: (said.match(/\/compile(?:\.exe)?"? -o /g) ?? []).length,
      seconds,
    };
  }

  /** What the built program says. */
  async say(): Promise<string> {
    const { stdout, stderr } = await run([this.program]);
    return stdout + stderr;
  }
}
