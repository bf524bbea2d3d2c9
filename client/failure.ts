/** From an answer that is no success to the error it stands for. */
import { CacheError, isKind } from "../core/errors.ts";
import type { Secret } from "../core/secret.ts";
import { problemError } from "../protocol/problem.ts";
import { HEADERS, PROBLEM_MEDIA_TYPE } from "../protocol/url_space.ts";
import type { HttpReply } from "./reply.ts";

const LONGEST_WAIT_SECONDS = 3600;
// Control characters could drive a terminal, the others turn the direction of a line.
// deno-lint-ignore no-control-regex
const UNPRINTABLE = /[\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]/g;
const LONGEST_TEXT = 1000;

/** What was asked of whom. */
export interface FailedRequest {
  /** The server's address without a slash at its end. */
  readonly base: string;
  readonly method: string;
  readonly path: string;
  readonly token: Secret<string> | undefined;
}

/** The error of a reply; reads or cancels its body. */
export async function failureOf(reply: HttpReply, asked: FailedRequest): Promise<CacheError> {
  const { status, headers } = reply;
  if (status >= 300 && status < 400) {
    await reply.cancel();
    return redirected(asked.base, headers.get("location"));
  }
  if (status === 404 && !headers.has(HEADERS.requestId)) {
    await reply.cancel();
    return new CacheError(
      "unsupported",
      `Cannot use ${asked.base}: it does not answer as a vitte-remote-cache does`,
      { operation: "client.fetch", hint: "is the address right, and the path in it?" },
    );
  }
  const body = asked.method === "HEAD" ? await reply.cancel() : await problemBody(reply);
  const error = problemError({ status, body, operation: "client.fetch" });
  const seconds = Number(headers.get("retry-after") ?? NaN);
  return new CacheError(error.kind, printable(error.message, asked.token), {
    operation: "client.fetch",
    context: {
      status,
      path: asked.path.split("?", 1)[0] ?? "",
      request_id: printable(headers.get(HEADERS.requestId) ?? "", asked.token),
      ...(seconds >= 0 ? { retry_after_ms: Math.min(seconds, LONGEST_WAIT_SECONDS) * 1000 } : {}),
    },
    ...(error.hint === undefined ? {} : { hint: printable(error.hint, asked.token) }),
  });
}

function redirected(base: string, location: string | null): CacheError {
  const target = location !== null && URL.canParse(location, base)
    ? new URL(location, base).origin
    : "nowhere";
  return new CacheError(
    "unsupported",
    `Cannot use ${base}: it sends us to ${target}, and a token is not carried on`,
    { operation: "client.fetch", hint: "give the address that the server answers at itself" },
  );
}

/** What a stranger wrote, fit for a terminal and a log: no escapes, no token thrown back. */
function printable(text: string, token: Secret<string> | undefined): string {
  const secret = token?.reveal();
  const hidden = secret === undefined
    ? text
    : text.replaceAll(secret, "***").replaceAll(secret.slice(-43), "***");
  return hidden.replace(UNPRINTABLE, " ").slice(0, LONGEST_TEXT);
}

/** The problem in an answer; `undefined` if it is none, and then the status says it all. */
async function problemBody(reply: HttpReply): Promise<unknown> {
  if (!reply.headers.get("content-type")?.startsWith(PROBLEM_MEDIA_TYPE)) {
    await reply.cancel();
    return undefined;
  }
  try {
    return await reply.readJson();
  } catch (thrown) {
    // The refusal came through even if its explanation did not.
    if (isKind(thrown, "corrupt") || isKind(thrown, "unavailable")) return undefined;
    throw thrown;
  }
}
