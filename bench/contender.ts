/** The servers of a race: ours, and who it is measured against. */
import { nginxConf } from "./nginx_conf.ts";

/** A running server. */
export interface Contender extends AsyncDisposable {
  readonly name: string;
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  /** The path prefix under which it takes keys. */
  readonly prefix: string;
  /** User and system CPU seconds of all its processes so far. */
  cpuSeconds(): number;
  /** Peak memory of all its processes in MB. */
  peakMb(): number;
}

const HERE = new URL(".", import.meta.url);
const path = (relative: string) => decodeURIComponent(new URL(relative, HERE).pathname);
const TICKS_PER_SECOND = 100;

/** This server on a fresh folder, with its token check on and strict durability. */
export async function startOurs(dir: string, threads: number): Promise<Contender> {
  const args = [
    "run",
    "-A",
    "--v8-flags=--max-semi-space-size=1",
    "--config",
    path("../deno.json"),
    path("../cli.ts"),
    "serve",
  ].concat(
    ["--port", "0", "--json", "--dir", `${dir}/ours`, "--threads", String(threads)],
    ["--max-size", "none"],
  );
  const child = new Deno.Command(Deno.execPath(), { args, stdout: "piped", stderr: "inherit" })
    .spawn();
  const reader = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
  let line = "";
  while (!line.includes("\n")) {
    const { done, value } = await reader.read();
    if (done) throw new Error("our server ended before it listened");
    line += value;
  }
  const { url, admin_token_file } = JSON.parse(line);
  const token = (await Deno.readTextFile(admin_token_file)).trim();
  return contender("vitte-remote-cache", child, {
    url,
    prefix: "/v1/entries/",
    headers: { authorization: `Bearer ${token}` },
    async drain() {
      while (!(await reader.read()).done);
    },
  });
}

/** The floor of `floor.ts`. */
export async function startFloor(port: number): Promise<Contender> {
  const token = "floor-token-of-the-bench-0123456789";
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--no-config", path("floor.ts"), String(port), token],
    stdout: "null",
    stderr: "inherit",
  }).spawn();
  const url = `http://127.0.0.1:${port}`;
  await ready(url);
  return contender("floor (Deno, memory)", child, {
    url,
    prefix: "/",
    headers: { authorization: `Bearer ${token}` },
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
  return contender("nginx (static, WebDAV)", child, { url, prefix: "/", headers: {} });
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
  name: string,
  child: Deno.ChildProcess,
  facts: {
    url: string;
    prefix: string;
    headers: Record<string, string>;
    drain?: () => Promise<void>;
  },
): Contender {
  const { drain, ...rest } = facts;
  return {
    name,
    ...rest,
    cpuSeconds: () => processes(child.pid).reduce((sum, pid) => sum + cpuOf(pid), 0),
    peakMb: () => processes(child.pid).reduce((sum, pid) => sum + peakOf(pid), 0),
    async [Symbol.asyncDispose]() {
      child.kill("SIGTERM");
      await Promise.all([child.status, drain?.()]);
    },
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

function peakOf(pid: number): number {
  const status = Deno.readTextFileSync(`/proc/${pid}/status`);
  return Number(/VmHWM:\s+(\d+)/.exec(status)?.[1] ?? 0) * 1024 / 1e6;
}
