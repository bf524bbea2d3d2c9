/**
 * Go's build cache over HTTP, as the helper `go-cacher` speaks it; our own `go-cacheprog` does too.
 * An action names an output, an output is the SHA-256 of its bytes: what is written is checked
 * against it, and an action that has an output keeps it.
 */
import { bytesBody } from "../../core/bytes.ts";
import type { Digest } from "../../core/digest.ts";
import { digestHex, digestOf, EMPTY_DIGEST, parseDigest } from "../../core/digest.ts";
import type { Entry } from "../../core/entry.ts";
import { CacheError, isKind } from "../../core/errors.ts";
import { mutabilityOf } from "../../policy/mutability.ts";
import type { ParsedPath } from "../../protocol/path.ts";
import { GO_OUTPUT_ID, GO_PROTOCOL, GO_WANT_OBJECT, HEADERS } from "../../protocol/url_space.ts";
import type { Answer } from "../answer.ts";
import {
  bodyAnswer,
  emptyAnswer,
  headAnswer,
  jsonAnswer,
  missAnswer,
  missingBlob,
} from "../answer.ts";
import { again, draftOf, findEntry, withBody } from "../entry_access.ts";
import type { Exchange, Match, MissTable, Route } from "../exchange.ts";
import { withUpload } from "../upload.ts";
import type { Adapter } from "./adapter.ts";
import { ENDED_TOKENS, HIDDEN_READS, ILLNESSES, shownAs } from "./adapter.ts";

/**
 * `go-cacher` takes any status but 200 for a miss on reads, and any but 204 to a put fails the whole
 * `go build`: what the cache can not keep is dropped.
 */
const MISSES: MissTable = {
  read: HIDDEN_READS,
  write: shownAs(204, [...ILLNESSES, ...ENDED_TOKENS, "too_large", "token_read_only"]),
};

const SHA256 = /^[0-9a-f]{64}$/;

const action: Route = {
  name: "go.action",
  tool: "go",
  pattern: "/go/action/{action}",
  publicRead: true,
  misses: MISSES,
  methods: { GET: { verb: "read", run: getAction }, HEAD: { verb: "read", run: headAction } },
};

const output: Route = {
  name: "go.output",
  tool: "go",
  pattern: "/go/output/{output}",
  publicRead: true,
  misses: MISSES,
  methods: { GET: { verb: "read", run: getOutput }, HEAD: { verb: "read", run: headOutput } },
};

const store: Route = {
  name: "go.put",
  tool: "go",
  pattern: "/go/{action}/{output}",
  misses: MISSES,
  methods: { PUT: { verb: "write", run: put } },
};

/** Go. */
export const go: Adapter = { tool: "go", routes: [action, output, store], match };

function match({ tool, segments }: ParsedPath): Match | undefined {
  const [first, last] = segments;
  if (tool !== "go" || segments.length !== 2 || first === undefined || last === undefined) {
    return undefined;
  }
  if (!SHA256.test(last)) return undefined;
  if (first === "action") return { route: action, subject: last };
  if (first === "output") return { route: output, subject: last };
  return SHA256.test(first) ? { route: store, subject: first } : undefined;
}

async function getAction(exchange: Exchange): Promise<Answer> {
  const { request, subject } = exchange;
  const entry = await findEntry(exchange, GO_PROTOCOL);
  const found = entry?.blobs[0];
  if (!entry || !found) return missAnswer("action", subject);
  // Helpers from before August 2025 fetch the output in a second request.
  if (request.headers.get(GO_WANT_OBJECT) === null) {
    const facts = { outputID: digestHex(found.digest), size: found.size };
    return { ...jsonAnswer(facts), outcome: "hit" };
  }
  const headers = factsOf(entry, found.digest);
  if (found.size === 0) return bodyAnswer(bytesBody(new Uint8Array(0)), { headers });
  return await withBody(exchange, entry, (body, holds) => {
    if (!body) return missAnswer("action", subject);
    // Without that header the answer is another one.
    return { ...bodyAnswer(body, { headers }), again: holds && { ...holds, by: GO_WANT_OBJECT } };
  });
}

async function headAction(exchange: Exchange): Promise<Answer> {
  const entry = await findEntry(exchange, GO_PROTOCOL);
  const found = entry?.blobs[0];
  if (!entry || !found) return missAnswer("action", exchange.subject);
  const answer = headAnswer(found.size, factsOf(entry, found.digest));
  return { ...answer, again: again(exchange, entry) };
}

function factsOf(entry: Entry, digest: Digest): Record<string, string> {
  return { [GO_OUTPUT_ID]: digestHex(digest), [HEADERS.created]: `${entry.created}` };
}

async function getOutput(exchange: Exchange): Promise<Answer> {
  const digest = outputOf(exchange, exchange.subject);
  if (digest === EMPTY_DIGEST) return bodyAnswer(bytesBody(new Uint8Array(0)));
  const body = await exchange.deps.cache.blobs(exchange.namespace).get(digest);
  if (!body) throw missingBlob(digest);
  return bodyAnswer(body);
}

async function headOutput(exchange: Exchange): Promise<Answer> {
  const digest = outputOf(exchange, exchange.subject);
  if (digest === EMPTY_DIGEST) return headAnswer(0);
  const [ref] = await exchange.deps.cache.blobs(exchange.namespace).stat([digest]);
  if (!ref) throw missingBlob(digest);
  return headAnswer(ref.size);
}

async function put(exchange: Exchange): Promise<Answer> {
  const { deps, namespace, path } = exchange;
  const digest = outputOf(exchange, path.segments[1] ?? "");
  const draft = draftOf(exchange, {
    protocol: GO_PROTOCOL,
    mutability: mutabilityOf(GO_PROTOCOL),
  });
  return await withUpload(exchange, {}, async (source) => {
    try {
      if (source.bytes) {
        if (digestOf(source.bytes) !== digest) throw otherBytes(digest);
        await deps.cache.put(draft, source);
      } else {
        const blob = await deps.cache.blobs(namespace).put(digest, source);
        await deps.cache.link({ ...draft, blobs: [blob] });
      }
    } catch (thrown) {
      // Two machines built the same at the same time; what was there first stays.
      if (!isKind(thrown, "conflict")) throw thrown;
    }
    return emptyAnswer(204);
  });
}

function otherBytes(digest: Digest): CacheError {
  return new CacheError("invalid_argument", `Cannot store output ${digest}: other bytes came`, {
    operation: "go.put",
  });
}

function outputOf({ tally }: Exchange, hex: string): Digest {
  const digest = parseDigest(hex);
  tally.digest = digest;
  return digest;
}
