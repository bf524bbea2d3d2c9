/** What a writer hands in, as an entry has it. */
import type { EntryDraft, EntryFacts, EntryKey } from "../../core/entry.ts";
import { CacheError } from "../../core/errors.ts";
import { checkSize } from "../blob_check.ts";

/** Only what an entry has: a caller's object may hold more, and what is read back would differ. */
export function factsOf(draft: EntryDraft): EntryFacts {
  for (const blob of draft.blobs) checkSize(blob);
  return {
    namespace: draft.namespace,
    scope: draft.scope,
    protocol: draft.protocol,
    key: draft.key,
    content: draft.content,
    blobs: draft.blobs.map(({ digest, size }) => ({ digest, size })),
    tags: [...draft.tags],
    writer: draft.writer,
    created: draft.created,
    cost: draft.cost,
    inputs: { ...draft.inputs },
    headers: { ...draft.headers },
  };
}

/** The error of a put whose place is taken for good. */
export function taken({ namespace, scope, protocol, key }: EntryKey): CacheError {
  return new CacheError(
    "conflict",
    `Cannot replace entry "${key.slice(0, 200)}": a complete one is there and its protocol ` +
      `"${protocol}" is immutable, want another key`,
    { operation: "index.put", context: { namespace, scope, protocol } },
  );
}
