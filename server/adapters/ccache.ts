/**
 * ccache's HTTP storage, its three layouts. Keys are 20 bytes: until 4.12 written as 4 hex digits
 * and 29 of base32hex, from 4.13 as 40 hex digits. Bodies are ccache's own and mean nothing here;
 * under `ac/` they look like Bazel's paths but must never reach a reader of ActionResults, so
 * they are entries of a protocol of their own.
 */
import { CacheError } from "../../core/errors.ts";
import type { ParsedPath } from "../../protocol/path.ts";
import type { Answer } from "../answer.ts";
import { emptyAnswer, missing } from "../answer.ts";
import { draftOf } from "../entry_access.ts";
import type { Exchange, Match, MissTable, Route } from "../exchange.ts";
import { withUpload } from "../upload.ts";
import type { Adapter } from "./adapter.ts";
import { HIDDEN_READS } from "./adapter.ts";
import { getOpaque, headOpaque } from "./opaque.ts";

const PROTOCOL = "ccache";
const FLAT = /^[0-9a-v]{33,40}$/;
const SUBDIRECTORY = /^[0-9a-v]{2}$/;
const REST = /^(?:[0-9a-v]{31}|[0-9a-v]{38})$/;
const SHA256 = /^[0-9a-f]{64}$/;
const KEY_DIGITS = 40;
const USER_AGENT = /^ccache\//;

/** Any status but 2xx is a miss on reads; a refused write turns the cache off for one compile. */
const MISSES: MissTable = { read: HIDDEN_READS, write: {} };

const route: Route = {
  name: "ccache.entry",
  tool: "ccache",
  pattern: "/ccache/{key}",
  publicRead: true,
  misses: MISSES,
  methods: {
    GET: { verb: "read", run: (exchange) => getOpaque(exchange, PROTOCOL) },
    HEAD: { verb: "read", run: (exchange) => headOpaque(exchange, PROTOCOL) },
    PUT: { verb: "write", run: put },
    // ccache deletes what it replaces: that is writing, not invalidation of what others wrote.
    DELETE: { verb: "write", run: remove },
  },
};

/** ccache. */
export const ccache: Adapter = { tool: "ccache", routes: [route], match };

function match({ tool, segments }: ParsedPath, headers: Headers): Match | undefined {
  if (tool !== undefined && tool !== "ccache") return undefined;
  const last = segments.at(-1);
  if (last === undefined) return undefined;
  const before = segments.at(-2);
  if (before === "cas") return undefined;
  // One key in 1,024 has the subdirectory "ac": only 64 digits behind it make it Bazel's layout.
  if (before === "ac" && SHA256.test(last)) {
    const own = isRepeated(last);
    if (!own && tool === undefined && !USER_AGENT.test(headers.get("user-agent") ?? "")) {
      return undefined;
    }
    return found(segments.slice(0, -2), own ? last.slice(0, KEY_DIGITS) : last);
  }
  if (before !== undefined && SUBDIRECTORY.test(before) && REST.test(last)) {
    return found(segments.slice(0, -2), before + last);
  }
  return FLAT.test(last) ? found(segments.slice(0, -1), last) : undefined;
}

/** `layout=bazel` fills 40 digits up to 64 with the first 24 of them. */
function isRepeated(hex: string): boolean {
  return hex.slice(KEY_DIGITS) === hex.slice(0, hex.length - KEY_DIGITS);
}

/** All layouts of one base path share their keys: the same digest is the same result. */
function found(prefix: readonly string[], key: string): Match {
  return { route, subject: [...prefix, key].join("/") };
}

async function put(exchange: Exchange): Promise<Answer> {
  const { deps } = exchange;
  return await withUpload(exchange, {}, async (source) => {
    // ccache takes an empty body for damage and drops its own copy.
    if (source.size === 0) throw empty();
    const draft = draftOf(exchange, { protocol: PROTOCOL });
    const { entry, replaced } = await deps.cache.put(draft, source);
    exchange.tally.digest = entry.blobs[0]?.digest;
    if (entry.blobs[0]?.size === 0) {
      // Only a body of unknown length can get here.
      await deps.cache.remove([draft], { by: exchange.principal.name });
      throw empty();
    }
    return emptyAnswer(replaced ? 200 : 201);
  });
}

async function remove(exchange: Exchange): Promise<Answer> {
  const { deps, subject } = exchange;
  const draft = draftOf(exchange, { protocol: PROTOCOL });
  const removed = await deps.cache.remove([draft], { by: exchange.principal.name });
  if (removed === 0) throw missing("result", subject);
  return emptyAnswer(204);
}

function empty(): CacheError {
  return new CacheError("invalid_argument", "Cannot store the result: it is empty", {
    operation: "ccache.put",
  });
}
