/** What a route returns: plain data, of which the handler makes the one Response. */
import type { ByteStream, ObjectBody } from "../core/bytes.ts";
import type { Hold } from "../core/cache.ts";
import type { Bytes, Digest } from "../core/digest.ts";
import { CacheError } from "../core/errors.ts";
import type { Failure } from "../protocol/problem.ts";
import type { Outcome } from "./deps.ts";

/** An answer that is not sent yet. Whoever makes it hands its body over. */
export interface Answer {
  readonly status: number;
  readonly headers: Record<string, string>;
  /** Text, bytes that are here, a stream, or a stored body; without it the answer has none. */
  readonly body?: Bytes | string | ByteStream | ObjectBody;
  /** Bytes of a stream, or of the body that a HEAD leaves out; `undefined` if not known. */
  readonly length?: number | undefined;
  /** Default: `ok` below 400. */
  readonly outcome?: Outcome;
  /** Set where the same question will be answered in the same way, for as long as it holds. */
  readonly again?: Again | undefined;
  /** Makes it the 404 of a look-up that found nothing; the rest is then left out. */
  readonly miss?: Failure;
}

/** Until when an answer can be given again. */
export interface Again {
  readonly holds: Hold;
  /** The scopes that were looked through. */
  readonly scopes: readonly string[];
  /** A header of the question, in lowercase, of which another value can mean another answer. */
  readonly by?: string;
}

/** Every stored body goes out as this: what a browser would make of it is nobody's choice. */
export const OCTET_STREAM = "application/octet-stream";

/** An answer of JSON; nothing in between may keep it. */
export function jsonAnswer(value: unknown, status = 200): Answer {
  return {
    status,
    headers: { "content-type": "application/json", "cache-control": "no-store" },
    body: JSON.stringify(value),
  };
}

/** An answer without a body. */
export function emptyAnswer(status: number, headers: Record<string, string> = {}): Answer {
  return { status, headers, ...(status === 204 || status === 304 ? {} : { body: "" }) };
}

/** A hit: a stored body, as it is. The headers are taken over. */
export function bodyAnswer(
  body: ObjectBody,
  options: { status?: number; headers?: Record<string, string> } = {},
): Answer {
  const headers = options.headers ?? {};
  headers["content-type"] = OCTET_STREAM;
  return {
    status: options.status ?? 200,
    headers,
    body: body.bytes ?? body,
    length: body.size,
    outcome: "hit",
  };
}

/** The answer to a HEAD for a body of this size. */
export function headAnswer(size: number, headers: Record<string, string> = {}): Answer {
  headers["content-type"] = OCTET_STREAM;
  return { status: 200, headers, length: size, outcome: "hit" };
}

/** What is not here; the handler makes the 404 of it. */
export function missing(what: string, name: string): CacheError {
  const { kind, message, context } = missOf(what, name);
  return new CacheError(kind, message, { context });
}

/** As {@linkcode missing}, without the price of an error: of a look-up that found nothing. */
export function missAnswer(what: string, name: string): Answer {
  return { status: 404, headers: {}, miss: missOf(what, name) };
}

function missOf(what: string, name: string): Failure {
  return {
    kind: "not_found",
    message: `Cannot find ${what} "${name.slice(0, 200)}"`,
    retry: "permanent",
    context: MISS,
    hint: undefined,
  };
}

const MISS = { miss: true };

/** As {@linkcode missing}, for a blob. */
export function missingBlob(digest: Digest): CacheError {
  return missing("blob", digest);
}
