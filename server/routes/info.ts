/** `GET /v1/entries` and `/v1/info`: what is here, without the bytes. */
import type { EntryKey } from "../../core/entry.ts";
import { CacheError } from "../../core/errors.ts";
import { MAX_BATCH_DIGESTS } from "../../core/limits.ts";
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

const DEFAULT_LIMIT = 100;
const MAX_LIMIT = 1000;

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
  return jsonAnswer(entryInfo(entry, { bodyOnly }));
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
  const items = deps.cache.scan({
    namespace,
    scopes: principal.readScopes,
    protocol: queryValue(path.query, "protocol") === undefined ? undefined : protocolOf(exchange),
    prefix: queryValue(path.query, "prefix"),
    order,
    bodyOnly,
    after: cursor === undefined ? undefined : { namespace, ...readCursor(cursor) },
    limit: order === "newest" ? limit : limit + 1,
    signal: clientSignal(request),
  });
  for await (const item of items) {
    if (item.type !== "entry") continue;
    // A page ends early where entries name very many blobs: it is one string in memory.
    if (entries.length === limit || blobs > MAX_BATCH_DIGESTS) {
      more = true;
      break;
    }
    entries.push(entryInfo(item.entry, { bodyOnly }));
    blobs += bodyOnly ? 1 : item.entry.blobs.length;
    last = item.entry;
  }
  return jsonAnswer({ entries, next: more && last ? cursorOf(last) : null });
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
