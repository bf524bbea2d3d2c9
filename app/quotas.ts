/** Holds namespaces and scopes to their quotas: who is over his share makes room in it himself. */
// size: one account of what is held and on its way, and the one way to make room in it
import type { CommitBatch } from "../core/chunk_store.ts";
import type { Bytes, Digest } from "../core/digest.ts";
import type { BlobRef, EntryKey, RemoveKey } from "../core/entry.ts";
import { CacheError } from "../core/errors.ts";
import { QUOTA_AHEAD_SHARE, QUOTA_SAMPLE } from "../core/limits.ts";
import type { GoingEntry, Holds, NamespaceQuota, QuotaUse, ScopeQuota } from "../core/quota.ts";
import { MAX_NEXT_ENTRIES, MAX_TOLD_NAMESPACES } from "../core/quota.ts";
import { formatSize } from "../core/units.ts";
import type { Candidate, IndexWriter } from "../index/contract.ts";
import { excessOf, lettingOrder, scopeQuotaOf } from "../policy/quota.ts";
import type { HeldFacts } from "../policy/quota.ts";
import { idOf, isOneChunk } from "../store/cas/presence.ts";

/** What {@linkcode Quotas} looks at and works with. */
export interface QuotaParts {
  readonly quotas: readonly NamespaceQuota[];
  readonly index: IndexWriter;
  /** When a record was used last, milliseconds since 1970; `undefined` if it is not here. */
  usedAt(kind: "chunk" | "recipe", id: Bytes): number | undefined;
  /** Lets these go in one durable step, and tells all threads. */
  letGo(
    step: { letGo: RemoveKey[]; unlink: { namespace: string; digest: Digest }[] },
  ): Promise<void>;
  isPinned(key: EntryKey): boolean;
  isPinnedBlob(namespace: string, digest: Digest): boolean;
  now(): number;
  report(line: string): void;
}

/** One limit: of a namespace as a whole, or of some of its scopes together. */
interface Account {
  readonly quota: NamespaceQuota;
  readonly share: ScopeQuota | undefined;
  readonly limit: Partial<Holds>;
  /** Entries, and of scopes the bytes that they name; kept with every change of the index. */
  held: { bytes: number; entries: number };
  /** What was let in and is not yet in the index. */
  coming: { bytes: number; entries: number };
  /** The tail of those who make room: one at a time. */
  turn: Promise<unknown>;
  /** Until when nobody looks again whether something can go: the last look found nothing. */
  stuckUntil: number;
  /** How many pinned entries that look saw. */
  pinned: number;
}

/** What may go: an entry, or a blob that none of the entries looked at names. */
interface Loose extends HeldFacts {
  readonly entry: Candidate | undefined;
  readonly blobs: readonly BlobRef[];
}

/** A use of a blob this much later than that of an entry was somebody else's; milliseconds. */
const OTHER_USE_MS = 60_000;
/** Milliseconds: a look reads thousands of rows, and who is refused may ask again at once. */
const STUCK_MS = 1000;
const NOTHING: Holds = { bytes: 0, entries: 0 };

/** Accounts of all namespaces that have a quota. */
export class Quotas {
  readonly #parts: QuotaParts;
  readonly #accounts = new Map<string, Account[]>();
  /** Entries and blobs that commits on their way count on, and how many do. */
  readonly #needed = new Map<string, number>();

