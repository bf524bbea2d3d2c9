/** `GET /v1/entries` and `/v1/info`: what is here, without the bytes. */
import type { Entry, EntryKey } from "../../core/entry.ts";
import { CacheError } from "../../core/errors.ts";
import { reachOf } from "../../core/insight.ts";
import { MAX_BATCH_DIGESTS } from "../../core/limits.ts";
import type { Principal } from "../../core/policy.ts";
import { fromBase64Url, toBase64Url } from "../../core/token.ts";
import { entryInfo } from "../../protocol/convert.ts";
import type { EntryInfo } from "../../protocol/json.ts";
import { queryValue } from "../../protocol/path.ts";
import type { Answer } from "../answer.ts";
import { jsonAnswer, missing } from "../answer.ts";
import { clientSignal } from "../client_signal.ts";
import { findEntry } from "../entry_access.ts";
import type { Exchange, Route } from "../exchange.ts";
import { protocolOf, wantsBodyOnly } from "./entries.ts";
import { wholeNumber } from "./insight.ts";

const DEFAULT_LIMIT = 100;
const MAX_LIMIT = 1000;
/** Entries that one page of a filtered list looks at. */
const MAX_LOOKED_AT = 20_000;

/** Routes about entries. */
export const INFO_ROUTES: readonly Route[] = [
  {
    name: "entries",
    tool: "native",
    pattern: "/v1/entries",
    methods: { GET: { verb: "read", run: list }, HEAD: { verb: "read", run: list } },
  },
  {
    name: "info",
    tool: "native",
    pattern: "/v1/info/{key}",
    methods: { GET: { verb: "read", run: info }, HEAD: { verb: "read", run: info } },
  },
];

async function info(exchange: Exchange): Promise<Answer> {
  const bodyOnly = wantsBodyOnly(exchange);
  const entry = await findEntry(exchange, protocolOf(exchange));
  if (!entry) throw missing("entry", exchange.subject);
  // Programs ask here first and then for the bytes: this is the look-up that counts.
  return { ...jsonAnswer(entryInfo(entry, { bodyOnly })), outcome: "hit" };
}

async function list(exchange: Exchange): Promise<Answer> {
  const { deps, namespace, path, principal, request } = exchange;
  const limit = limitOf(queryValue(path.query, "limit"));
  const cursor = queryValue(path.query, "after");
  const bodyOnly = wantsBodyOnly(exchange);
  const order = orderOf(exchange, cursor);
  const entries: EntryInfo[] = [];
  let last: EntryKey | undefined;
  let more = false;
  let blobs = 0;
  const wanted = wantedOf(path.query);
  const items = deps.cache.scan({
    namespace,
    scopes: scopesOf(principal, queryValue(path.query, "scope")),
    protocol: queryValue(path.query, "protocol") === undefined ? undefined : protocolOf(exchange),
    prefix: queryValue(path.query, "prefix"),
    order,
    bodyOnly,
    after: cursor === undefined ? undefined : { namespace, ...readCursor(cursor) },
    limit: wanted ? MAX_LOOKED_AT : order === "newest" ? limit : limit + 1,
    signal: clientSignal(request),
  });
  let looked = 0;
  for await (const item of items) {
    if (item.type !== "entry") continue;
    // A page ends early where entries name very many blobs: it is one string in memory.
    // And where few of very many entries are wanted: an answer must come in time.
    if (entries.length === limit || blobs > MAX_BATCH_DIGESTS || ++looked === MAX_LOOKED_AT) {
      more = true;
      break;
    }
    last = item.entry;
    if (wanted && !wanted(item.entry)) continue;
    entries.push(entryInfo(item.entry, { bodyOnly }));
    blobs += bodyOnly ? 1 : item.entry.blobs.length;
  }
  const next = more && last && order !== "newest" ? cursorOf(last) : null;
  return jsonAnswer({ entries, next });
}

/** `order=newest` is one page, of one tool's entries: nobody turns the pages of what moves. */
function orderOf({ path }: Exchange, cursor: string | undefined): "key" | "newest" {
  const order = queryValue(path.query, "order") ?? "key";
  if (order !== "key" && order !== "newest") {
    throw new CacheError("invalid_argument", "Cannot list: bad order, want key or newest");
  }
  const protocol = queryValue(path.query, "protocol");
  if (order === "newest" && (cursor !== undefined || protocol === undefined)) {
    throw new CacheError(
      "invalid_argument",
      "Cannot list the newest: want a protocol, and no cursor",
    );
  }
  return order;
}

/** What the query says of writers and times; `undefined` if nothing. */
function wantedOf(query: string): ((entry: Entry) => boolean) | undefined {
  const writer = queryValue(query, "writer");
  const since = wholeNumber(query, "since");
  const until = wholeNumber(query, "until");
  if (writer === undefined && since === undefined && until === undefined) return undefined;
  return (entry) =>
    (writer === undefined || entry.writer === writer) &&
    (since === undefined || entry.created >= since) &&
    (until === undefined || entry.created < until);
}

/** The scopes that are listed: those that are read, or one that may be looked into. */
function scopesOf(principal: Principal, scope: string | undefined): readonly string[] {
  if (scope === undefined) return principal.readScopes;
  const { scopes } = reachOf(principal);
  return !scopes || scopes.includes(scope) ? [scope] : [];
}

function limitOf(text: string | undefined): number {
  if (text === undefined) return DEFAULT_LIMIT;
  const limit = /^\d{1,6}$/.test(text) ? Number(text) : 0;
  if (limit >= 1 && limit <= MAX_LIMIT) return limit;
  throw new CacheError("invalid_argument", `Cannot list: bad limit, want 1 to ${MAX_LIMIT}`);
}

/** Opaque to clients; it holds no more than the entry that it stands behind. */
function cursorOf({ scope, protocol, key }: EntryKey): string {
  return toBase64Url(new TextEncoder().encode(JSON.stringify([scope, protocol, key])));
}

function readCursor(text: string): Omit<EntryKey, "namespace"> {
  try {
    const [scope, protocol, key] = JSON.parse(new TextDecoder().decode(fromBase64Url(text)));
    if ([scope, protocol, key].every((part) => typeof part === "string")) {
      return { scope, protocol, key };
    }
  } catch (thrown) {
    // Both decoders fail with a SyntaxError on what was not made by `cursorOf`.
    if (!(thrown instanceof SyntaxError || thrown instanceof TypeError)) throw thrown;
  }
  throw new CacheError("invalid_argument", "Cannot list: bad cursor, want next of an earlier page");
}
