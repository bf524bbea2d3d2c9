/** A server far away as a `Cache`. */
import type { ByteSource, ObjectBody, SignalOptions } from "../core/bytes.ts";
import { bytesSource } from "../core/bytes.ts";
import type { Cache, EntryLookup, Totals } from "../core/cache.ts";
import type { Entry, EntryDraft, EntryKey } from "../core/entry.ts";
import { CacheError, isKind } from "../core/errors.ts";
import type { PutOutcome, ScanItem, ScanOptions } from "../core/metadata_index.ts";
import { entryInput, entryOf } from "../protocol/convert.ts";
import {
  EntryInfoSchema,
  EntryListSchema,
  EntryPutAnswerSchema,
  StatsSchema,
} from "../protocol/json.ts";
import {
  ENTRY_MEDIA_TYPE,
  entryPath,
  HEADERS,
  headerText,
  KEY_VALUE_PROTOCOL,
  nativePath,
} from "../protocol/url_space.ts";
import { answerOf } from "./answer.ts";
import type { HttpClient } from "./http.ts";
import { inParallel } from "./in_parallel.ts";
import type { RemoteAdmin } from "./remote_admin.ts";
import { RemoteInsight } from "./remote_insight.ts";
import { RemotePins } from "./remote_pins.ts";
import { missAsUndefined, RemoteBlobStore, requireSame } from "./remote_blob_store.ts";
import { RemoteGoCache } from "./remote_go_cache.ts";

const PAGE = 1000;

/**
 * Entries over HTTP. The server knows scope, writer and time of an entry from the token, so what
 * a lookup or a draft says of them is not sent: it reads what the token reads, and writes the
 * token's scope.
 */
export class RemoteCache implements Cache {
  /** Namespace of those who do not name one. */
  readonly namespace: string;
  /** Tokens, verification, collection and facts of the same server. */
  readonly admin: RemoteAdmin;
  /** Questions after an incident. */
  readonly insight: RemoteInsight;
  readonly pinning: RemotePins;
  readonly #http: HttpClient;
  #close: (() => void) | undefined;

  /** Use `connectCache`. `close` ends the connections. */
  constructor(
    http: HttpClient,
    parts: { readonly admin: RemoteAdmin; readonly namespace: string; close(): void },
  ) {
    this.#http = http;
    this.admin = parts.admin;
    this.namespace = parts.namespace;
    this.insight = new RemoteInsight(http, parts.namespace);
    this.pinning = new RemotePins(http);
    this.#close = parts.close;
  }

  blobs(namespace: string): RemoteBlobStore {
    return new RemoteBlobStore(this.#http, namespace);
  }

  /** Go's build cache in a namespace. */
  go(namespace: string): RemoteGoCache {
    return new RemoteGoCache(this.#http, namespace);
  }

  async find(lookup: EntryLookup, options: SignalOptions = {}): Promise<Entry | undefined> {
    const { namespace, protocol, key } = lookup;
    const json = await missAsUndefined(() =>
      this.#http.askJson({
        method: "GET",
        path: nativePath(namespace, "info", key) + entryQuery(protocol, lookup),
        idempotent: true,
        signal: options.signal,
      })
    );
    if (json === undefined) return undefined;
    const entry = entryOf(answerOf(EntryInfoSchema, json));
    requireEntry(entry, lookup);
    return entry;
  }

  async body(entry: Entry, options: SignalOptions = {}): Promise<ObjectBody | undefined> {
    const body = entry.blobs[0];
    return body && await this.blobs(entry.namespace).get(body.digest, options);
  }

  /** What was replaced is known by its digest alone: `replaced.blobs` is all that is true of it. */
  async put(
    draft: EntryDraft,
    body: ByteSource,
    options: SignalOptions = {},
  ): Promise<PutOutcome> {
    requireSendable(draft);
    const plain = draft.protocol === KEY_VALUE_PROTOCOL && draft.content === "opaque" &&
      draft.blobs.length === 0 && Object.keys(draft.inputs).length === 0;
    if (!plain) {
      const blob = await this.blobs(draft.namespace).put(undefined, body, options);
      return await this.link({ ...draft, blobs: [blob, ...draft.blobs] }, options);
    }
    const headers: Record<string, string> = { "content-type": "application/octet-stream" };
    if (draft.tags.length > 0) headers[HEADERS.tags] = draft.tags.map(headerText).join(",");
    if (draft.cost > 0) headers[HEADERS.cost] = String(draft.cost);
    if (draft.mutability === "immutable") headers["if-none-match"] = "*";
    const { signal } = options;
    await using sendable = await this.#http.sendable(body, { digestFirst: false, signal });
    const { source } = sendable;
    const outcome = await this.#putEntry(draft, { headers, body: source, signal });
    requireSame(source.seen, outcome.entry.blobs[0]);
    return outcome;
  }