  constructor(parts: QuotaParts) {
    this.#parts = parts;
    for (const quota of parts.quotas) {
      const open = (share: ScopeQuota | undefined): Account => ({
        quota,
        share,
        limit: share ?? quota,
        held: { bytes: 0, entries: 0 },
        coming: { bytes: 0, entries: 0 },
        turn: Promise.resolve(),
        stuckUntil: 0,
        pinned: 0,
      });
      this.#accounts.set(quota.namespace, [open(undefined), ...quota.scopes.map(open)]);
    }
    if (this.#accounts.size === 0) return;
    const note = ({ namespace, scope }: Pick<EntryKey, "namespace" | "scope">, more: Holds) => {
      for (const { held } of this.#accountsOf(namespace, scope)) {
        held.entries += more.entries;
        held.bytes += more.bytes;
      }
    };
    for (const space of parts.index.shares().spaces) note(space, space);
    parts.index.watchShares(note);
  }

  /** Whether nothing has a quota. */
  get isEmpty(): boolean {
    return this.#accounts.size === 0;
  }

  /**
   * Lets a commit in, which first may have to make room; what it resolved to is disposed when the
   * index has the commit, or never will.
   * @throws {CacheError} `quota_exceeded` where nothing more of its namespace or scope can go
   */
  async admit(batch: CommitBatch): Promise<Disposable> {
    const stack = new DisposableStack();
    try {
      stack.use(this.#onItsWay(batch));
      while (true) {
        const accounts = this.#concerned(batch);
        const full = accounts.find(({ account, more }) =>
          isOver(excessOf(this.#heldBy(account), more, account.limit))
        );
        if (full) {
          const { account, more } = full;
          const work = account.turn.then(() => this.#makeRoom(account, more));
          account.turn = work.catch(() => {}); // whoever waits for it hears of it
          await work;
          continue; // what was here may have gone meanwhile, and others may have come
        }
        for (const { account: { coming }, more } of accounts) {
          coming.bytes += more.bytes;
          coming.entries += more.entries;
          stack.defer(() => {
            coming.bytes -= more.bytes;
            coming.entries -= more.entries;
          });
        }
        return stack;
      }
    } catch (error) {
      stack.dispose();
      throw error;
    }
  }

  /**
   * Keeps from going what a commit counts on: a blob that it links is not new, an entry that it
   * replaces is not one more.
   */
  #onItsWay({ link = [], entry }: CommitBatch): Disposable {
    const names = link.map(({ namespace, blob }) => blobName(namespace, blob.digest));
    if (entry) {
      names.push(entryName(entry));
      for (const { digest } of entry.blobs) names.push(blobName(entry.namespace, digest));
    }
    for (const name of names) this.#needed.set(name, (this.#needed.get(name) ?? 0) + 1);
    return {
      [Symbol.dispose]: () => {
        for (const name of names) {
          const left = (this.#needed.get(name) ?? 1) - 1;
          if (left > 0) this.#needed.set(name, left);
          else this.#needed.delete(name);
        }
      },
    };
  }

  /** What each namespace holds, and what of each limit is held. */
  uses(): QuotaUse[] {
    const { namespaces, spaces } = this.#parts.index.shares();
    const entries = new Map<string, number>();
    for (const space of spaces) {
      entries.set(space.namespace, (entries.get(space.namespace) ?? 0) + space.entries);
    }
    const plain = namespaces.filter(({ namespace }) => !this.#accounts.has(namespace));
    return [
      ...[...this.#accounts.values()].flat().map((account): QuotaUse => {
        const { quota: { namespace }, share, limit } = account;
        return {
          namespace,
          scope: share?.pattern ?? null,
          ...this.#heldBy(account, NOTHING),
          max_entries: limit.entries ?? null,
          max_bytes: limit.bytes ?? null,
        };
      }),
      ...plain.slice(0, MAX_TOLD_NAMESPACES).map(({ namespace, bytes }): QuotaUse => ({
        namespace,
        scope: null,
        bytes,
        entries: entries.get(namespace) ?? 0,
        max_entries: null,
        max_bytes: null,
      })),
    ].sort((a, b) => a.namespace < b.namespace ? -1 : a.namespace > b.namespace ? 1 : 0);
  }

  /** What would go next in each namespace that has a quota, the first in front. */
  next(): GoingEntry[] {
    return [...this.#accounts.values()].flat().flatMap((account) => {
      const { loose } = this.#loose(account);
      const { quota: { namespace }, share } = account;
      return lettingOrder(loose, this.#parts.now()).slice(0, MAX_NEXT_ENTRIES).map((going) => {
        const { entry, bytes, blobs } = going.item;
        const what = entry?.key.key ?? blobs[0]?.digest ?? "";
        return { namespace, scope: share?.pattern ?? null, what, bytes, reason: going.reason };
      });
    });
  }

  /** The namespace's account, and that of the scope if it has one. */
  #accountsOf(namespace: string, scope: string | undefined): Account[] {
    const [whole, ...shares] = this.#accounts.get(namespace) ?? [];
    if (!whole) return [];
    const share = scope === undefined ? undefined : scopeQuotaOf(whole.quota, scope);
    return [whole, ...shares.filter((account) => account.share === share)];
  }

  #heldBy({ quota, share, held, coming }: Account, with_: Holds = coming): Holds {
    const bytes = share ? held.bytes : this.#parts.index.namespaceShare(quota.namespace).bytes;
    return { bytes: bytes + with_.bytes, entries: held.entries + with_.entries };
  }

  /** The accounts that a commit adds to, scopes first, and what it adds to each. */
  #concerned({ link = [], entry }: CommitBatch): { account: Account; more: Holds }[] {
    const { index } = this.#parts;
    const namespaces = new Set(link.map(({ namespace }) => namespace));
    if (entry) namespaces.add(entry.namespace);
    return [...namespaces].flatMap((namespace) => {
      const own = entry?.namespace === namespace ? entry : undefined;
      const accounts = this.#accountsOf(namespace, own?.scope);
      if (accounts.length === 0) return [];
      const linked = link.filter((one) => one.namespace === namespace).map(({ blob }) => blob);
      const seen = index.visibility.find(namespace, linked.map(({ digest }) => digest));
      const bytes = sizeOf(linked.filter((_, n) => seen[n] === undefined));
      const before = own && index.stored(own);
      const entries = own && !before ? 1 : 0;
      return accounts.map((account) => ({
        account,
        more: account.share && own
          ? { entries, bytes: sizeOf(own.blobs) - sizeOf(before?.blobs ?? []) }
          : { entries, bytes },
      })).reverse();
    });
  }

