/** Entries whose bodies are the tool's own and mean nothing here. */
import type { EntryDraft, Protocol } from "../../core/entry.ts";
import type { PutOutcome } from "../../core/metadata_index.ts";
import { mutabilityOf } from "../../policy/mutability.ts";
import type { Answer } from "../answer.ts";
import { bodyAnswer, emptyAnswer, headAnswer, missing } from "../answer.ts";
import { draftOf, findEntry } from "../entry_access.ts";
import type { Exchange, Route } from "../exchange.ts";
import { withUpload } from "../upload.ts";

const WHAT = "result";

/** GET: body and headers as they were stored. @throws {CacheError} `not_found` */
export async function getOpaque(exchange: Exchange, protocol: Protocol): Promise<Answer> {
  const { deps, subject } = exchange;
  const entry = await findEntry(exchange, protocol);
  const body = entry && await deps.cache.body(entry);
  if (!entry || !body) throw missing(WHAT, subject);
  return bodyAnswer(body, { headers: { ...entry.headers } });
}

/** HEAD: as GET without the body. @throws {CacheError} `not_found` */
export async function headOpaque(exchange: Exchange, protocol: Protocol): Promise<Answer> {
  const entry = await findEntry(exchange, protocol);
  if (!entry) throw missing(WHAT, exchange.subject);
  return headAnswer(entry.blobs[0]?.size ?? 0, { ...entry.headers });
}

/**
 * Stores the request's body, replacing what the tool's contract lets be replaced.
 * @throws {CacheError} `conflict` for an immutable entry that is there, else as `withUpload`
 */
export async function storeOpaque(
  exchange: Exchange,
  protocol: Protocol,
  facts: Partial<Pick<EntryDraft, "cost" | "headers">> = {},
): Promise<PutOutcome> {
  const draft = draftOf(exchange, { ...facts, protocol, mutability: mutabilityOf(protocol) });
  const outcome = await withUpload(exchange, {}, (body) => exchange.deps.cache.put(draft, body));
  exchange.tally.digest = outcome.entry.blobs[0]?.digest;
  return outcome;
}

/** GET, HEAD and PUT (201 new, 200 replaced) of a protocol. */
export function opaqueMethods(protocol: Protocol): Route["methods"] {
  return {
    GET: { verb: "read", run: (exchange) => getOpaque(exchange, protocol) },
    HEAD: { verb: "read", run: (exchange) => headOpaque(exchange, protocol) },
    PUT: { verb: "write", run: (exchange) => putOpaque(exchange, protocol) },
  };
}

async function putOpaque(exchange: Exchange, protocol: Protocol): Promise<Answer> {
  const { replaced } = await storeOpaque(exchange, protocol);
  return emptyAnswer(replaced ? 200 : 201);
}
