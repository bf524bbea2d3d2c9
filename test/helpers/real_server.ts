/** A real server in a process of its own, as a user starts it. */
import { fromFileUrl } from "./paths.ts";

/** A running `serve`. Disposing it stops it gracefully. */
export interface RealServer extends AsyncDisposable {
  readonly url: string;
  readonly dir: string;
  readonly adminToken: string;
  readonly pid: number;
  /** SIGKILL, and waits for the end. */
  kill(): Promise<void>;
  /** SIGTERM, and waits for the end; tells the exit code. */
  stop(): Promise<number>;
  /** Everything it wrote to standard error so far. */
  log(): string;
}

/** Options of {@linkcode startServer}. */
export interface StartOptions {
  /** More words for `serve`. */
  readonly args?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** The program; default: this source under this Deno. */
  readonly program?: readonly string[];
  /** Milliseconds to wait for it to listen. Default 60,000. */
  readonly timeoutMs?: number;
}

/** The command line that runs this source, as `deno task start` does. */
export const SOURCE_PROGRAM: readonly string[] = [
  Deno.execPath(),
  "run",
  "-A",
  "--v8-flags=--max-semi-space-size=1",
  "--config",
  fromFileUrl("../../deno.json"),
  fromFileUrl("../../cli.ts"),
];

/**
 * Where the runtime keeps its packages: to be named as DENO_DIR to a program of ours that gets
 * another home, lest it fetches all of them again into that.
 */
export function runtimeFolder(): string {
  const { env } = Deno;
  const cache = env.get("XDG_CACHE_HOME") || `${env.get("HOME")}/.cache`;
  return env.get("DENO_DIR") || `${cache}/deno`;
}

/** Starts `serve --port 0 --json --dir DIR` and waits for its line. */
export async function startServer(dir: string, options: StartOptions = {}): Promise<RealServer> {
  const [command, ...first] = options.program ?? SOURCE_PROGRAM;
  const child = new Deno.Command(command!, {
    args: [...first, "serve", "--port", "0", "--json", "--dir", dir, ...(options.args ?? [])],
    env: { ...options.env },
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const log: string[] = [];
  const logged = child.stderr.pipeThrough(new TextDecoderStream()).pipeTo(
    new WritableStream({
      write(text) {
        log.push(text);
      },
    }),
  );
  const lines = lineReader(child.stdout);
  const first_line = await within(lines.next(), options.timeoutMs ?? 60_000, () => {
    child.kill("SIGKILL");
    return `the server did not listen in time:\n${log.join("")}`;
  });
  if (first_line === undefined) {
    await Promise.all([child.status, logged, lines.rest()]);
    throw new Error(`the server ended before it listened:\n${log.join("")}`);
  }
  const { url, admin_token_file } = JSON.parse(first_line);
  const adminToken = (await Deno.readTextFile(admin_token_file)).trim();
  let ended: Promise<number> | undefined;
  const end = (signal: Deno.Signal) =>
    ended ??= (async () => {
      try {
        child.kill(signal);
      } catch (thrown) {
        // It has ended by itself: its status tells how.
        if (!(thrown instanceof TypeError)) throw thrown;
      }
      const [status] = await Promise.all([child.status, logged, lines.rest()]);
      return status.code;
    })();
  return {
    url,
    dir,
    adminToken,
    pid: child.pid,
    log: () => log.join(""),
    kill: async () => void await end("SIGKILL"),
    stop: () => end("SIGTERM"),
    [Symbol.asyncDispose]: async () => void await end("SIGTERM"),
  };
}

function lineReader(stream: ReadableStream<Uint8Array>) {
  const reader = stream.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  return {
    async next(): Promise<string | undefined> {
      while (!text.includes("\n")) {
        const { done, value } = await reader.read();
        if (done) return undefined;
        text += value;
      }
      const [line] = text.split("\n", 1);
      text = text.slice(line!.length + 1);
      return line;
    },
    async rest(): Promise<void> {
      while (!(await reader.read()).done);
    },
  };
}

async function within<T>(work: Promise<T>, ms: number, late: () => string): Promise<T> {
  const { promise, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => reject(new Error(late())), ms);
  try {
    return await Promise.race([work, promise]);
  } finally {
    clearTimeout(timer);
  }
}

/** What a program printed and how it ended. */
export interface Ran {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a program to its end. */
export async function run(
  command: readonly string[],
  options: { cwd?: string; env?: Record<string, string>; stdin?: Uint8Array } = {},
): Promise<Ran> {
  const [program, ...args] = command;
  const child = new Deno.Command(program!, {
    args,
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    env: { ...options.env },
    stdin: options.stdin ? "piped" : "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  if (options.stdin) {
    const writer = child.stdin.getWriter();
    await writer.write(options.stdin);
    await writer.close();
  }
  const output = await child.output();
  const decoder = new TextDecoder();
  return {
    code: output.code,
    stdout: decoder.decode(output.stdout),
    stderr: decoder.decode(output.stderr),
  };
}

/** Runs this project's command line from source. */
export function runCli(
  args: readonly string[],
  options: { env?: Record<string, string>; stdin?: Uint8Array } = {},
): Promise<Ran> {
  return run([...SOURCE_PROGRAM, ...args], options);
}
