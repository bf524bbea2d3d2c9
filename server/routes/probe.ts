/**
 * `/v1/probe`: bytes there and back that are not kept, so that a client can learn what stands on
 * the way to the server: limits on bodies, lost lengths, a lost `Upgrade`.
 */
import type { Bytes } from "../../core/digest.ts";
import { CacheError } from "../../core/errors.ts";
import { MAX_PROBE_BYTES, READ_SLICE_BYTES } from "../../core/limits.ts";
import type { ProbeAnswer } from "../../protocol/json.ts";
import { queryValue } from "../../protocol/path.ts";
import { HEADERS } from "../../protocol/url_space.ts";
import type { Answer } from "../answer.ts";
import { jsonAnswer, OCTET_STREAM } from "../answer.ts";
import type { Exchange, Route } from "../exchange.ts";
import { contentLength, withUpload } from "../upload.ts";

/** Routes for looking at the way to the server. Any good token will do. */
export const PROBE_ROUTES: readonly Route[] = [{
  name: "probe",
  tool: "native",
  pattern: "/v1/probe",
  methods: { GET: { verb: undefined, run: send }, POST: { verb: undefined, run: receive } },
}];

/** `?bytes=N`: as many bytes, with their length; and what arrived of an `Upgrade`. */
function send({ request, path }: Exchange): Answer {
  const text = queryValue(path.query, "bytes") ?? "0";
  const size = /^\d{1,9}$/.test(text) ? Number(text) : Infinity;
  if (size > MAX_PROBE_BYTES) {
    throw new CacheError("invalid_argument", `Cannot send so much, want 0 to ${MAX_PROBE_BYTES}`);
  }
  const upgrade = /^\s*websocket\s*$/i.test(request.headers.get("upgrade") ?? "");
  return {
    status: 200,
    headers: {
      "content-type": OCTET_STREAM,
      "cache-control": "no-store",
      [HEADERS.sawUpgrade]: upgrade ? "websocket" : "none",
    },
    body: noise(size),
    length: size,
  };
}

/** Reads a body to its end and tells how it came. */
async function receive(exchange: Exchange): Promise<Answer> {
  const length = contentLength(exchange.request);
  const bytes = await withUpload(exchange, { limit: MAX_PROBE_BYTES }, async (source) => {
    let count = 0;
    for await (const part of source.open()) count += part.length;
    return count;
  });
  const answer: ProbeAnswer = { bytes, sent_as: length === undefined ? "chunked" : "length" };
  return jsonAnswer(answer);
}

/** Bytes that nobody can compress: a proxy that tries would change nothing. */
function noise(size: number): ReadableStream<Bytes> {
  let left = size;
  return new ReadableStream<Bytes>({
    pull(controller) {
      if (left === 0) return controller.close();
      const part = new Uint8Array(Math.min(left, READ_SLICE_BYTES));
      for (let at = 0; at < part.length; at += MAX_RANDOM_BYTES) {
        crypto.getRandomValues(part.subarray(at, at + MAX_RANDOM_BYTES));
      }
      left -= part.length;
      controller.enqueue(part);
    },
  }, { highWaterMark: 0 });
}

/** Bytes that one call of `getRandomValues` gives at most. */
const MAX_RANDOM_BYTES = 65_536;
