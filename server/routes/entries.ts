/** `/v1/entries`: values by key. */
import type { EntryDraft } from "../../core/entry.ts";
import { CacheError, isKind } from "../../core/errors.ts";
import { MAX_TAG_BYTES, MAX_TAGS } from "../../core/limits.ts";
import type { PutOutcome } from "../../core/metadata_index.ts";
import { entryInfo } from "../../protocol/convert.ts";
import { EntryInputSchema, parseJson } from "../../protocol/json.ts";
import { queryValue } from "../../protocol/path.ts";
import {
  entityTag,
  ENTRY_MEDIA_TYPE,
  HEADERS,
  headerText,
  KEY_VALUE_PROTOCOL,
} from "../../protocol/url_space.ts";
import { mutabilityOf } from "../../policy/mutability.ts";
import type { Answer } from "../answer.ts";
import { bodyAnswer, emptyAnswer, headAnswer, jsonAnswer, missAnswer, missing } from "../answer.ts";
import { again, draftOf, findEntry, whenFound, withBody } from "../entry_access.ts";
import type { Exchange, Route } from "../exchange.ts";
import { mediaTypeOf, readJsonText, withUpload } from "../upload.ts";
import { blobAnswer } from "./blobs.ts";
import type { Entry } from "../../core/entry.ts";

const COST = /^\d{1,12}$/;
const PROTOCOL = /^[A-Za-z0-9-]{1,32}$/;
const utf8 = new TextEncoder();

/** Routes of entries by their key. */
export const ENTRY_ROUTES: readonly Route[] = [{
  name: "entry",
  tool: "native",
  pattern: "/v1/entries/{key}",
  methods: {
    GET: { verb: "read", run: get },
    HEAD: { verb: "read", run: head },
    PUT: { verb: "write", run: put },
    DELETE: { verb: "invalidate", run: remove },
  },
}];

/**
 * The protocol that the query names, `kv` if it names none.
 * @throws {CacheError} `invalid_argument` for what can not be one
 */
export function protocolOf({ path }: Exchange): string {
  if (path.query === "") return KEY_VALUE_PROTOCOL;
  const name = queryValue(path.query, "protocol") ?? KEY_VALUE_PROTOCOL;
  if (PROTOCOL.test(name)) return name;
  throw new CacheError("invalid_argument", `Cannot use protocol "${name.slice(0, 40)}"`);
}

/**
 * Whether the query asks for records that name their body alone (`blobs=first`).
 * @throws {CacheError} `invalid_argument` for any other word
 */
export function wantsBodyOnly({ path }: Exchange): boolean {
  if (path.query === "") return false;
  const word = queryValue(path.query, "blobs") ?? "all";
  if (word === "first" || word === "all") return word === "first";
  throw new CacheError("invalid_argument", `Cannot name blobs "${word.slice(0, 40)}", want first`);
}

function get(exchange: Exchange): Answer | Promise<Answer> {
  return whenFound(findEntry(exchange, KEY_VALUE_PROTOCOL), (entry) => {
    const first = entry?.blobs[0];
    if (!entry || !first) return missAnswer("entry", exchange.subject);
    const headers = factHeaders(entry);
    const asked = exchange.request.headers;
    if (asked.has("range") || asked.has("if-none-match")) {
      return blobAnswer(exchange, first.digest, headers);
    }
    return withBody(exchange, entry, (body, again) => {
      if (!body) return missAnswer("entry", exchange.subject);
      headers["accept-ranges"] = "bytes";
      return { ...bodyAnswer(body, { headers }), again };
    });
  });
}

function head(exchange: Exchange): Answer | Promise<Answer> {
  return whenFound(findEntry(exchange, KEY_VALUE_PROTOCOL), (entry) => {
    const first = entry?.blobs[0];
    if (!entry || !first) return missAnswer("entry", exchange.subject);
    return { ...headAnswer(first.size, factHeaders(entry)), again: again(exchange, entry) };
  });
}

function factHeaders(entry: Entry): Record<string, string> {
  const first = entry.blobs[0];
  return {
    ...(first ? { etag: entityTag(first.digest) } : {}),
    [HEADERS.writer]: headerText(entry.writer),
    [HEADERS.scope]: entry.scope,
    [HEADERS.created]: `${entry.created}`,
  };
}

