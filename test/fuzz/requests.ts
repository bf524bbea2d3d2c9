/** Requests that nobody should send, and some that are fine: what the HTTP fuzz sends. */
import { digestOf } from "../../core/digest.ts";
import type { SeededRandom } from "../helpers/random.ts";

/** One request as bytes. */
export interface FuzzRequest {
  readonly method: string;
  readonly head: string;
  readonly body: Uint8Array<ArrayBuffer>;
  /** Whose token it brings. */
  readonly as: Role;
  /** Bytes after which the connection is cut; `undefined`: all are sent and the answer is read. */
  readonly cutAfter: number | undefined;
  /** Whether its end is where its head says, so that a server owes it an answer. */
  readonly framed: boolean;
  /** Of a blob that is put as it should be: its digest as hex. */
  readonly puts: string | undefined;
}

/** Tokens of a run; `none` and `bad` have none that is good. */
export type Role = "admin" | "writer" | "reader" | "bad" | "none";

/** What may be written into requests. */
export interface FuzzWorld {
  readonly host: string;
  readonly tokens: Readonly<Record<"admin" | "writer" | "reader", string>>;
  /** Paths of the API, with `{parameter}`s, and their methods. */
  readonly routes: readonly { readonly path: string; readonly methods: readonly string[] }[];
}

const ROLES: readonly Role[] = ["admin", "writer", "writer", "writer", "reader", "bad", "none"];
const METHODS = ["GET", "HEAD", "PUT", "POST", "DELETE", "OPTIONS", "PATCH", "TRACE", "CONNECT"];
const ODD_METHODS = ["get", "PROPFIND", "X".repeat(300), "G\u00e9T", "", "PUT\t"];
const ODD_SEGMENTS = [
  "..",
  ".",
  "",
  "%2e%2e",
  "..%2f..%2fetc%2fpasswd",
  "%00",
  "%",
  "%zz",
  "%c0%af",
  "%ff%fe",
  "\\..\\",
  "a".repeat(9000),
  "%41".repeat(500),
  "a\u00fc",
  "caf%C3%A9",
  "cafe%CC%81",
  "__proto__",
  "constructor",
  "ns",
  "*",
  "#x",
  "a b",
];
const ODD_HEADERS: readonly (readonly [string, string])[] = [
  ["range", "bytes=0-0"],
  ["range", "bytes=-1"],
  ["range", "bytes=5-1"],
  ["range", "bytes=99999999999999999999-"],
  ["range", "bytes=0-1,3-4,9-"],
  ["range", `bytes=${"0-1,".repeat(1000)}`],
  ["if-none-match", "*"],
  ["if-none-match", '"x", W/"y"'],
  ["if-match", '"nothing"'],
  ["if-range", "yesterday"],
  ["expect", "100-continue"],
  ["expect", "the unexpected"],
  ["content-type", "application/json"],
  ["content-type", "application/vnd.vitte.entry+json"],
  ["content-type", "application/vnd.vitte.blobs"],
  ["content-type", "multipart/form-data; boundary="],
  ["content-encoding", "zstd"],
  ["content-encoding", "gzip"],
  ["accept-encoding", "zstd;q=0, *"],
  ["accept", "application/json;q=0"],
  ["x-artifact-tag", "\u00e9".repeat(200)],
  ["x-artifact-duration", "-5"],
  ["connection", "upgrade"],
  ["upgrade", "websocket"],
  ["upgrade", "h2c"],
  ["transfer-encoding", "gzip, chunked"],
  ["transfer-encoding", "identity"],
  ["content-length", "5"],
  ["content-length", "-1"],
  ["content-length", "0x10"],
  ["content-length", "18446744073709551616"],
  ["host", "evil.example"],
  ["host", ""],
  ["cookie", "a=b; ".repeat(100)],
  ["authorization", "Bearer"],
  ["authorization", "Basic Og=="],
  ["x-forwarded-for", "::1"],
  ["forwarded", 'for="_gazonk"'],
  ["x".repeat(300), "y"],
  ["y", "z".repeat(20_000)],
  ["bad name", "v"],
  ["nul", "a\0b"],
  ["te", "trailers"],
  ["trailer", "x-late"],
  ["if-modified-since", "Thu, 32 Foo 20260 99:99:99 GMT"],
  ["content-range", "bytes 0-1/2"],
  ["digest", "sha-256=AAAA"],
];
const ODD_QUERIES = [
  "",
  "?",
  "?scope=pr%2F1",
  "?scope=..%2f..",
  "?limit=-1",
  "?limit=99999999999999999999",
  "?after=%00",
  "?prefix=%ff",
  "?teamId=x&slug=../y",
  `?${"a=b&".repeat(3000)}`,
  "?__proto__=1",
  "?digest",
];

