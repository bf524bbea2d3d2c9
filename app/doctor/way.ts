/** Proxies and whatever else is in between: 32 MB there and back, and an Upgrade. */
import { formatDuration, formatSize } from "../../core/units.ts";
import { isKind } from "../../core/errors.ts";
import * as v from "valibot";
import { ProbeAnswerSchema } from "../../protocol/json.ts";
import { HEADERS } from "../../protocol/url_space.ts";
import type { Bytes } from "../../core/digest.ts";
import type { Verdict } from "./finding.ts";
import { failed, ok, warning } from "./finding.ts";
import { namesItself } from "./server_checks.ts";
import type { MadeUpBody, Visit, Visitor } from "./visitor.ts";
import { refusalOf } from "./visitor.ts";

/** Bytes that are sent: above the limits that proxies have when nobody sets one. */
export const PROBE_BYTES = 32_000_000;
/** Milliseconds for them: a line of 2 Mbit/s gets there. */
const PROBE_MS = 150_000;
/**
 * Milliseconds between the head, with one byte that sends it off, and the body. Who refuses by the announced length does so now; an
 * answer in the middle of a body is often lost, when the connection is cut right behind it.
 */
const HOLD_MS = 250;
const PROBE = "/v1/probe";

/** Sends 32 MB to the server, which keeps nothing of it. */
export async function checkUpload(visitor: Visitor): Promise<Verdict> {
  const { clock, signal } = visitor.target;
  const began = clock.monotonic();
  let visit: Visit;
  try {
    visit = await send(visitor, PROBE_BYTES);
  } catch (thrown) {
    signal.throwIfAborted();
    return await judgeBroken(visitor, thrown);
  }
  return judgeUpload(visit, clock.monotonic() - began);
}

async function send(visitor: Visitor, size: number): Promise<Visit> {
  const { clock, signal } = visitor.target;
  const body = zeros(size, () => clock.sleep(HOLD_MS, signal));
  const headers = { "content-type": "application/octet-stream" };
  return await visitor.ask(PROBE, {
    method: "POST",
    headers,
    body,
    withToken: true,
    ms: PROBE_MS,
  });
}

/** An answer may get lost when the connection is cut under a body: a short one tells more. */
async function judgeBroken(visitor: Visitor, thrown: unknown): Promise<Verdict> {
  const short = await send(visitor, 1000);
  const why = isKind(thrown, "unavailable") || !(thrown instanceof Error) ? "" : whyOf(thrown);
  return failed(
    `the connection breaks under 32 MB${why}, while ${
      short.status === 200 ? "1,000 bytes pass" : `1,000 bytes are answered ${short.status}`
    }`,
    LIMIT_HINT,
  );
}

function whyOf(error: Error): string {
  return error.name === "TimeoutError" ? ` after ${formatDuration(PROBE_MS)}` : "";
}

const LIMIT_HINT = "raise the limit on bodies and the time-outs of the proxy in between: nginx " +
  "client_max_body_size 0, Apache LimitRequestBody 0, HAProxy and Traefik have buffers of their own";

const LOG_HINT = "its error log says why: time-outs, or no room for what it buffers (nginx: " +
  "proxy_request_buffering off)";

/** The verdict on the answer to 32 MB. */
export function judgeUpload(visit: Visit, milliseconds: number): Verdict {
  const { status, ours, headers } = visit;
  if (status === 413 && !ours) {
    return failed(
      `a proxy in between${namesItself(headers)} refuses a body of 32 MB with 413`,
      LIMIT_HINT,
    );
  }
  if (!ours) {
    return failed(
      `a proxy in between${namesItself(headers)} answers ${status} to 32 MB`,
      status >= 500 ? LOG_HINT : LIMIT_HINT,
    );
  }
  if (status === 404) return ok("left out: the server is older and has no probe");
  if (status !== 200) {
    const { message, hint } = refusalOf(visit);
    return failed(message, hint);
  }
  const answer = v.parse(ProbeAnswerSchema, JSON.parse(visit.text));
  if (answer.bytes !== PROBE_BYTES) {
    return failed(
      `of ${PROBE_BYTES} bytes ${answer.bytes} arrived`,
      "something in between changes bodies: take it out of the way to the cache",
    );
  }
  if (answer.sent_as === "chunked") {
    return warning(
      "a proxy in between takes the length off requests: they arrive chunked",
      "let it hand Content-Length on (nginx: proxy_http_version 1.1, no filters on this location)",
    );
  }
  return ok(`32 MB got there, ${rate(milliseconds)}`);
}