  /** Everything that may go, and whether that is all there is. */
  #loose(account: Account): { loose: Loose[]; pinned: number } {
    const { index, isPinned, isPinnedBlob, usedAt } = this.#parts;
    const { quota: { namespace }, share } = account;
    const all = index.sample(namespace, this.#scopesOf(account), QUOTA_SAMPLE);
    const free = all.filter(({ key }) => !isPinned(key));
    const loose: Loose[] = free.filter(({ key }) => !this.#needed.has(entryName(key)))
      .map((entry) => ({ ...entry, entry }));
    const pinned = all.length - free.length;
    if (share) return { loose, pinned };
    const named = new Set(all.flatMap(({ blobs }) => blobs.map(({ digest }) => digest)));
    const from = crypto.getRandomValues(new Uint8Array(32)).toHex();
    const seen = index.visibility.list(namespace, `sha256-${from}` as Digest, QUOTA_SAMPLE);
    if (seen.length < QUOTA_SAMPLE) {
      const more = index.visibility.list(namespace, undefined, QUOTA_SAMPLE - seen.length);
      seen.push(...more.filter(({ digest }) => digest <= `sha256-${from}`));
    }
    for (const blob of seen) {
      if (named.has(blob.digest) || isPinnedBlob(namespace, blob.digest)) continue;
      if (this.#needed.has(blobName(namespace, blob.digest))) continue;
      const used = usedAt(kindOf(blob), idOf(blob.digest)) ?? 0;
      loose.push({ entry: undefined, blobs: [blob], bytes: blob.size, created: 0, used });
    }
    return { loose, pinned };
  }

  #scopesOf({ quota, share }: Account): string[] {
    return this.#parts.index.shares().spaces.filter(({ namespace, scope, entries }) =>
      entries > 0 && namespace === quota.namespace &&
      (!share || scopeQuotaOf(quota, scope) === share)
    ).map(({ scope }) => scope);
  }

