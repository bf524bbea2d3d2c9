/** CORS preflights: asked by browsers, and by Turborepo, before the token is sent. */
import type { Answer } from "../answer.ts";
import { emptyAnswer } from "../answer.ts";

/** Whether this is a preflight and not an `OPTIONS` of somebody's own. */
export function isPreflight(request: Request): boolean {
  return request.method === "OPTIONS" && request.headers.has("access-control-request-method");
}

const ALLOWED = [
  "Authorization",
  "Content-Type",
  "Content-Encoding",
  "User-Agent",
  "If-None-Match",
  "Range",
  "Vitte-Tags",
  "Vitte-Cost",
  "x-artifact-duration",
  "x-artifact-tag",
  "x-artifact-sha",
  "x-artifact-dirty-hash",
  "x-artifact-client-ci",
  "x-artifact-client-interactive",
];

/** Says what may be sent; it gives nothing away that the documentation does not. */
export function preflightAnswer(): Answer {
  return emptyAnswer(204, {
    "access-control-allow-methods": "GET, HEAD, PUT, POST, DELETE, OPTIONS",
    // Turborepo sends no token to a server that does not name Authorization here.
    "access-control-allow-headers": ALLOWED.join(", "),
    "access-control-max-age": "600",
  });
}