/** Fetches 32 MB. */
export async function checkDownload(visitor: Visitor): Promise<Verdict> {
  const { clock, signal } = visitor.target;
  const began = clock.monotonic();
  const path = `${PROBE}?bytes=${PROBE_BYTES}`;
  let visit: Visit;
  try {
    visit = await visitor.ask(path, { withToken: true, ms: PROBE_MS });
  } catch (thrown) {
    signal.throwIfAborted();
    const why = thrown instanceof Error ? whyOf(thrown) : "";
    return failed(`an answer of 32 MB breaks off${why}`, CUT_HINT);
  }
  return judgeDownload(visit, clock.monotonic() - began);
}

const CUT_HINT =
  "something in between cuts answers off: look at its buffers, its time-outs and its log";

/** The verdict on 32 MB that came back. */
export function judgeDownload(visit: Visit, milliseconds: number): Verdict {
  const { status, headers, bytes, ours } = visit;
  if (status === 404 && ours) return ok("left out: the server is older and has no probe");
  if (status !== 200) return failed(`status ${status} instead of 32 MB`);
  const coding = headers.get("content-encoding");
  if (coding !== null && coding !== "identity") {
    return warning(
      `a proxy in between encodes answers as ${coding}`,
      "turn compression off for the cache (nginx: gzip off): tools would store other bytes",
    );
  }
  if (bytes !== PROBE_BYTES) {
    return failed(
      `of ${PROBE_BYTES} bytes ${bytes} came back`,
      CUT_HINT,
    );
  }
  if (!headers.has("content-length")) {
    return warning(
      "a proxy in between takes the length off answers: they come chunked",
      "let it hand Content-Length on (nginx: gzip off, no sub_filter; turn rewriting of bodies " +
        "off): Bazel and Turborepo want to know it",
    );
  }
  return ok(`32 MB came back, ${rate(milliseconds)}`);
}

/** Asks for an Upgrade and looks what arrived of it. */
export async function checkUpgrade(visitor: Visitor): Promise<Verdict> {
  const headers = {
    connection: "Upgrade",
    upgrade: "websocket",
    "sec-websocket-version": "13",
    "sec-websocket-key": "dGhlIHNhbXBsZSBub25jZQ==",
  };
  return judgeUpgrade(await visitor.ask(PROBE, { headers, withToken: true }));
}

/** The verdict on the answer to an Upgrade. */
export function judgeUpgrade({ status, headers, ours }: Visit): Verdict {
  if (status === 404 && ours) return ok("left out: the server is older and has no probe");
  if (status === 200 && headers.get(HEADERS.sawUpgrade) === "websocket") {
    return ok("an Upgrade to WebSocket arrives");
  }
  return warning(
    status === 200
      ? "a proxy in between takes the Upgrade header off"
      : `an Upgrade to WebSocket is answered ${status}`,
    "live connections need it: nginx proxy_http_version 1.1, proxy_set_header Upgrade $http_upgrade, " +
      'proxy_set_header Connection "upgrade"',
  );
}

function rate(milliseconds: number): string {
  return `${formatSize(PROBE_BYTES / Math.max(milliseconds / 1000, 0.001))}/s`;
}

function zeros(size: number, hold: () => Promise<void>): MadeUpBody {
  const part: Bytes = new Uint8Array(Math.min(size, 256 * 1024));
  const open = () => {
    let left = size;
    return new ReadableStream<Bytes>({
      async pull(controller) {
        if (left === size - 1) await hold();
        if (left === 0) return controller.close();
        const next = part.subarray(0, left === size ? 1 : left);
        left -= next.length;
        controller.enqueue(next);
      },
    }, { highWaterMark: 0 });
  };
  return { size, open };
}
