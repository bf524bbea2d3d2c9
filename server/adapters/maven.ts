/**
 * The Maven build cache extension: a tree of small files, `buildinfo.xml` last. Maven sends its
 * password only after a challenge that names Basic, and makes folders only where an answer has a
 * `DAV` header, which ours never have. 429 and 503 cost it 30 s a module, so no answer is one.
 */
import type { Entry } from "../../core/entry.ts";
import type { ParsedPath } from "../../protocol/path.ts";
import type { Answer } from "../answer.ts";
import { bodyAnswer, emptyAnswer, missAnswer } from "../answer.ts";
import { findEntry, withBody } from "../entry_access.ts";
import type { Exchange, Match, MissTable, Route } from "../exchange.ts";
import { blobAnswer } from "../routes/blobs.ts";
import type { Adapter } from "./adapter.ts";
import { HIDDEN_READS, ILLNESSES, shownAs } from "./adapter.ts";
import { headOpaque, storeOpaque } from "./opaque.ts";

const PROTOCOL = "maven";
/** `v1.2/<group>/<artifact>/<checksum or build>/<file>`. */
const DEPTH = 5;
const VERSION = /^v\d+(?:\.\d+)*$/;
/** `v1` alone is the native API's at the root. */
const ROOT_VERSION = /^v\d+(?:\.\d+)+$/;
const BUILD = /^[0-9A-Za-z-]{1,128}$/;

const MISSES: MissTable = { read: HIDDEN_READS, write: shownAs(500, ILLNESSES) };

const route: Route = {
  name: "maven.file",
  tool: "maven",
  pattern: "/maven/{key}",
  publicRead: true,
  misses: MISSES,
  methods: {
    GET: { verb: "read", run: get },
    HEAD: { verb: "read", run: (exchange) => headOpaque(exchange, PROTOCOL) },
    PUT: { verb: "write", run: put },
  },
};

/** Maven. */
export const maven: Adapter = { tool: "maven", routes: [route], match };

function match({ tool, segments, key }: ParsedPath): Match | undefined {
  const version = segments.at(-DEPTH);
  if (version === undefined) return undefined;
  if (!(tool === undefined ? ROOT_VERSION : VERSION).test(version)) return undefined;
  return BUILD.test(segments.at(-2) ?? "") ? { route, subject: key } : undefined;
}

async function get(exchange: Exchange): Promise<Answer> {
  const { request, subject } = exchange;
  const entry = await findEntry(exchange, PROTOCOL);
  const first = entry?.blobs[0];
  if (!entry || !first) return missAnswer("file", subject);
  if (request.headers.has("range") && unmodified(request, entry)) {
    return await blobAnswer(exchange, first.digest, {});
  }
  return await withBody(exchange, entry, (body, again) => {
    if (!body) return missAnswer("file", subject);
    return { ...bodyAnswer(body, { headers: { "accept-ranges": "bytes" } }), again };
  });
}

/**
 * Whether a download may be resumed: Maven says when it had the first part, and a file may have
 * been replaced since. Without that date, or with one that is none, nothing was promised.
 */
function unmodified({ headers }: Request, { created }: Entry): boolean {
  const since = headers.get("if-unmodified-since");
  const time = since === null ? NaN : Date.parse(since);
  return Number.isNaN(time) || created <= time;
}

async function put(exchange: Exchange): Promise<Answer> {
  await storeOpaque(exchange, PROTOCOL);
  return emptyAnswer(201);
}