  async link(draft: EntryDraft, options: SignalOptions = {}): Promise<PutOutcome> {
    requireSendable(draft);
    const json = new TextEncoder().encode(JSON.stringify(entryInput(draft)));
    return await this.#putEntry(draft, {
      headers: { "content-type": ENTRY_MEDIA_TYPE },
      body: bytesSource(json),
      signal: options.signal,
    });
  }

  async remove(keys: readonly EntryKey[], options: SignalOptions = {}): Promise<number> {
    const removed = await inParallel(keys, async ({ namespace, protocol, key }) => {
      const reply = await missAsUndefined(() =>
        this.#http.send({
          method: "DELETE",
          path: entryPath(namespace, key) + entryQuery(protocol),
          idempotent: true,
          signal: options.signal,
        })
      );
      await reply?.cancel();
      return reply !== undefined;
    });
    return removed.filter((was) => was).length;
  }

  async *scan(options: ScanOptions = {}): AsyncIterable<ScanItem> {
    requireScannable(options);
    const { limit = Infinity, scopes } = options;
    let after: string | undefined;
    let found = 0;
    while (found < limit) {
      const page = await this.#page(options, { after, limit: Math.min(PAGE, limit - found) });
      for (const info of page.entries) {
        const entry = entryOf(info);
        if (scopes && !scopes.includes(entry.scope)) continue;
        yield { type: "entry", entry };
        if (++found >= limit) return;
      }
      if (page.next === null) return;
      if (page.next === after) {
        throw new CacheError("corrupt", "Cannot list entries: the server repeats a page", {
          operation: "client.scan",
        });
      }
      after = page.next;
    }
  }

  async totals(): Promise<Totals> {
    const { entries, blobs, chunks, logical_bytes, stored_bytes, hits, misses } = answerOf(
      StatsSchema,
      await this.#http.askJson({
        method: "GET",
        path: nativePath(this.namespace, "stats"),
        idempotent: true,
      }),
    );
    return { entries, blobs, chunks, logical_bytes, stored_bytes, hits, misses };
  }

  /** Closes the connections; what is under way breaks. Safe to call twice. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#close?.();
    this.#close = undefined;
  }

  async #putEntry(
    draft: EntryDraft,
    request: {
      readonly headers: Readonly<Record<string, string>>;
      readonly body: ByteSource;
      readonly signal: AbortSignal | undefined;
    },
  ): Promise<PutOutcome> {
    // Of a tree the server names thousands more, which nobody here asks for.
    const bodyOnly = draft.content === "tree";
    const json = await conflicts(() =>
      this.#http.askJson({
        method: "PUT",
        path: entryPath(draft.namespace, draft.key) + entryQuery(draft.protocol, { bodyOnly }),
        ...request,
        // A second try of what succeeded unseen would be told of a conflict with itself.
        idempotent: draft.mutability === "replaceable",
      }), request.headers["if-none-match"] === "*");
    const answer = answerOf(EntryPutAnswerSchema, json);
    const entry = entryOf(answer.entry);
    requireEntry(entry, draft);
    const old = answer.replaced;
    const replaced = old === null ? undefined : { ...entry, blobs: [{ digest: old, size: 0 }] };
    return { entry, replaced };
  }

  async #page(
    options: ScanOptions,
    { after, limit }: { after: string | undefined; limit: number },
  ) {
    const query = new URLSearchParams({ limit: String(limit) });
    if (options.prefix !== undefined) query.set("prefix", options.prefix);
    if (options.protocol !== undefined) query.set("protocol", options.protocol);
    if (options.writer !== undefined) query.set("writer", options.writer);
    if (options.since !== undefined) query.set("since", String(Math.max(0, options.since)));
    if (options.until !== undefined) query.set("until", String(Math.max(0, options.until)));
    if (options.scopes?.length === 1) query.set("scope", options.scopes[0]!);
    if (after !== undefined) query.set("after", after);
    if (options.order === "newest") query.set("order", "newest");
    if (options.bodyOnly) query.set("blobs", "first");
    const path = nativePath(options.namespace ?? this.namespace, "entries");
    const json = await this.#http.askJson({
      method: "GET",
      path: `${path}?${query}`,
      idempotent: true,
      signal: options.signal,
    });
    return answerOf(EntryListSchema, json);
  }
}

/** Refuses an answer about something else than was asked. @throws {CacheError} `corrupt` */
function requireEntry(entry: Entry, asked: Omit<EntryKey, "scope">): void {
  const same = entry.namespace === asked.namespace && entry.protocol === asked.protocol &&
    entry.key === asked.key;
  if (same && entry.blobs.length > 0) return;
  throw new CacheError("corrupt", `Cannot use the answer for "${asked.key}": it is another entry`, {
    operation: "client.find",
  });
}

function entryQuery(
  protocol: string,
  { bodyOnly = false }: { bodyOnly?: boolean | undefined } = {},
) {
  const query = new URLSearchParams();
  if (protocol !== KEY_VALUE_PROTOCOL) query.set("protocol", protocol);
  if (bodyOnly) query.set("blobs", "first");
  return query.size === 0 ? "" : `?${query}`;
}

/** HTTP calls a conflict with `If-None-Match: *` a failed precondition. */
async function conflicts<T>(work: () => Promise<T>, onlyIfNew: boolean): Promise<T> {
  try {
    return await work();
  } catch (thrown) {
    if (!onlyIfNew || !isKind(thrown, "precondition_failed")) throw thrown;
    const { message, context } = thrown;
    throw new CacheError("conflict", message, { context, operation: "client.put", cause: thrown });
  }
}

function requireSendable(draft: EntryDraft): void {
  const isTool = draft.content !== "opaque" && draft.content !== "tree";
  if (!isTool && Object.keys(draft.headers).length === 0) return;
  throw new CacheError(
    "unsupported",
    `Cannot send "${draft.key}": content "${draft.content}" or headers of a tool have no native form`,
    { operation: "client.put" },
  );
}

function requireScannable({ order, tombstones, after, afterSequence }: ScanOptions): void {
  if (order !== "sequence" && !tombstones && !after && !afterSequence) return;
  throw new CacheError(
    "unsupported",
    "Cannot list entries so: a server lists them by key or the newest, without tombstones, from the beginning",
    { operation: "client.scan" },
  );
}
