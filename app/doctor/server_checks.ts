/** Is it our server that answers, and what time is it there? */
import { formatDuration } from "../../core/units.ts";
import type { Verdict } from "./finding.ts";
import { failed, ok, warning } from "./finding.ts";
import type { Target } from "./target.ts";
import type { Visit } from "./visitor.ts";
import { refusalOf } from "./visitor.ts";

/** The verdict on the answer to `GET /healthz`. */
export function judgeServer({ base, host }: Target, visit: Visit): Verdict {
  const { status, headers, ours } = visit;
  if (status >= 300 && status < 400) {
    return failed(
      `${base} sends us on to ${placeOf(headers.get("location"), base)}`,
      "give the address that the server answers at itself: tokens are not carried on",
    );
  }
  if (status === 421) {
    const { hint } = refusalOf(visit);
    return failed(
      `the server does not answer for the name ${host}`,
      hint ?? `start it with --public-url ${base}, or let the proxy hand the Host header on`,
    );
  }
  if (status === 200 && ours) return ok(`a vitte-remote-cache answers at ${base}`);
  if (status === 502 || status === 503 || status === 504) {
    return failed(
      `the proxy at ${base} has no server behind it (status ${status})`,
      "is the cache server running, and does the proxy have its right address and port?",
    );
  }
  return failed(
    `something else answers at ${base}${namesItself(headers)} (status ${status})`,
    "is the port right, and the path? a proxy must hand everything below it on",
  );
}

function placeOf(location: string | null, base: string): string {
  return location !== null && URL.canParse(location, base)
    ? new URL(location, base).origin
    : "nowhere";
}

/** What a foreign server says it is, if that is a plain word. */
export function namesItself(headers: Headers): string {
  const name = headers.get("server") ?? "";
  return /^[\w./ ()-]{1,40}$/.test(name) ? ` (${name})` : "";
}

/** Milliseconds by which two clocks may differ: expiry and order of writes go by them. */
const SKEW_MS = 60_000;

/** The verdict on the Date header of an answer, which came at `now`. */
export function judgeClock(date: string | null, now: number): Verdict {
  const there = date === null ? NaN : Date.parse(date);
  if (Number.isNaN(there)) {
    return warning("the answer has no date", "does a proxy take the Date header away?");
  }
  const ahead = now - there;
  if (Math.abs(ahead) < SKEW_MS) return ok("both clocks agree within a minute");
  const word = ahead > 0 ? "ahead of" : "behind";
  return warning(
    `this machine's clock is ${formatDuration(Math.abs(ahead))} ${word} the server's`,
    "set both by NTP (timedatectl set-ntp true): tokens expire and certificates hold by them",
  );
}

/** The verdict on the versions of both ends. */
export function judgeVersion(server: string, client: string): Verdict {
  if (server === client) return ok(`both ends are version ${client}`);
  return warning(
    `the server is version ${server}, this program ${client}`,
    "bring both to the same version: what one of them lacks is left out",
  );
}