  /** Runs when nobody else makes room in this account. */
  async #makeRoom(account: Account, more: Holds): Promise<void> {
    const { limit } = account;
    // Nothing goes for what can never fit.
    if (isOver(excessOf(NOTHING, more, limit))) throw this.#refusal(account, more, "never");
    const ahead = {
      bytes: Math.floor((limit.bytes ?? 0) * QUOTA_AHEAD_SHARE),
      entries: Math.floor((limit.entries ?? 0) * QUOTA_AHEAD_SHARE),
    };
    while (true) {
      const held = this.#heldBy(account);
      const over = excessOf(held, more, limit);
      if (!isOver(over)) return;
      if (this.#parts.now() < account.stuckUntil) throw this.#refusal(account, more);
      const wanted = {
        bytes: over.bytes > 0 ? over.bytes + ahead.bytes : 0,
        entries: over.entries > 0 ? over.entries + ahead.entries : 0,
      };
      const step = this.#choose(account, wanted);
      if (step.letGo.length + step.unlink.length === 0) throw this.#stuck(account, more);
      await this.#parts.letGo(step);
      const { quota: { namespace }, share } = account;
      this.#parts.report(
        `made room in ${
          share ? `scope "${share.pattern}" of ` : ""
        }namespace "${namespace}": let ` +
          `${step.letGo.length} entries and ${step.unlink.length} blobs go (${step.reason})`,
      );
      const left = this.#heldBy(account);
      if (left.bytes >= held.bytes && left.entries >= held.entries) {
        throw this.#stuck(account, more);
      }
    }
  }

  #stuck(account: Account, more: Holds): CacheError {
    account.stuckUntil = this.#parts.now() + STUCK_MS;
    account.pinned = this.#loose(account).pinned;
    return this.#refusal(account, more);
  }

  /** What goes to make so much room, the least valuable first. */
  #choose(account: Account, wanted: Holds) {
    const { quota: { namespace }, share } = account;
    const { loose } = this.#loose(account);
    const names = new Map<Digest, number>();
    for (const { entry, blobs } of loose) {
      if (!entry) continue;
      for (const { digest } of blobs) names.set(digest, (names.get(digest) ?? 0) + 1);
    }
    const letGo: RemoveKey[] = [];
    const unlink: { namespace: string; digest: Digest }[] = [];
    const left = { ...wanted };
    let reason = "";
    for (const going of lettingOrder(loose, this.#parts.now())) {
      if (left.bytes <= 0 && left.entries <= 0) break;
      const { entry, blobs, bytes } = going.item;
      // Only entries are too many: a blob without one is no help.
      if (!entry && left.bytes <= 0) continue;
      reason ||= `the first: ${going.reason}`;
      if (entry) {
        letGo.push({ ...entry.key, sequence: entry.sequence });
        left.entries--;
        if (share) left.bytes -= bytes;
      }
      // Of a scope's entries the blobs stay: other scopes may name them.
      if (share) continue;
      for (const blob of blobs) {
        const others = (names.get(blob.digest) ?? 1) - 1;
        names.set(blob.digest, others);
        if (others > 0 || !this.#isFree(namespace, blob, going.item)) continue;
        unlink.push({ namespace, digest: blob.digest });
        left.bytes -= blob.size;
      }
    }
    return { letGo, unlink, reason };
  }

  /** Whether a blob may go with what named it: nobody else seems to use it. */
  #isFree(namespace: string, blob: BlobRef, { created, used }: Loose): boolean {
    if (blob.size === 0 || this.#parts.isPinnedBlob(namespace, blob.digest)) return false;
    if (this.#needed.has(blobName(namespace, blob.digest))) return false;
    const last = this.#parts.usedAt(kindOf(blob), idOf(blob.digest)) ?? 0;
    return last <= Math.max(created, used) + OTHER_USE_MS;
  }

  #refusal(account: Account, more: Holds, never?: "never"): CacheError {
    const { quota: { namespace }, share, limit, pinned } = account;
    const { bytes, entries } = this.#heldBy(account);
    const where = `${share ? `scope "${share.pattern}" of ` : ""}namespace "${namespace}"`;
    const tooMany = excessOf(this.#heldBy(account), more, limit).entries > 0;
    const state = tooMany
      ? `${entries} of ${limit.entries} entries`
      : `${formatSize(bytes)} of ${formatSize(limit.bytes ?? 0)}`;
    return new CacheError(
      "quota_exceeded",
      `Cannot store ${formatSize(Math.max(0, more.bytes))}: ${where} holds ${state} and ${
        never ? "has no room for it even when all of that goes" : "nothing more of it can go"
      }${!never && pinned > 0 ? `, ${pinned} of its entries are pinned` : ""}`,
      {
        operation: "quota.admit",
        context: {
          namespace,
          bytes: more.bytes,
          used: tooMany ? entries : bytes,
          limit: (tooMany ? limit.entries : limit.bytes) ?? 0,
        },
      },
    );
  }
}

function isOver({ bytes, entries }: Holds): boolean {
  return bytes > 0 || entries > 0;
}

function sizeOf(blobs: readonly BlobRef[]): number {
  return blobs.reduce((sum, { size }) => sum + size, 0);
}

function kindOf(blob: BlobRef): "chunk" | "recipe" {
  return isOneChunk(blob) ? "chunk" : "recipe";
}

const blobName = (namespace: string, digest: Digest) => `${namespace} ${digest}`;

/** No part but the last holds a space. */
function entryName({ namespace, scope, protocol, key }: EntryKey): string {
  return `${namespace} ${scope} ${protocol} ${key}`;
}