async function put(exchange: Exchange): Promise<Answer> {
  const { request, deps } = exchange;
  const bodyOnly = wantsBodyOnly(exchange);
  const once = onlyIfNew(request);
  const write = mediaTypeOf(request) === ENTRY_MEDIA_TYPE
    ? async () => deps.cache.link(await namedDraft(exchange, once))
    : async () => {
      const draft = draftOf(exchange, { ...headerFacts(request), ...mutable(once) });
      return await withUpload(exchange, {}, (source) => deps.cache.put(draft, source));
    };
  return putAnswer(exchange, await conflictAs412(write, once), bodyOnly);
}

async function namedDraft(exchange: Exchange, once: boolean): Promise<EntryDraft> {
  const text = await readJsonText(exchange, ENTRY_MEDIA_TYPE);
  const { immutable, ...facts } = parseJson(EntryInputSchema, text, "the entry");
  const protocol = protocolOf(exchange);
  const fixed = once || immutable || mutabilityOf(protocol) === "immutable";
  return draftOf(exchange, { ...facts, protocol, ...mutable(fixed) });
}

function mutable(once: boolean): Pick<EntryDraft, "mutability"> {
  return { mutability: once ? "immutable" : "replaceable" };
}

function headerFacts(request: Request): Pick<EntryDraft, "protocol" | "tags" | "cost"> {
  const cost = request.headers.get(HEADERS.cost);
  if (cost !== null && !COST.test(cost)) {
    throw new CacheError("invalid_argument", "Cannot read Vitte-Cost, want whole milliseconds");
  }
  const tags = request.headers.get(HEADERS.tags);
  return {
    protocol: KEY_VALUE_PROTOCOL,
    tags: tags === null ? [] : parseTags(tags),
    cost: Number(cost ?? 0),
  };
}

function parseTags(header: string): string[] {
  const tags = header.split(",").map((part) => decodeTag(part.trim())).filter((tag) => tag !== "");
  if (tags.length > MAX_TAGS || tags.some((tag) => utf8.encode(tag).length > MAX_TAG_BYTES)) {
    const want = `want at most ${MAX_TAGS} of at most ${MAX_TAG_BYTES} bytes`;
    throw new CacheError("invalid_argument", `Cannot read Vitte-Tags: too much, ${want}`);
  }
  return [...new Set(tags)];
}

function decodeTag(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch (cause) {
    throw new CacheError("invalid_argument", "Cannot read Vitte-Tags: malformed percent sign", {
      cause,
    });
  }
}

/** Whether `If-None-Match: *` forbids to replace; other conditions of a PUT are not known. */
function onlyIfNew(request: Request): boolean {
  const match = request.headers.get("if-match");
  const none = request.headers.get("if-none-match");
  if (match === null && none === null) return false;
  if (match === null && none?.trim() === "*") return true;
  throw new CacheError(
    "invalid_argument",
    "Cannot write on this condition, want If-None-Match: *",
  );
}

async function conflictAs412(
  write: () => Promise<PutOutcome>,
  once: boolean,
): Promise<PutOutcome> {
  try {
    return await write();
  } catch (thrown) {
    if (!once || !isKind(thrown, "conflict")) throw thrown;
    throw new CacheError("precondition_failed", thrown.message, { cause: thrown });
  }
}

function putAnswer(
  exchange: Exchange,
  { entry, replaced }: PutOutcome,
  bodyOnly: boolean,
): Answer {
  const [first] = entry.blobs;
  exchange.tally.digest = first?.digest;
  const answer = jsonAnswer({
    entry: entryInfo(entry, { bodyOnly }),
    replaced: replaced?.blobs[0]?.digest ?? null,
  }, replaced ? 200 : 201);
  if (first) answer.headers["etag"] = entityTag(first.digest);
  return answer;
}

async function remove(exchange: Exchange): Promise<Answer> {
  const { deps, namespace, principal, subject } = exchange;
  const key = { namespace, scope: principal.scope, protocol: protocolOf(exchange), key: subject };
  const removed = await deps.cache.remove([key], { by: principal.name });
  if (removed === 0) throw missing("entry", subject);
  return emptyAnswer(204);
}
