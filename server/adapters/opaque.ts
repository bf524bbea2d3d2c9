/** Entries whose bodies are the tool's own and mean nothing here. */
import type { EntryDraft, Protocol } from "../../core/entry.ts";
import type { PutOutcome } from "../../core/metadata_index.ts";
import { mutabilityOf } from "../../policy/mutability.ts";
import type { Answer } from "../answer.ts";
import { bodyAnswer, emptyAnswer, headAnswer, missAnswer } from "../answer.ts";
import { again, draftOf, findEntry, whenFound, withBody } from "../entry_access.ts";
import type { Exchange, Route } from "../exchange.ts";
import { withUpload } from "../upload.ts";

const WHAT = "result";

/** GET: body and headers as they were stored. */
export function getOpaque(exchange: Exchange, protocol: Protocol): Answer | Promise<Answer> {
  return whenFound(findEntry(exchange, protocol), (entry) => {
    if (!entry) return missAnswer(WHAT, exchange.subject);
    return withBody(exchange, entry, (body, again) => {
      if (!body) return missAnswer(WHAT, exchange.subject);
      return { ...bodyAnswer(body, { headers: { ...entry.headers } }), again };
    });
  });
}

/** HEAD: as GET without the body. */
export function headOpaque(exchange: Exchange, protocol: Protocol): Answer | Promise<Answer> {
  return whenFound(findEntry(exchange, protocol), (entry) => {
    if (!entry) return missAnswer(WHAT, exchange.subject);
    const answer = headAnswer(entry.blobs[0]?.size ?? 0, { ...entry.headers });
    return { ...answer, again: again(exchange, entry) };
  });
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
