/** The servers of a race: ours, and who it is measured against. */
import { fromFileUrl } from "./paths.ts";
import { nginxConf } from "./nginx_conf.ts";
import { PLANT } from "./plant.ts";

/** Who runs. */
export type ContenderId = "ours" | "floor" | "nginx" | "bazel-remote";

/** A running server. */
export interface Contender extends AsyncDisposable {
  readonly id: ContenderId;
  /** As tables call it. */
  readonly name: string;
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  /** Further headers of a PUT that a race only prepares itself with. */
  readonly seedHeaders?: Readonly<Record<string, string>>;
  /** The path prefix under which it takes keys. */
  readonly prefix: string;
  /** User and system CPU seconds of all its processes so far. */
  cpuSeconds(): number;
  /** Ends it at once, as a loss of power would. */
  kill(): Promise<void>;
  /** Memory of all its processes now, in MB (10^6 bytes). */
  residentMb(): number;
  /** Peak memory of all its processes in MB. */
  peakMb(): number;
}

const TICKS_PER_SECOND = 100;

/** How our server is started. */
export interface OursOptions {
  /** The store's folder; made if it is not there. */
  readonly folder: string;
  readonly threads: number;
  /** Percent of its CPU time that each thread works for longer; see `plant.ts`. Default 0. */
  readonly plant?: number;
}

/** This server, with its token check on and strict durability. */
export async function startOurs(options: OursOptions): Promise<Contender> {
  const { folder, threads, plant = 0 } = options;
  const args = [
    "run",
    "-A",
    "--v8-flags=--max-semi-space-size=1",
    ...(plant > 0 ? [`--preload=${fromFileUrl("plant.ts")}`] : []),
    "--config",
    fromFileUrl("../deno.json"),
    fromFileUrl("../cli.ts"),
    "serve",
  ].concat(
    ["--port", "0", "--json", "--dir", folder, "--threads", String(threads)],
    ["--max-size", "none"],
  );
  const child = new Deno.Command(Deno.execPath(), {
    args,
    env: plant > 0 ? { [PLANT]: String(plant) } : {},
    stdout: "piped",
    stderr: "inherit",
  }).spawn();
  const reader = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
  let line = "";
  while (!line.includes("\n")) {
    const { done, value } = await reader.read();
    if (done) throw new Error("our server ended before it listened");
    line += value;
  }
  const { url, admin_token_file } = JSON.parse(line);
  const token = (await Deno.readTextFile(admin_token_file)).trim();
  return contender("ours", child, {
    name: "vitte-remote-cache",
    url,
    prefix: "/v1/entries/",
    headers: { authorization: `Bearer ${token}` },
    async drain() {
      while (!(await reader.read()).done);
    },
  });
}

/** The floor of `floor.ts`, one thread for each serving thread of ours. */
export async function startFloor(port: number, threads: number): Promise<Contender> {
  const token = "floor-token-of-the-bench-0123456789";
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--no-config", "--unstable-net", fromFileUrl("floor.ts")]
      .concat(String(port), token, String(threads)),
    stdout: "null",
    // Connections that wrk cuts at the end of a run are told there.
    stderr: "null",
  }).spawn();
  const url = `http://127.0.0.1:${port}`;
  await ready(url);
  return contender("floor", child, {
    name: "floor (Deno, memory)",
    url,
    prefix: "/",
    headers: { authorization: `Bearer ${token}` },
    seedHeaders: { "x-floor-shared": "1" },
  });
}

/** nginx, or `undefined` where it is not installed. */
export async function startNginx(dir: string, port: number): Promise<Contender | undefined> {
  await Deno.mkdir(`${dir}/nginx/files`, { recursive: true });
  const conf = `${dir}/nginx/nginx.conf`;
  await Deno.writeTextFile(conf, nginxConf(`${dir}/nginx`, port));
  let child: Deno.ChildProcess;
  try {
    child = new Deno.Command("nginx", { args: ["-c", conf], stdout: "null", stderr: "null" })
      .spawn();
  } catch (thrown) {
    if (thrown instanceof Deno.errors.NotFound) return undefined;
    throw thrown;
  }
  const url = `http://127.0.0.1:${port}`;
  await ready(url);
  return contender("nginx", child, {
    name: "nginx (static, WebDAV)",
    url,
    prefix: "/",
    headers: {},
  });
}

/** bazel-remote without a token check, from this binary; for information. */
export async function startBazelRemote(
  dir: string,
  port: number,
  binary: string,
): Promise<Contender> {
  const folder = `${dir}/bazel-remote`;
  const child = new Deno.Command(binary, {
    args: ["--dir", folder, "--max_size", "100", "--storage_mode", "uncompressed"]
      .concat("--http_address", `127.0.0.1:${port}`, "--grpc_address", "none")
      .concat("--access_log_level", "none", "--disable_http_ac_validation"),
    stdout: "null",
    stderr: "null",
  }).spawn();
  const url = `http://127.0.0.1:${port}`;
  await ready(`${url}/status`);
  // Keys of an action cache are 64 hex digits; what is stored under one is not checked.
  return contender("bazel-remote", child, {
    name: "bazel-remote",
    url,
    prefix: "/ac/",
    headers: {},
  });
}

async function ready(url: string): Promise<void> {
  for (let tries = 0; tries < 200; tries++) {
    try {
      await (await fetch(url)).body?.cancel();
      return;
    } catch (thrown) {
      if (!(thrown instanceof TypeError)) throw thrown;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
  throw new Error(`nobody listens on ${url}`);
}

function contender(
  id: ContenderId,
  child: Deno.ChildProcess,
  facts: {
    name: string;
    url: string;
    prefix: string;
    headers: Record<string, string>;
    seedHeaders?: Record<string, string>;
    drain?: () => Promise<void>;
  },
): Contender {
  const { drain, ...rest } = facts;
  let ended: Promise<void> | undefined;
  const end = (signal: Deno.Signal) =>
    ended ??= (async () => {
      child.kill(signal);
      await Promise.all([child.status, drain?.()]);
    })();
  return {
    id,
    ...rest,
    cpuSeconds: () => processes(child.pid).reduce((sum, pid) => sum + cpuOf(pid), 0),
    residentMb: () => processes(child.pid).reduce((sum, pid) => sum + memoryOf(pid, "VmRSS"), 0),
    peakMb: () => processes(child.pid).reduce((sum, pid) => sum + memoryOf(pid, "VmHWM"), 0),
    kill: () => end("SIGKILL"),
    [Symbol.asyncDispose]: () => end("SIGTERM"),
  };
}

/** A process and its children. */
function processes(pid: number): number[] {
  const text = Deno.readTextFileSync(`/proc/${pid}/task/${pid}/children`);
  return [pid, ...text.split(" ").filter((word) => word.trim() !== "").map(Number)];
}

function cpuOf(pid: number): number {
  const fields = Deno.readTextFileSync(`/proc/${pid}/stat`).replace(/^.*\) /, "").split(" ");
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
}

function memoryOf(pid: number, field: "VmRSS" | "VmHWM"): number {
  const status = Deno.readTextFileSync(`/proc/${pid}/status`);
  return Number(new RegExp(`${field}:\\s+(\\d+)`).exec(status)?.[1] ?? 0) * 1024 / 1e6;
}
