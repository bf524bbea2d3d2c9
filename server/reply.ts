/** The way out of a request: one Response, one line in the log. */
import type { Bytes, Digest } from "../core/digest.ts";
import { digestHex } from "../core/digest.ts";
import {
  DOWNLOAD_HELD_BYTES,
  HOT_BODY_BYTES,
  TOKEN_SOON_MS,
  WHOLE_ANSWER_BYTES,
} from "../core/limits.ts";
import type { Principal } from "../core/policy.ts";
import { streamOf } from "../core/bytes.ts";
import type { ByteStream, ObjectBody } from "../core/bytes.ts";
import { troubleOf } from "../core/trouble.ts";
import type { Failure } from "../protocol/problem.ts";
import { missText, problemOf, retryAfter, statusOf } from "../protocol/problem.ts";
import { HEADERS, PROBLEM_MEDIA_TYPE, REALM } from "../protocol/url_space.ts";
import { holdAnswer, tooManyAnswers } from "./admission.ts";
import type { Again, Answer } from "./answer.ts";
import type { Outcome, RequestOrigin, ServerDeps } from "./deps.ts";
import type { Route, Tally } from "./exchange.ts";
import type { ReadyAnswer } from "./ready_answers.ts";
import { isPlain } from "./ready_answers.ts";
import { partsOf, watchResponse } from "./response_stream.ts";

// Maven sends its password only after a challenge that names Basic.
const CHALLENGE = `Basic realm="${REALM}", Bearer realm="${REALM}"`;
const DIGEST_PREFIX = 12;

/** What a reply needs of the server. */
export type ReplyDeps = Pick<ServerDeps, "clock" | "counters" | "log" | "takesParts">;

/** What is known of a request's answer so far. */
export class Reply {
  readonly tally: Tally = { received: 0, sent: 0, digest: undefined, lookup: false, cost: 0 };
  /** Name of the token, once it is known. */
  principal = "";
  /** When the token ends, in milliseconds since 1970. */
  expires: number | undefined;
  readonly #deps: ReplyDeps;
  readonly #method: string;
  readonly #id: string;
  /** Where the request came from. */
  readonly origin: RequestOrigin;
  /** By the monotonic clock. */
  readonly started: number;
  #namespace = "";
  #route: Route | undefined;
  #origin: string | undefined;

