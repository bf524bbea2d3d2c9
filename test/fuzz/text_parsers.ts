/** Every parser of text that another party wrote, with texts that are right. */
import { createAuthenticator } from "../../auth/authenticate.ts";
import { parseRequest } from "../../app/gocache/messages.ts";
import { Counters } from "../../core/counters.ts";
import { parseDigest } from "../../core/digest.ts";
import { parseDuration, parseSize } from "../../core/units.ts";
import { parsePath, queryValue } from "../../protocol/path.ts";
import { chooseRange, ifRangeHolds, namesTag } from "../../protocol/ranges.ts";
import {
  EntryInputSchema,
  MissingRequestSchema,
  parseJson,
  ReadBlobsRequestSchema,
  TokenCreateSchema,
  VerifyRequestSchema,
} from "../../protocol/json.ts";
import { RemoveInputSchema } from "../../protocol/insight_json.ts";
import { readActionResultJson } from "../../server/adapters/action_result.ts";
import { systemClock } from "../../core/clock.ts";

/** One parser under fire. */
export interface TextParser {
  readonly valid: readonly string[];
  parse(text: string): unknown;
}

const DIGEST = `sha256-${"ab".repeat(32)}`;
const HEX = "ab".repeat(32);

const { authenticate } = createAuthenticator({
  store: { find: () => undefined, touch() {} },
  clock: systemClock,
  counters: new Counters(),
});

/** The parsers by name. */
export const TEXT_PARSERS: Readonly<Record<string, TextParser>> = {
  "path": {
    valid: [
      "/v1/entries/a%20b?scope=main",
      `http://h/ns/web/v1/blobs/${DIGEST}`,
      `/bazel/cas/${HEX}`,
      "/ccache/ab/cdef",
      "/",
    ],
    parse: (text) => {
      // What names a file or leaves a folder must never come out of a path.
      for (const segment of parsePath(text).segments) {
        const bad = ["", ".", ".."].includes(segment) || /[/\\\0]/.test(segment);
        if (bad) throw new Error(`hostile: ${segment}`);
      }
    },
  },
  "query": {
    valid: ["a=1&b=2", "scope=pr%2F1&limit=10", "=&&="],
    parse: (text) => queryValue(text, "scope"),
  },
  "range": {
    valid: ["bytes=0-99", "bytes=-5", "bytes=10-", "bytes=0-1,5-6"],
    parse(text) {
      const chosen = chooseRange(text, 1000);
      if (chosen.type !== "part") return;
      const { start, end } = chosen.range;
      if (start < 0 || end > 1000 || start >= end) throw new Error(`outside: ${start}-${end}`);
    },
  },
  "entity tag": {
    valid: ['"abc"', 'W/"abc", "def"', "*"],
    parse: (text) => [ifRangeHolds(text, '"abc"'), namesTag(text, '"abc"')],
  },
  "authorization": {
    valid: [
      `Bearer vrc_0123456789abcdef_${"a".repeat(43)}_${"b".repeat(43)}`,
      `Basic ${btoa(`:vrc_0123456789abcdef_${"a".repeat(43)}_${"b".repeat(43)}`)}`,
      `Basic ${btoa("user:password")}`,
    ],
    parse(text) {
      if ("principal" in authenticate(text)) throw new Error("let in");
    },
  },
  "digest": { valid: [DIGEST], parse: parseDigest },
  "size": { valid: ["10GiB", "1.5MB", "0"], parse: parseSize },
  "duration": { valid: ["30d", "90m", "5s"], parse: parseDuration },
  "question for missing blobs": {
    valid: [JSON.stringify({ digests: [DIGEST, DIGEST] })],
    parse: (text) => parseJson(MissingRequestSchema, text, "it"),
  },
  "question for blobs": {
    valid: [JSON.stringify({ blobs: [{ digest: DIGEST, size: 5 }] })],
    parse: (text) => parseJson(ReadBlobsRequestSchema, text, "it"),
  },
  "entry": {
    valid: [
      JSON.stringify({
        blobs: [{ digest: DIGEST, size: 5 }],
        tags: ["a"],
        inputs: { source: "x" },
        cost: 3,
      }),
    ],
    parse: (text) => parseJson(EntryInputSchema, text, "it"),
  },
  "token to make": {
    valid: [JSON.stringify({ name: "ci", verbs: ["read"], namespaces: ["web"], expires: 5e12 })],
    parse: (text) => parseJson(TokenCreateSchema, text, "it"),
  },
  "question to verify": {
    valid: ["{}", '{"repair":true}'],
    parse: (text) => parseJson(VerifyRequestSchema, text, "it"),
  },
  "filter of a removal": {
    valid: [JSON.stringify({ prefix: "web", writer: "anne", dry_run: true, since: 5 })],
    parse: (text) => parseJson(RemoveInputSchema, text, "it"),
  },
  "ActionResult in JSON": {
    valid: [JSON.stringify({
      outputFiles: [{ path: "a", digest: { hash: HEX, sizeBytes: "5" } }],
      executionMetadata: { workerStartTimestamp: { seconds: 5, nanos: 1 } },
    })],
    parse: readActionResultJson,
  },
  "line of the go command": {
    valid: [
      JSON.stringify({ ID: 1, Command: "get", ActionID: btoa("a".repeat(32)) }),
      JSON.stringify({
        ID: 2,
        Command: "put",
        ActionID: btoa("a".repeat(32)),
        OutputID: btoa("b".repeat(32)),
        BodySize: 5,
      }),
      JSON.stringify({ ID: 3, Command: "close" }),
    ],
    parse: parseRequest,
  },
};
