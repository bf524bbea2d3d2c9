/**
 * Nx's self-hosted cache. Nx takes every status but the ones below for a failed task or run: reads
 * 200 and 404, writes 200, 403 and 409. Entries are immutable, which is its answer to poisoning.
 */
import type { ParsedPath } from "../../protocol/path.ts";
import type { Answer } from "../answer.ts";
import { emptyAnswer } from "../answer.ts";
import type { Exchange, Match, MissTable, Route } from "../exchange.ts";
import type { Adapter } from "./adapter.ts";
import { ENDED_TOKENS, ILLNESSES, segmentsOf, shownAs } from "./adapter.ts";
import { getOpaque, headOpaque, storeOpaque } from "./opaque.ts";

const PROTOCOL = "nx";
const ROOTS = ["v1"];
/** Decimal digits today. */
const HASH = /^[0-9A-Za-z_-]{1,128}$/;

const MISSES: MissTable = {
  read: shownAs(404, [...ILLNESSES, ...ENDED_TOKENS]),
  write: shownAs(403, [...ILLNESSES, ...ENDED_TOKENS, "too_large"]),
};

const route: Route = {
  name: "nx.entry",
  tool: "nx",
  pattern: "/nx/v1/cache/{key}",
  publicRead: true,
  misses: MISSES,
  methods: {
    GET: { verb: "read", run: (exchange) => getOpaque(exchange, PROTOCOL) },
    HEAD: { verb: "read", run: (exchange) => headOpaque(exchange, PROTOCOL) },
    PUT: { verb: "write", run: put },
  },
};

/** Nx. */
export const nx: Adapter = { tool: "nx", roots: ROOTS, routes: [route], match };

function match(path: ParsedPath): Match | undefined {
  const segments = segmentsOf(path, ROOTS);
  const hash = segments.at(-1);
  if (hash === undefined || !HASH.test(hash)) return undefined;
  if (segments.at(-2) !== "cache" || segments.at(-3) !== "v1") return undefined;
  // Only `/v1/…` itself is the native API; behind it nothing but the cache is Nx's.
  if (path.tool === "v1" && segments.length !== 3) return undefined;
  return { route, subject: [...segments.slice(0, -3), hash].join("/") };
}

async function put(exchange: Exchange): Promise<Answer> {
  await storeOpaque(exchange, PROTOCOL);
  return emptyAnswer(200);
}
