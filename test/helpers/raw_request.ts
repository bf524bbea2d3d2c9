/** One HTTP/1.1 request over a socket, with the target exactly as it is given. */
import { concat } from "../../core/bytes.ts";
import type { HttpAnswer, HttpQuestion, HttpTokens } from "../suites/http_api.ts";

const CRLF = "\r\n";

/** Sends one request and reads the answer; the connection is closed afterwards. */
export async function rawHttp(
  server: { readonly port: number; readonly tokens: HttpTokens },
  [method, target]: readonly [method: string, target: string],
  question: HttpQuestion = {},
): Promise<HttpAnswer> {
  const { body, chunked = false, as = "writer" } = question;
  const headers: Record<string, string> = { host: "127.0.0.1", ...question.headers };
  if (as !== null) headers["authorization"] ??= `Bearer ${server.tokens[as]}`;
  headers["connection"] = "close";
  const bytes = typeof body === "string" ? new TextEncoder().encode(body) : body;
  if (bytes && chunked) headers["transfer-encoding"] = "chunked";
  else if (bytes) headers["content-length"] ??= `${bytes.length}`;
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}`);
  const head = [`${method} ${target} HTTP/1.1`, ...lines, "", ""].join(CRLF);

  using connection = await Deno.connect({ hostname: "127.0.0.1", port: server.port });
  const sending = writeAll(connection, [
    Uint8Array.from(head, (character) => character.charCodeAt(0)),
    ...(bytes ? chunked ? chunksOf(bytes) : [bytes] : []),
  ]);
  const answer = parseAnswer(await readAll(connection), method);
  await sending;
  return answer;
}

function chunksOf(bytes: Uint8Array): Uint8Array[] {
  const text = (part: string) => new TextEncoder().encode(part);
  const parts: Uint8Array[] = [];
  for (let at = 0; at < bytes.length; at += 10_000) {
    const part = bytes.subarray(at, at + 10_000);
    parts.push(text(part.length.toString(16) + CRLF), part, text(CRLF));
  }
  return [...parts, text(`0${CRLF}${CRLF}`)];
}

async function writeAll(connection: Deno.TcpConn, parts: readonly Uint8Array[]): Promise<void> {
  try {
    for (const part of parts) {
      for (let at = 0; at < part.length;) at += await connection.write(part.subarray(at));
    }
  } catch (thrown) {
    // A server may answer and hang up before it has read a body that it refuses.
    if (thrown instanceof Deno.errors.BrokenPipe) return;
    if (thrown instanceof Deno.errors.ConnectionReset) return;
    throw thrown;
  }
}

async function readAll(connection: Deno.TcpConn): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  const buffer = new Uint8Array(65_536);
  try {
    while (true) {
      const count = await connection.read(buffer);
      if (count === null) break;
      parts.push(buffer.slice(0, count));
    }
  } catch (thrown) {
    // As above: what came before the reset is the answer.
    if (!(thrown instanceof Deno.errors.ConnectionReset)) throw thrown;
  }
  return concat(parts);
}

function parseAnswer(all: Uint8Array, method: string): HttpAnswer {
  const latin = new TextDecoder("latin1").decode(all);
  const end = latin.indexOf(CRLF + CRLF);
  // What only says that the body may come now is not the answer.
  if (latin.startsWith("HTTP/1.1 100 ")) return parseAnswer(all.subarray(end + 4), method);
  const [statusLine = "", ...lines] = latin.slice(0, end).split(CRLF);
  const headers = new Headers();
  for (const line of lines) {
    const colon = line.indexOf(":");
    headers.append(line.slice(0, colon), line.slice(colon + 1).trim());
  }
  const rest = all.slice(end + 4);
  const body = method === "HEAD"
    ? new Uint8Array(0)
    : headers.get("transfer-encoding") === "chunked"
    ? unchunk(rest)
    : rest;
  const status = Number(statusLine.split(" ")[1]);
  return { status, headers, bytes: body, text: new TextDecoder().decode(body) };
}

function unchunk(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  const latin = new TextDecoder("latin1").decode(bytes);
  const parts: Uint8Array[] = [];
  for (let at = 0;;) {
    const line = latin.indexOf(CRLF, at);
    const size = parseInt(latin.slice(at, line), 16);
    if (!(size > 0)) return concat(parts);
    parts.push(bytes.subarray(line + 2, line + 2 + size));
    at = line + 2 + size + 2;
  }
}