  constructor(deps: ReplyDeps, request: Request, given: { id: string; origin: RequestOrigin }) {
    this.#deps = deps;
    this.#method = request.method;
    this.#id = given.id;
    this.origin = given.origin;
    this.started = deps.clock.monotonic();
    deps.counters.add("requests");
  }
  /** Notes who asks. */
  know(principal: Principal): void {
    this.origin.stranger = false;
    this.principal = principal.name;
    this.expires = principal.expires;
  }
  /** Notes what the request is about. */
  aim(namespace: string, route: Route | undefined): void {
    this.#namespace = namespace;
    this.#route = route;
  }
  /** Lets pages of this origin, which is one of ours, read the answer. */
  allowOrigin(origin: string): void {
    this.#origin = origin;
  }
  /** Makes the Response. */
  send(answer: Answer): Response {
    const { status, headers, body } = answer;
    const outcome = answer.outcome ?? (status < 400 ? "ok" : "error");
    headers["x-content-type-options"] = "nosniff";
    headers[HEADERS.requestId] = this.#id;
    if (this.#endsSoon()) headers[HEADERS.tokenExpires] = `${this.expires}`;
    if (this.#origin !== undefined) {
      headers["access-control-allow-origin"] = this.#origin;
      headers["access-control-expose-headers"] = "*";
      headers["vary"] = headers["vary"] ? `${headers["vary"]}, Origin` : "Origin";
    }
    if (this.#method === "HEAD" || body === undefined || body === "" || isEmpty(body)) {
      const length = answer.length ?? (body === undefined ? undefined : sizeOf(body));
      if (length !== undefined) headers["content-length"] = `${length}`;
      this.#done(status, outcome);
      return this.#respond(null, status, headers);
    }
    const size = sizeOf(body);
    const flows = typeof body !== "string" && !(body instanceof Uint8Array);
    if (flows || size === undefined || size > WHOLE_ANSWER_BYTES) {
      const bytes = typeof body === "string" ? utf8.encode(body) : body;
      return this.#sendStream(bytes, { ...answer, outcome });
    }
    if (typeof body !== "string") headers["content-length"] = `${size}`;
    this.#sent(size);
    this.#done(status, outcome);
    return this.#respond(body, status, headers);
  }
  /** Keeps an answer with all that is the same each time; `undefined` for one that can not be. */
  makeReady(answer: Answer, again: Again, asked: Headers): ReadyAnswer | undefined {
    const { headers, body } = answer;
    if (!isPlain(asked) || !this.#route || answer.status !== 200) return undefined;
    const head = this.#method === "HEAD";
    if (!head && (!(body instanceof Uint8Array) || isEmpty(body))) return undefined;
    const bytes = head ? 0 : answer.length ?? 0;
    if (bytes > HOT_BODY_BYTES) return undefined;
    headers["x-content-type-options"] = "nosniff";
    headers["content-length"] = `${answer.length ?? 0}`;
    return {
      response: respond(head || !(body instanceof Uint8Array) ? null : body, 200, headers),
      bytes,
      route: this.#route,
      namespace: this.#namespace,
      tally: this.tally,
      agent: asked.get("user-agent"),
      by: again.by === undefined ? undefined : { name: again.by, value: asked.get(again.by) },
      holds: again.holds,
      scopes: again.scopes,
    };
  }
  /** Makes the Response of an answer that was made before. */
  sendReady({ response, bytes, tally }: ReadyAnswer): Response {
    const { digest, cost } = tally;
    this.tally.digest = digest;
    this.tally.cost = cost;
    this.tally.lookup = true;
    const made = response.clone();
    const { headers } = made;
    headers.append(HEADERS.requestId, this.#id);
    if (this.#endsSoon()) headers.append(HEADERS.tokenExpires, `${this.expires}`);
    if (bytes > 0) this.#sent(bytes);
    // It took microseconds, and to ask for the time is a part of them.
    this.#done(200, "hit", this.started);
    this.origin.whole = bytes;
    return made;
  }
  /** Makes the Response of an error, as the route's miss table shows it. */
  sendError(error: Failure): Response {
    const reading = this.#method === "GET" || this.#method === "HEAD";
    const route = this.#route;
    const table = reading ? route?.misses?.read : route?.misses?.write;
    const trouble = troubleOf(error);
    const shown = trouble === undefined ? undefined : table?.[trouble];
    const status = shown ?? statusOf(error);
    const masked = shown !== undefined;
    const headers: Record<string, string> = { "content-type": PROBLEM_MEDIA_TYPE };
    this.#error = error;
    if (masked && trouble && route && route.tool !== "native") {
      this.#deps.counters.addMasked(route.tool, trouble);
      headers[HEADERS.missReason] = trouble;
      // The runtime reads what is left of the body after the answer, so the connection lives on.
      if (status < 400) {
        delete headers["content-type"];
        return this.send({ status, headers, outcome: "masked" });
      }
    }
    if (status === 401) headers["www-authenticate"] = CHALLENGE;
    const { size, allow } = error.context;
    if (status === 405 && typeof allow === "string") headers["allow"] = allow;
    if (status === 416 && typeof size === "number") headers["content-range"] = `bytes */${size}`;
    const seconds = retryAfter(error);
    if (seconds !== undefined && !masked) headers["retry-after"] = `${seconds}`;
    const problem = { ...problemOf(error, this.#id), status };
    const body = JSON.stringify({ ...problem, ...route?.errorFields?.(problem) });
    const outcome = masked ? "masked" : outcomeOf(error, status);
    return this.send({ status, headers, body, outcome });
  }

  /** As {@linkcode sendError}, of a look-up that found nothing. */
  sendMiss(failure: Failure): Response {
    if (this.#route?.errorFields) return this.sendError(failure);
    this.#error = failure;
    const headers: Record<string, string> = { "content-type": PROBLEM_MEDIA_TYPE };
    const body = missText(failure.message, this.#id);
    return this.send({ status: 404, headers, body, outcome: "miss" });
  }

  #error: Failure | undefined;

  #sendStream(given: ByteStream | ObjectBody | Bytes, answer: Answer): Response {
    const { status, headers } = answer;
    const whole = given instanceof Uint8Array;
    const length = whole ? given.length : answer.length;
    const room = holdAnswer(this.#deps.counters, whole ? given.length : DOWNLOAD_HELD_BYTES);
    if (!room) {
      // Nobody reads it: how giving it up went changes nothing.
      if (!whole) given.cancel().catch(() => {});
      throw tooManyAnswers();
    }
    if (length !== undefined) headers["content-length"] = `${length}`;
    const parts = partsOf(whole ? streamOf(given) : given, this.#deps.takesParts ?? false);
    const body = watchResponse(parts, {
      clock: this.#deps.clock,
      length,
      onEnd: ({ bytes, error }) => {
        room[Symbol.dispose]();
        // The runtime would wait for ever for a client that stands still to take the rest.
        if (error && error.kind !== "cancelled") this.origin.abandon?.();
        this.#sent(bytes);
        this.#error = error;
        this.#done(status, error ? outcomeOf(error, status) : answer.outcome ?? "ok");
      },
    });
    return respond(body, status, headers);
  }
  #endsSoon(): boolean {
    const { expires } = this;
    return expires !== undefined && expires - this.#deps.clock.now() < TOKEN_SOON_MS;
  }
  #respond(
    body: Bytes | string | null,
    status: number,
    headers: Readonly<Record<string, string>>,
  ): Response {
    // A connection that becomes a WebSocket goes on.
    if (status !== 101) this.origin.whole = this.tally.sent;
    return respond(body, status, headers);
  }
  #sent(bytes: number): void {
    this.tally.sent = bytes;
    this.#deps.counters.add("bytes_sent", bytes);
  }
  #done(status: number, outcome: Outcome, ended = this.#deps.clock.monotonic()): void {
    const { log } = this.#deps;
    const error = this.#error;
    log({
      id: this.#id,
      method: this.#method,
      route: this.#route?.name ?? "unknown",
      tool: this.#route?.tool ?? "native",
      namespace: this.#namespace,
      principal: this.principal,
      digest: shortDigest(this.tally.digest),
      status,
      outcome,
      bytesReceived: this.tally.received,
      bytesSent: this.tally.sent,
      milliseconds: ended - this.started,
      lookup: this.tally.lookup,
      savedMs: outcome === "hit" && this.#method === "GET" ? this.tally.cost : 0,
      ...(error ? { error: { kind: error.kind, message: error.message } } : {}),
    });
  }
}

function outcomeOf(error: Failure, status: number): Outcome {
  if (error.kind === "cancelled") return "cancelled";
  if (status === 404) return "miss";
  return status === 401 || status === 403 || status === 421 ? "denied" : "error";
}

function shortDigest(digest: Digest | undefined): string {
  return digest === undefined ? "" : digestHex(digest).slice(0, DIGEST_PREFIX);
}

const utf8 = new TextEncoder();

function isEmpty(body: Uint8Array | ByteStream | ObjectBody | string): boolean {
  return body instanceof Uint8Array && body.length === 0;
}

const ASCII = /^[\x20-\x7e]*$/;

/** Bytes of a body; `undefined` for a stream. */
function sizeOf(body: Uint8Array | ByteStream | ObjectBody | string): number | undefined {
  if (typeof body === "string") return ASCII.test(body) ? body.length : utf8.encode(body).length;
  return body instanceof Uint8Array ? body.length : undefined;
}

/**
 * A text brings a media type of its own unless it is given one. Bodies of other answers than 200 are
 * made ready at once by the runtime, and anew once a header is added. All others get their headers
 * afterwards: handed to the constructor they take twice the time.
 */
function respond(
  body: Bytes | string | ReadableStream | null,
  status: number,
  headers: Readonly<Record<string, string>>,
): Response {
  if (typeof body === "string" || (status !== 200 && body !== null)) {
    return new Response(body, { status, headers });
  }
  const response = new Response(body, { status });
  for (const name in headers) response.headers.append(name, headers[name] ?? "");
  return response;
}
