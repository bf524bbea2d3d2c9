/** Answers about a store of this machine: index, blobs, audit and usage together. */
import type { TokenStore } from "../auth/token_store.ts";
import type { RecordContext } from "../codec/entry_record.ts";
import type { Cache } from "../core/cache.ts";
import type { EntryChange } from "../core/audit.ts";
import type { Entry, EntryKey, RemoveKey } from "../core/entry.ts";
import { CacheError } from "../core/errors.ts";
import { MAX_HISTORY } from "../core/insight.ts";
import type {
  Insight,
  InspectedEntry,
  Inspection,
  InspectLookup,
  RemoveRequest,
  RemoveStep,
  UsageQuery,
  UsageRow,
} from "../core/insight.ts";
import { readAudit } from "../index/audit/read.ts";
import { auditPage } from "./audit_page.ts";
import { exactEntries } from "./exact_entries.ts";

/** What it is made of. */
export interface InsightParts {
  readonly cache: Cache;
  readonly tokens: Pick<TokenStore, "changes">;
  readonly auditDir: string;
  readonly context: RecordContext;
  usage(query: UsageQuery): Promise<UsageRow[]>;
}

/** Entries that one step removes: one batch of the writer, some 100 ms. */
const STEP_ENTRIES = 1000;
/** Entries that one step looks at: below a second, so that no client gives the answer up. */
const STEP_SCAN = 20_000;

/** Entries looked at between two turns of everybody else on this thread. */
const TURN = 1000;

/** Puts the answers together. */
export function createInsight(parts: InsightParts): Insight {
  return {
    inspect: (lookup) => inspect(parts, lookup),
    removeStep: (request) => removeStep(parts, request),
    audit: (query) => auditPage(parts, query),
    usage: (query) => parts.usage(query),
  };
}

async function inspect(parts: InsightParts, lookup: InspectLookup): Promise<Inspection> {
  const { namespace, key, protocol, scopes, readScopes, signal } = lookup;
  const found = await exactEntries(parts.cache, key, { namespace, scopes, protocol, signal });
  const looked = await Promise.all(found.map((entry) => look(parts.cache, entry)));
  const servedOf = (of: string) =>
    readScopes.map((scope) =>
      looked.find(({ entry, whole }) => whole && entry.protocol === of && entry.scope === scope)
    ).find((one) => one !== undefined);
  const entries = looked.map((one): InspectedEntry => {
    const { entry, whole, blobs } = one;
    const winner = servedOf(entry.protocol);
    if (winner === one) return { entry, blobs, served: true, reason: undefined };
    const reason = !whole
      ? "incomplete: a blob is not here any more"
      : !readScopes.includes(entry.scope)
      ? `a read goes through ${readScopes.join(", ")} only`
      : `scope ${winner?.entry.scope} comes first`;
    return { entry, blobs, served: false, reason };
  });
  return { entries, history: await history(parts, lookup) };
}

async function look(cache: Cache, entry: Entry) {
  const stats = await cache.blobs(entry.namespace).stat(entry.blobs.map(({ digest }) => digest));
  const blobs = entry.blobs.map((blob, n) => ({
    ...blob,
    present: stats[n]?.size === blob.size,
  }));
  return { entry, blobs, whole: blobs.every(({ present }) => present) };
}

async function history(parts: InsightParts, lookup: InspectLookup): Promise<EntryChange[]> {
  const { namespace, key, protocol, scopes, signal } = lookup;
  // Names of entries can be compared without reading rows, where all of them are known.
  const keys = scopes && protocol !== undefined
    ? scopes.map((scope): EntryKey => ({ namespace, scope, protocol, key }))
    : undefined;
  const rows: EntryChange[] = [];
  const filter = { namespace, prefix: key, keys, signal };
  for await (const { row } of readAudit(parts.auditDir, parts.context, filter)) {
    if (row.key !== key || (protocol !== undefined && row.protocol !== protocol)) continue;
    if (scopes && !scopes.includes(row.scope)) continue;
    rows.push(row);
    if (rows.length > 2 * MAX_HISTORY) rows.splice(0, MAX_HISTORY);
  }
  return rows.slice(-MAX_HISTORY);
}

