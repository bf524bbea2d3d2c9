/** Loads by wrk: many small requests, or large bodies that are read and thrown away. */
import type { Contender } from "./contender.ts";
import type { LoadOptions, Measured } from "./measured.ts";
import { luaKey } from "./keys.ts";
import { numberIn, runLoad } from "./measured.ts";
import { GET_KEYS } from "./seed.ts";

let runs = 0;

/** GETs of seeded keys in turn; for large bodies `keys: 1` and the rate in MB/s. */
export function getLoad(
  server: Contender,
  name: string,
  options: LoadOptions & { keys?: number },
): Promise<Measured> {
  const { keys = GET_KEYS } = options;
  const script = `
local requests = {}
local n = 0
init = function()
  for i = 0, ${keys - 1} do
    requests[i] = ${head(server, "GET", luaKey(name, "i"))} .. "\\r\\n"
  end
end
request = function() n = (n + 1) % ${keys}; return requests[n] end`;
  return wrk(server, script, { ...options, large: keys === 1 });
}

/** GETs of keys that were never there, each asked once. */
export function missLoad(server: Contender, options: LoadOptions): Promise<Measured> {
  const script = `
local n = 0
request = function()
  n = n + 1
  return ${head(server, "GET", luaKey(`miss-${Deno.pid}-${++runs}`, "n"))} .. "\\r\\n"
end`;
  return wrk(server, script, { ...options, misses: true });
}

/** GETs of all the keys of `fill_store.ts` at random. */
export function fillLoad(
  server: Contender,
  entries: number,
  options: LoadOptions,
): Promise<Measured> {
  const script = `
request = function()
  return ${head(server, "GET", `"fill/" .. math.random(0, ${entries - 1})`)} .. "\\r\\n"
end`;
  return wrk(server, script, options);
}

/** PUTs of bodies and keys that were never there before. */
export function putLoad(
  server: Contender,
  body: Uint8Array,
  options: LoadOptions,
): Promise<Measured> {
  const script = `${putter(server, body)}
request = put`;
  return wrk(server, script, options);
}

/** A PUT as of {@linkcode putLoad}, a GET as of {@linkcode getLoad}, in turn. */
export function mixedLoad(
  server: Contender,
  name: string,
  body: Uint8Array,
  options: LoadOptions,
): Promise<Measured> {
  const script = `${putter(server, body)}
local turn = 0
request = function()
  turn = turn + 1
  if turn % 2 == 0 then return put() end
  return ${head(server, "GET", luaKey(name, `turn % ${GET_KEYS}`))} .. "\\r\\n"
end`;
  return wrk(server, script, options);
}

/** Posts one of these bodies after the other. */
export async function postLoad(
  server: Contender,
  post: { path: string; contentType: string; files: readonly string[] },
  options: LoadOptions,
): Promise<Measured> {
  const script = `
local requests = {}
local n = 0
init = function()
  for i, path in ipairs({${post.files.map((file) => `"${file}"`).join(", ")}}) do
    local file = io.open(path, "rb")
    local body = file:read("*a")
    file:close()
    wrk.headers["content-type"] = "${post.contentType}"
    ${Object.entries(server.headers).map(([k, v]) => `wrk.headers["${k}"] = "${v}"`).join("; ")}
    requests[i] = wrk.format("POST", "${post.path}", wrk.headers, body)
  end
end
request = function() n = n % #requests + 1; return requests[n] end`;
  return await wrk(server, script, options);
}

/** Lua for the head of a request to the key of this Lua expression, up to its last header. */
function head(server: Contender, method: string, key: string): string {
  const host = server.url.replace(/^http:\/\//, "");
  const headers = Object.entries({ host, ...server.headers }).map(([name, value]) =>
    `${name}: ${value}\\r\\n`
  );
  return `"${method} ${server.prefix}" .. ${key} .. " HTTP/1.1\\r\\n${headers.join("")}"`;
}

/** Lua with a function `put` that makes a request with a new key and a new body. */
function putter(server: Contender, body: Uint8Array): string {
  const run = ++runs;
  const rest = [...body.subarray(24)].map((byte) => `\\${byte.toString().padStart(3, "0")}`);
  return `
local rest = "${rest.join("")}"
local puts = 0
put = function()
  puts = puts + 1
  local head = ${head(server, "PUT", luaKey(`put-${Deno.pid}-${run}`, "puts"))}
  return head .. "content-length: ${body.length}\\r\\n\\r\\n"
    .. string.format("%08x%016x", ${run}, puts) .. rest
end`;
}

async function wrk(
  server: Contender,
  script: string,
  options: LoadOptions & { misses?: boolean; large?: boolean },
): Promise<Measured> {
  const file = await Deno.makeTempFile({ suffix: ".lua" });
  try {
    await Deno.writeTextFile(file, script);
    const { connections, seconds } = options;
    const args = ["-t1", `-c${connections}`, `-d${seconds}s`, "--latency", "-s", file, server.url];
    const { text, cpuSeconds } = await runLoad(server, "wrk", args);
    return parseWrk(text, cpuSeconds, options);
  } finally {
    await Deno.remove(file);
  }
}

const UNITS: Readonly<Record<string, number>> = { B: 1, KB: 2 ** 10, MB: 2 ** 20, GB: 2 ** 30 };

/** Reads wrk's summary. */
export function parseWrk(
  text: string,
  cpuSeconds: number,
  wanted: { misses?: boolean; large?: boolean } = {},
): Measured {
  const requests = numberIn(text, /(\d+) requests in/);
  const [, p99, unit] = /99%\s+([\d.]+)(us|ms|s)/.exec(text) ?? [];
  const factor = { us: 0.001, ms: 1, s: 1000 }[unit ?? "ms"] ?? 1;
  const [, read, readUnit] = /requests in [\d.]+\w+, ([\d.]+)(B|KB|MB|GB) read/.exec(text) ?? [];
  const [, second, secondUnit] = /Transfer\/sec:\s+([\d.]+)(B|KB|MB|GB)/.exec(text) ?? [];
  const size = (value?: string, unit?: string) => Number(value ?? 0) * (UNITS[unit ?? "B"] ?? 0);
  const others = numberIn(text, /Non-2xx or 3xx responses: (\d+)/);
  const [, broken = ""] = /Socket errors: (.*)/.exec(text) ?? [];
  const [connect = 0, reads = 0, writes = 0, timeouts = 0] = (broken.match(/\d+/g) ?? [])
    .map(Number);
  // A large body may take longer than wrk waits before it counts a timeout; it goes on all the same.
  const socket = connect + reads + writes + (wanted.large ? 0 : timeouts);
  const work = wanted.large ? size(read, readUnit) / 1e9 : requests / 10_000;
  return {
    rate: wanted.large
      ? size(second, secondUnit) / 1e6
      : numberIn(text, /Requests\/sec:\s+([\d.]+)/),
    p99Ms: p99 === undefined || wanted.large ? undefined : Number(p99) * factor,
    cpu: work === 0 ? 0 : cpuSeconds / work,
    errors: socket + (wanted.misses ? requests - others : others),
  };
}
