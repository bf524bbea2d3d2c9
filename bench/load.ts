/** Loads: wrk for many small requests, curl for a few large ones. */
import type { Contender } from "./contender.ts";

/** One measured run. */
export interface Measured {
  /** Requests a second, or MB (10^6 bytes) a second for large bodies. */
  readonly rate: number;
  readonly p99Ms: number | undefined;
  /** CPU seconds of the server per 10,000 requests, or per GB. */
  readonly cpu: number;
  readonly errors: number;
}

/** How many different keys a GET load asks for. */
export const GET_KEYS = 100;
let runs = 0;

/** Puts the bodies there that {@linkcode getLoad} asks for. */
export async function seed(server: Contender, name: string, body: Uint8Array<ArrayBuffer>) {
  for (let n = 0; n < GET_KEYS; n++) {
    const own = body.slice();
    new DataView(own.buffer).setUint32(0, n);
    await put(server, `${name}-${n}`, own);
  }
}

/** One PUT, checked. */
export async function put(server: Contender, key: string, body: Uint8Array<ArrayBuffer>) {
  const response = await fetch(`${server.url}${server.prefix}${key}`, {
    method: "PUT",
    headers: server.headers,
    body,
  });
  await response.body?.cancel();
  if (!response.ok) throw new Error(`${server.name}: PUT ${key}: ${response.status}`);
}

/** GETs of seeded keys in turn. */
export function getLoad(server: Contender, name: string, options: WrkOptions) {
  const script = `${headers(server)}
local n = 0
request = function()
  n = (n + 1) % ${GET_KEYS}
  return wrk.format("GET", "${server.prefix}${name}-" .. n)
end`;
  return wrk(server, script, options);
}

/** PUTs of bodies and keys that were never there before. */
export function putLoad(server: Contender, size: number, options: WrkOptions) {
  const run = `${Deno.pid}-${++runs}`;
  const script = `${headers(server)}
local thread_id = 0
setup = function(thread) thread:set("id", thread_id); thread_id = thread_id + 1 end
local n = 0
local pad = nil
request = function()
  if not pad then
    math.randomseed(id * 7919 + ${runs})
    local parts = {}
    for i = 1, ${size} - 24 do parts[i] = string.char(math.random(0, 255)) end
    pad = table.concat(parts)
  end
  n = n + 1
  local body = string.format("%08x%016x", id, n) .. pad
  return wrk.format("PUT", "${server.prefix}p-${run}-" .. id .. "-" .. n, wrk.headers, body)
end`;
  return wrk(server, script, options);
}

/** Options of a wrk run. */
export interface WrkOptions {
  readonly connections: number;
  readonly seconds: number;
}

function headers(server: Contender): string {
  return Object.entries(server.headers)
    .map(([name, value]) => `wrk.headers["${name}"] = "${value}"`).join("\n");
}

async function wrk(server: Contender, script: string, options: WrkOptions): Promise<Measured> {
  const file = await Deno.makeTempFile({ suffix: ".lua" });
  try {
    await Deno.writeTextFile(file, script);
    const before = server.cpuSeconds();
    const { connections, seconds } = options;
    const done = await new Deno.Command("wrk", {
      args: ["-t1", `-c${connections}`, `-d${seconds}s`, "--latency", "-s", file, server.url],
      stdout: "piped",
      stderr: "piped",
    }).output();
    const text = new TextDecoder().decode(done.stdout);
    if (!done.success) throw new Error(`wrk: ${new TextDecoder().decode(done.stderr)}`);
    return parseWrk(text, server.cpuSeconds() - before);
  } finally {
    await Deno.remove(file);
  }
}

/** Reads wrk's summary. */
export function parseWrk(text: string, cpuSeconds: number): Measured {
  const number = (pattern: RegExp) => Number(pattern.exec(text)?.[1] ?? 0);
  const requests = number(/(\d+) requests in/);
  const [, p99, unit] = /99%\s+([\d.]+)(us|ms|s)/.exec(text) ?? [];
  const factor = { us: 0.001, ms: 1, s: 1000 }[unit ?? "ms"] ?? 1;
  return {
    rate: number(/Requests\/sec:\s+([\d.]+)/),
    p99Ms: p99 === undefined ? undefined : Number(p99) * factor,
    cpu: requests === 0 ? 0 : cpuSeconds / requests * 10_000,
    errors: number(/Non-2xx or 3xx responses: (\d+)/) +
      number(/Socket errors: connect (\d+)/),
  };
}

/** `parallel` transfers of the same key or of new ones by curl; MB/s over all. */
export async function largeLoad(
  server: Contender,
  job: { method: "GET" | "PUT"; key: string; files: readonly string[]; parallel: number },
): Promise<Measured> {
  const before = server.cpuSeconds();
  const began = performance.now();
  const run = ++runs;
  const sizes = await Promise.all(Array.from({ length: job.parallel }, async (_, n) => {
    const put = job.method === "PUT";
    const file = job.files[n % job.files.length]!;
    const url = `${server.url}${server.prefix}${put ? `l-${Deno.pid}-${run}-${n}` : job.key}`;
    const args = ["-sS", "-o", "/dev/null", "-w", "%{http_code} %{size_download}"];
    for (const [name, value] of Object.entries(server.headers)) {
      args.push("-H", `${name}: ${value}`);
    }
    if (put) args.push("-T", file, "-H", "Expect:");
    const done = await new Deno.Command("curl", { args: [...args, url] }).output();
    const [status, down] = new TextDecoder().decode(done.stdout).split(" ");
    if (!status?.startsWith("2")) throw new Error(`${server.name}: ${job.method}: ${status}`);
    return put ? (await Deno.stat(file)).size : Number(down);
  }));
  const seconds = (performance.now() - began) / 1000;
  const bytes = sizes.reduce((sum, size) => sum + size, 0);
  const cpu = (server.cpuSeconds() - before) / (bytes / 1e9);
  return { rate: bytes / 1e6 / seconds, p99Ms: undefined, cpu, errors: 0 };
}
