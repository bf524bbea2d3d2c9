/** A shell in an empty home in which this program is installed, as a person has it. */
import assert from "node:assert/strict";
import { run, SOURCE_PROGRAM } from "./real_server.ts";
import type { Ran } from "./real_server.ts";

/** What is typed to call it. */
export const PROGRAM = "vitte-remote-cache";

/** Takes away what this test's own environment may say. */
const CLEAN = [
  "env",
  ...["XDG_CONFIG_HOME", "XDG_CACHE_HOME", "CCACHE_DIR", "CCACHE_CONFIGPATH"]
    .concat("CCACHE_REMOTE_STORAGE", "VITTE_CACHE_URL", "VITTE_CACHE_DIR", "VITTE_TOKEN")
    .concat("VITTE_TOKEN_FILE").flatMap((name) => ["-u", name]),
] as const;

/** A person at work. */
export class Terminal {
  /** The commands so far. */
  readonly typed: string[] = [];
  readonly #home: string;
  readonly #said: string[] = [];

  /** `home` is the working folder too. */
  constructor(home: string) {
    this.#home = home;
  }
  get env(): Record<string, string> {
    return {
      HOME: this.#home,
      PATH: `${this.#home}/bin:${Deno.env.get("PATH") ?? ""}`,
      // Deno itself must not be fetched anew for every home.
      DENO_DIR: Deno.env.get("DENO_DIR") ?? `${Deno.env.get("HOME")}/.cache/deno`,
    };
  }
  /** Types a command and waits for its end. */
  async type(command: string): Promise<string> {
    this.typed.push(command);
    const { code, stdout, stderr } = await this.look(command);
    this.#said.push(`$ ${command}`, (stdout + stderr).trim());
    assert.equal(code, 0, `${command}\n${stdout}${stderr}`);
    return stdout + stderr;
  }
  /** Types a command that goes on, as with & behind it; resolves when it has said `ready`. */
  async start(command: string, ready: RegExp): Promise<AsyncDisposable> {
    this.typed.push(`${command} &`);
    const [env, ...clean] = CLEAN;
    const child = new Deno.Command(env, {
      args: [...clean, "bash", "-c", `exec ${command}`],
      cwd: this.#home,
      env: this.env,
      stdin: "null",
      stdout: "piped",
      stderr: "null",
    }).spawn();
    const reader = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
    let said = "";
    while (!ready.test(said)) {
      const { done, value } = await reader.read();
      if (done) throw new Error(`it ended:\n${said}`);
      said += value;
    }
    this.#said.push(`$ ${command} &`, said.trim());
    return {
      async [Symbol.asyncDispose]() {
        child.kill("SIGTERM");
        while (!(await reader.read()).done);
        await child.status;
      },
    };
  }
  /** Looks without typing: the test's own look counts for nothing. */
  async look(command: string): Promise<Ran> {
    return await run([...CLEAN, "bash", "-c", command], { cwd: this.#home, env: this.env });
  }
  /** What was typed and said, without tokens. */
  get session(): string {
    return this.#said.join("\n").replaceAll(/vrc_[\w-]+/g, "vrc_…").replaceAll(this.#home, "~");
  }
}

/** Puts this program on the PATH, as a download would. */
export async function install(home: string): Promise<void> {
  await Deno.mkdir(`${home}/bin`);
  const words = SOURCE_PROGRAM.map((word) => `'${word}'`).join(" ");
  const path = `${home}/bin/${PROGRAM}`;
  await Deno.writeTextFile(path, `#!/bin/sh\nexec ${words} "$@"\n`, { mode: 0o755 });
}
