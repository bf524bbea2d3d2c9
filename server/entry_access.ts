/** Entries as a request may see and write them: always its namespace, scopes and name. */
import type { ObjectBody } from "../core/bytes.ts";
import { bytesBody } from "../core/bytes.ts";
import type { EntryLookup } from "../core/cache.ts";
import type { Entry, EntryDraft } from "../core/entry.ts";
import { MAX_KEY_BYTES } from "../core/limits.ts";
import { CacheError } from "../core/errors.ts";
import type { Again } from "./answer.ts";
import type { Exchange } from "./exchange.ts";

/** What an adapter says of an entry it writes; the rest is known from the request. */
export interface DraftFacts extends Partial<EntryDraft> {
  readonly protocol: string;
}

const utf8 = new TextEncoder();

/**
 * The complete entry under the request's subject, in the first scope it may read; at once where
 * memory knows it.
 */
export function findEntry(
  exchange: Exchange,
  protocol: string,
): Entry | undefined | Promise<Entry | undefined> {
  const { deps, subject } = exchange;
  checkLength(subject);
  const lookup = lookupOf(exchange, protocol);
  const recalled = deps.memory?.recall(lookup);
  if (recalled) return noted(exchange, recalled.entry);
  return deps.cache.find(lookup).then((entry) => noted(exchange, entry));
}

/** What `next` makes of a value that may have to be waited for. */
export function whenFound<T>(
  found: Entry | undefined | Promise<Entry | undefined>,
  next: (entry: Entry | undefined) => T | Promise<T>,
): T | Promise<T> {
  return found instanceof Promise ? found.then(next) : next(found);
}

/**
 * The whole body of an entry that {@linkcode findEntry} gave, at once where memory has it. `next`
 * also hears until when it may be given again.
 */
export function withBody<T>(
  exchange: Exchange,
  entry: Entry,
  next: (body: ObjectBody | undefined, again?: Again) => T,
): T | Promise<T> {
  const { memory, cache } = exchange.deps;
  const bytes = memory?.bytes(entry);
  if (bytes) return next(bytesBody(bytes), again(exchange, entry));
  return cache.body(entry).then((body) => next(body));
}

/** Until when what was found under the request's subject will be found there again. */
export function again(exchange: Exchange, entry: Entry): Again | undefined {
  const { memory } = exchange.deps;
  const holds = memory?.hold(lookupOf(exchange, entry.protocol), entry);
  return holds && { holds, scopes: exchange.principal.readScopes };
}

function lookupOf({ namespace, principal, subject }: Exchange, protocol: string): EntryLookup {
  return { namespace, scopes: principal.readScopes, protocol, key: subject };
}

function noted({ tally }: Exchange, entry: Entry | undefined): Entry | undefined {
  tally.digest = entry?.blobs[0]?.digest;
  tally.lookup = true;
  tally.cost = entry?.cost ?? 0;
  return entry;
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
