/** Which headers a relay carries on. */
import type { Secret } from "../../core/secret.ts";

/** Meant for one connection only (RFC 9110, 7.6.1), or set anew by whoever sends. */
const HOP_BY_HOP: readonly string[] = [
  "connection",
  "expect",
  "host",
  "keep-alive",
  "proxy-authenticate",
  "proxy-authorization",
  "proxy-connection",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
];

/** Headers of a request, with the token that the server knows. */
export function requestHeaders(given: Headers, token: Secret<string>): Headers {
  const headers = withoutHops(given);
  headers.delete("content-length");
  headers.set("authorization", `Bearer ${token.reveal()}`);
  // What was packed in transit would be unpacked here, and its length would be gone.
  headers.set("accept-encoding", "identity");
  return headers;
}

/** Headers of an answer; its length stays. */
export function answerHeaders(given: Headers): Headers {
  return withoutHops(given);
}

function withoutHops(given: Headers): Headers {
  const headers = new Headers(given);
  for (const name of given.get("connection")?.split(",") ?? []) {
    if (/^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/.test(name.trim())) headers.delete(name.trim());
  }
  for (const name of HOP_BY_HOP) headers.delete(name);
  return headers;
}