async function removeStep({ cache }: InsightParts, request: RemoveRequest): Promise<RemoveStep> {
  const { by, dryRun, signal } = request;
  const { found, next } = request.keys
    ? { found: await named(cache, request, request.keys), next: undefined }
    : await matching(cache, request);
  // Only the versions that were looked at: what was written meanwhile may be somebody else's.
  const keys = found.map(({ namespace, scope, protocol, key, sequence }): RemoveKey => ({
    namespace,
    scope,
    protocol,
    key,
    sequence,
  }));
  let gone = keys;
  if (!dryRun && keys.length > 0 && await cache.remove(keys, { by, signal }) < keys.length) {
    gone = await withoutThoseLeft(cache, keys);
  }
  return { entries: gone.map(({ sequence: _, ...key }) => key), next };
}

async function named(
  cache: Cache,
  request: RemoveRequest,
  keys: readonly string[],
): Promise<Entry[]> {
  const { namespace, protocol, signal, prefix = "" } = request;
  const found: Entry[] = [];
  for (const key of new Set(keys)) {
    if (!key.startsWith(prefix)) continue;
    const options = { namespace, protocol, scopes: scopesOf(request), signal };
    const entries = await exactEntries(cache, key, options);
    found.push(...entries.filter((entry) => matches(entry, request)));
  }
  return found;
}

async function matching(
  cache: Cache,
  request: RemoveRequest,
): Promise<{ found: Entry[]; next: string | undefined }> {
  const { namespace, protocol, prefix, signal } = request;
  const found: Entry[] = [];
  let seen = 0;
  let last: Entry | undefined;
  const scan = cache.scan({
    namespace,
    protocol,
    prefix,
    signal,
    scopes: scopesOf(request),
    after: request.after === undefined ? undefined : readCursor(namespace, request.after),
    incomplete: true,
    limit: STEP_SCAN,
  });
  for await (const item of scan) {
    if (item.type !== "entry") continue;
    if (++seen % TURN === 0) await new Promise((resolve) => setImmediate(resolve));
    last = item.entry;
    if (matches(item.entry, request)) found.push(item.entry);
    if (found.length >= STEP_ENTRIES) break;
  }
  const more = seen >= STEP_SCAN || found.length >= STEP_ENTRIES;
  return { found, next: more && last ? cursorOf(last) : undefined };
}

function matches({ writer, created }: Entry, filter: RemoveRequest): boolean {
  return (filter.writer === undefined || writer === filter.writer) &&
    (filter.since === undefined || created >= filter.since) &&
    (filter.until === undefined || created < filter.until);
}

function scopesOf({ scope, scopes }: RemoveRequest): readonly string[] | undefined {
  if (scope === undefined) return scopes;
  return !scopes || scopes.includes(scope) ? [scope] : [];
}

/** Which went, where some were written anew under the removal. */
async function withoutThoseLeft(cache: Cache, keys: readonly RemoveKey[]): Promise<RemoveKey[]> {
  const gone: RemoveKey[] = [];
  for (const key of keys) {
    const { namespace, scope, protocol } = key;
    const [left] = await exactEntries(cache, key.key, { namespace, scopes: [scope], protocol });
    // Its removal may be followed by a new entry, which then has another number.
    if (!left) gone.push(key);
  }
  return gone;
}

function cursorOf({ scope, protocol, key }: EntryKey): string {
  return JSON.stringify([scope, protocol, key]);
}

function readCursor(namespace: string, text: string): EntryKey {
  try {
    const [scope, protocol, key] = JSON.parse(text);
    if ([scope, protocol, key].every((part) => typeof part === "string")) {
      return { namespace, scope, protocol, key };
    }
  } catch (thrown) {
    if (!(thrown instanceof SyntaxError || thrown instanceof TypeError)) throw thrown;
  }
  throw new CacheError("invalid_argument", "Cannot remove: bad cursor, want next of the last step");
}