/** The next request of a seeded run. */
export function nextRequest(random: SeededRandom, world: FuzzWorld): FuzzRequest {
  const pick = <T>(list: readonly T[]): T => list[random.integer(0, list.length)]!;
  const chance = (share: number) => random.next() < share;
  const as = pick(ROLES);
  const route = pick(world.routes);
  // One in eight puts a blob as it should be: what was taken must be there afterwards.
  const plain = chance(0.125);
  const body = plain ? random.bytes(random.integer(16, 3000)) : makeBody(random, pick, chance);
  const digest = digestOf(body).slice("sha256-".length);
  const method = plain
    ? "PUT"
    : chance(0.03)
    ? pick(ODD_METHODS)
    : chance(0.7)
    ? pick(route.methods).toUpperCase()
    : pick(METHODS);
  const target = plain
    ? `/v1/blobs/sha256-${digest}`
    : makeTarget(route.path, digest, random, pick, chance);
  const version = !plain && chance(0.01)
    ? pick(["HTTP/1.0", "HTTP/2.0", "HTTP/9.9", "HTTQ/1.1", ""])
    : "HTTP/1.1";
  const headers: (readonly [string, string])[] = [["host", world.host]];
  let framed = true;
  if (as === "bad") {
    headers.push(["authorization", `Bearer ${mangle(world.tokens.writer, random)}`]);
  } else if (as !== "none") headers.push(["authorization", `Bearer ${world.tokens[as]}`]);
  const framing = plain ? 0 : random.integer(0, 12);
  let bytes = method === "GET" || method === "HEAD" ? body.subarray(0, 0) : body;
  if (framing === 0 || framing > 3) {
    if (bytes.length > 0 || method === "PUT" || method === "POST") {
      headers.push(["content-length", String(bytes.length)]);
    }
  } else if (framing === 1) {
    headers.push(["transfer-encoding", "chunked"]);
    const broken = chance(0.3);
    framed = !broken;
    bytes = chunked(bytes, broken, random);
  } else if (framing === 2) {
    framed = false;
    headers.push(["content-length", String(bytes.length + random.integer(-3, 100))]);
  } else {
    framed = false;
    headers.push(["transfer-encoding", "chunked"], ["content-length", String(bytes.length)]);
  }
  if (!plain) {
    for (let n = random.integer(0, 4); n > 0; n--) {
      const odd = pick(ODD_HEADERS);
      headers.push(odd);
      framed &&= !/^(content-length|transfer-encoding|upgrade|connection|nul|bad name|expect)$/
        .test(odd[0]);
    }
    if (chance(0.005)) { for (let n = 0; n < 300; n++) headers.push([`x-${n}`, "v"]); }
  }
  const lines = headers.map(([name, value]) => `${name}: ${value}`);
  const odd = !plain && chance(0.01);
  const end = odd ? pick(["\n\n", "\r\n", "\r\r\n\n", "\0\r\n\r\n"]) : "\r\n\r\n";
  const head = `${method} ${target} ${version}\r\n${lines.join("\r\n")}${end}`;
  const cut = !plain && chance(0.1);
  return {
    method,
    head,
    body: bytes,
    as,
    cutAfter: cut ? random.integer(0, head.length + bytes.length + 1) : undefined,
    framed: framed && !odd && version === "HTTP/1.1" && METHODS.includes(method) &&
      method !== "CONNECT",
    puts: plain ? digest : undefined,
  };
}

function makeTarget(
  path: string,
  digest: string,
  random: SeededRandom,
  pick: <T>(list: readonly T[]) => T,
  chance: (share: number) => boolean,
): string {
  const value = (name: string) => {
    if (chance(0.15)) return pick(ODD_SEGMENTS);
    if (name === "digest") return chance(0.5) ? `sha256-${digest}` : digest;
    if (name === "action" || name === "output") return digest;
    return chance(0.5) ? digest : `key-${random.integer(0, 50)}`;
  };
  let target = path.replace(/\{(\w+)\}/g, (_, name) => value(name));
  if (chance(0.1)) target = `/ns/${chance(0.5) ? "default" : pick(ODD_SEGMENTS)}${target}`;
  if (chance(0.05)) target += `/${pick(ODD_SEGMENTS)}`;
  if (chance(0.02)) target = pick(ODD_SEGMENTS) + target;
  if (chance(0.15)) target += pick(ODD_QUERIES);
  if (chance(0.01)) target = `http://evil.example${target}`;
  return target;
}

function makeBody(
  random: SeededRandom,
  pick: <T>(list: readonly T[]) => T,
  chance: (share: number) => boolean,
): Uint8Array<ArrayBuffer> {
  if (chance(0.15)) return new Uint8Array(0);
  if (chance(0.25)) {
    return new TextEncoder().encode(pick([
      '{"digests":[]}',
      '{"digests":["sha256-00"]}',
      '{"digests":{"length":1e9}}',
      '{"blobs":[{"digest":null}]}',
      `{"name":"t${random.integer(0, 5)}","verbs":["admin"]}`,
      '{"name":"../x","verbs":["read"]}',
      '{"__proto__":{"verbs":["admin"]}}',
      '{"repair":"yes"}',
      "[".repeat(5000),
      '{"a":'.repeat(2000),
      '"\\ud800"',
      "nul",
      "[{}]",
      '[{"event":"HIT","source":"LOCAL","hash":"x","duration":1e400}]',
      '{"hashes":["a"]}',
      '{"prefix":"nothing-has-this","dry_run":true}',
    ]));
  }
  // Mostly small; some are chunked by the store.
  const length = chance(0.01) ? random.integer(300_000, 700_000) : random.integer(1, 2000);
  return random.bytes(length);
}

/** Chunked framing; `broken`: with one thing wrong in it. */
function chunked(
  body: Uint8Array<ArrayBuffer>,
  broken: boolean,
  random: SeededRandom,
): Uint8Array<ArrayBuffer> {
  const size = broken && random.next() < 0.5
    ? ["zz", "-1", "ffffffffffffffff", "7fffffff", ""][random.integer(0, 5)]!
    : body.length.toString(16);
  const before = new TextEncoder().encode(`${size}\r\n`);
  const after = new TextEncoder().encode(broken ? "\r\n0\r\nx: y\r\n" : "\r\n0\r\n\r\n");
  const all = new Uint8Array(before.length + body.length + after.length);
  all.set(before);
  all.set(body, before.length);
  all.set(after, before.length + body.length);
  return body.length === 0 && !broken ? new TextEncoder().encode("0\r\n\r\n") : all;
}

/** A token with one letter changed. */
function mangle(token: string, random: SeededRandom): string {
  const at = random.integer(5, token.length);
  return token.slice(0, at) + (token[at] === "A" ? "B" : "A") + token.slice(at + 1);
}
