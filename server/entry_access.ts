/** Entries as a request may see and write them: always its namespace, scopes and name. */
import type { Entry, EntryDraft } from "../core/entry.ts";
import { MAX_KEY_BYTES } from "../core/limits.ts";
import { CacheError } from "../core/errors.ts";
import type { Exchange } from "./exchange.ts";

/** What an adapter says of an entry it writes; the rest is known from the request. */
export interface DraftFacts extends Partial<EntryDraft> {
  readonly protocol: string;
}

const utf8 = new TextEncoder();

/** The complete entry under the request's subject, in the first scope it may read. */
export function findEntry(exchange: Exchange, protocol: string): Promise<Entry | undefined> {
  const { deps, namespace, principal, subject } = exchange;
  checkLength(subject);
  const lookup = { namespace, scopes: principal.readScopes, protocol, key: subject };
  return deps.cache.find(lookup).then((entry) => {
    exchange.tally.digest = entry?.blobs[0]?.digest;
    exchange.tally.lookup = true;
    exchange.tally.cost = entry?.cost ?? 0;
    return entry;
  });
}

/** A draft in the scope and under the name of who asks; nothing of that comes from the request. */
export function draftOf(exchange: Exchange, facts: DraftFacts): EntryDraft {
  const { deps, namespace, principal, subject } = exchange;
  checkLength(subject);
  return {
    content: "opaque",
    blobs: [],
    tags: [],
    cost: 0,
    inputs: {},
    headers: {},
    mutability: "replaceable",
    ...facts,
    namespace,
    scope: principal.scope,
    key: subject,
    writer: principal.name,
    created: deps.clock.now(),
  };
}

function checkLength(key: string): void {
  // Most keys are short: three bytes a character is the most that UTF-8 needs.
  if (key.length * 3 <= MAX_KEY_BYTES || utf8.encode(key).length <= MAX_KEY_BYTES) return;
  throw new CacheError(
    "invalid_argument",
    `Cannot use the key: want at most ${MAX_KEY_BYTES} bytes`,
  );
}
