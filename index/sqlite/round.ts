/** Decisions of one round: what each batch changes, as the batches before it leave things. */
// size: one step with all that a batch may hold, over one overlay
import { encodeNote } from "../../codec/audit_record.ts";
import type { AuditNote } from "../../codec/audit_record.ts";
import { entryId } from "../../codec/entry_id.ts";
import { encodeEntry, encodeTombstone } from "../../codec/entry_record.ts";
import type { RecordContext, Version } from "../../codec/entry_record.ts";
import { encodeKeep } from "../../codec/keep_record.ts";
import type { Keep } from "../../codec/keep_record.ts";
import { encodeVisibility } from "../../codec/visibility_record.ts";
import { toHex } from "../../core/digest.ts";
import type { Digest } from "../../core/digest.ts";
import type {
  BlobRef,
  Entry,
  EntryDraft,
  EntryFacts,
  EntryId,
  EntryKey,
  RemoveKey,
} from "../../core/entry.ts";
import { MAX_ENTRY_BLOBS } from "../../core/limits.ts";
import type { PutOutcome, ScanItem } from "../../core/metadata_index.ts";
import type { LogRecord } from "../../core/record.ts";
import { checkSize } from "../blob_check.ts";
import type { IndexBatch, IndexCommit, KeepBatch, Present, Replacement } from "../contract.ts";
import { replacementOf } from "../replacement.ts";
import type { KeptChange, VersionChange, VisibleChange } from "./changes.ts";
import { factsOf, taken } from "./draft.ts";
import { blobRow, bodyOf, gather, visibleName } from "./round_blobs.ts";

/** What a decision asks of the tables and the clock. */
export interface RoundSources {
  readonly context: RecordContext;
  readonly present: Present;
  /** The stored version of an identity. */
  readonly version: (id: EntryId) => ScanItem | undefined;
  /** Sizes of the blobs that the tables let a namespace see. */
  readonly visibleSizes: (
    namespace: string,
    digests: readonly Digest[],
  ) => (number | undefined)[];
  /** Epoch, time and device of a change in a namespace, later than `last`. */
  readonly nextVersion: (namespace: string, last: bigint) => Version;
  /** The newest sequence of the tables. */
  readonly sequence: number;
  /** The newest time of any change. */
  readonly hlc: bigint;
  /** Milliseconds since 1970, for the audit. */
  readonly now: () => number;
  /** Whether notes for the audit go to the log. */
  readonly audited: boolean;
}

/** One change, in the order in which they go to the log and the tables. */
export type Change =
  | {
    readonly type: "version";
    change: VersionChange;
    replacement: Replacement | undefined;
    note: AuditNote;
    /** `undefined` for a deletion. */
    facts: EntryFacts | undefined;
  }
  | { readonly type: "visible"; change: VisibleChange }
  | { readonly type: "keep"; change: KeptChange };

/** A batch that was decided. */
export interface Decided {
  readonly records: readonly LogRecord[];
  readonly changes: readonly Change[];
  readonly outcome: IndexCommit;
}

/** What earlier batches of a round, or earlier steps of a batch, will have changed. */
interface Overlay {
  sequence: number;
  hlc: bigint;
  /** `undefined` for what is let go. */
  readonly versions: Map<string, ScanItem | undefined>;
  /** The size by namespace and digest; `undefined` for what is unlinked. */
  readonly visible: Map<string, number | undefined>;
}

/** Decides batches one after the other; a batch that fails leaves no trace. */
export class Round {
  readonly #sources: RoundSources;
  readonly #overlay: Overlay;

  constructor(sources: RoundSources) {
    this.#sources = sources;
    const { sequence, hlc } = sources;
    this.#overlay = { sequence, hlc, versions: new Map(), visible: new Map() };
  }

  /** The newest time of any change decided so far. */
  get hlc(): bigint {
    return this.#overlay.hlc;
  }

  /**
   * Decides one batch.
   * @throws {CacheError} `conflict`, `invalid_argument`, `too_large`
   */
  async decide(batch: IndexBatch & KeepBatch): Promise<Decided> {
    const step = new Step(this.#sources, this.#overlay);
    step.unlink(batch);
    step.remove(batch);
    step.link(batch);
    for (const draft of batch.entries ?? []) await step.put(draft);
    step.keep("let_go", batch.letGo, batch.by);
    step.keep("pinned", batch.pin, batch.by);
    step.keep("unpinned", batch.unpin, batch.by);
    const decided = step.finish();
    // Only now: what throws above must not be seen by the batches behind.
    this.#overlay.sequence = step.overlay.sequence;
    this.#overlay.hlc = step.overlay.hlc;
    for (const [id, item] of step.overlay.versions) this.#overlay.versions.set(id, item);
    for (const [name, size] of step.overlay.visible) this.#overlay.visible.set(name, size);
    return decided;
  }
}

class Step {
  readonly overlay: Overlay;
  readonly #sources: RoundSources;
  readonly #below: Overlay;
  readonly #changes: Change[] = [];
  readonly #records: LogRecord[] = [];
  readonly #puts: PutOutcome[] = [];
  #removed = 0;
  #kept = 0;

  constructor(sources: RoundSources, below: Overlay) {
    this.#sources = sources;
    this.#below = below;
    const { sequence, hlc } = below;
    this.overlay = { sequence, hlc, versions: new Map(), visible: new Map() };
  }

  unlink({ unlink = [] }: IndexBatch): void {
    const gone = new Map<string, BlobRef[]>();
    for (const { namespace, digest } of unlink) {
      const size = this.#visibleSize(namespace, digest);
      if (size === undefined) continue;
      this.overlay.visible.set(visibleName(namespace, digest), undefined);
      gather(gone, namespace, { digest, size });
    }
    this.#change(gone, { linked: false, fresh: false });
  }

  link({ link = [] }: IndexBatch): void {
    const seen = new Map<string, BlobRef[]>();
    let fresh = true;
    for (const { namespace, blob } of link) {
      checkSize(blob);
      const size = this.#visibleSize(namespace, blob.digest);
      if (size === blob.size) continue; // nothing new
      // Unlinked in this very round: its row goes before the new one comes.
      if (size !== undefined) fresh = false;
      this.overlay.visible.set(visibleName(namespace, blob.digest), blob.size);
      gather(seen, namespace, blob);
    }
    this.#change(seen, { linked: true, fresh });
  }

  remove({ remove = [], by = "" }: IndexBatch): void {
    for (const key of remove) {
      const id = this.#idOf(key);
      const before = id && this.#version(id);
      if (before?.type !== "entry") continue;
      if (key.sequence !== undefined && key.sequence !== before.entry.sequence) continue;
      const { context } = this.#sources;
      const identity: EntryKey = {
        namespace: key.namespace,
        scope: key.scope,
        protocol: key.protocol,
        key: key.key,
      };
      const version = this.#nextVersion(key.namespace);
      const { record, stamp } = encodeTombstone(identity, version, context);
      const sequence = ++this.overlay.sequence;
      const tombstone = { ...identity, stamp, sequence };
      this.overlay.versions.set(toHex(record.id), { type: "tombstone", tombstone });
      const note: AuditNote = {
        kind: "delete",
        at: this.#sources.now(),
        writer: by,
        before: bodyOf(before.entry),
      };
      this.#push(record, note);
      this.#changes.push({
        type: "version",
        change: { record, key: identity, stamp, sequence },
        replacement: undefined,
        note,
        facts: undefined,
      });
      this.#removed++;
    }
  }

  async put(draft: EntryDraft): Promise<void> {
    const facts = factsOf(draft);
    const id = this.#idOf(draft);
    const before = id && this.#version(id);
    const replaced = before?.type === "entry" ? before.entry : undefined;
    if (draft.mutability === "immutable" && replaced && await this.#isComplete(replaced)) {
      throw taken(draft);
    }
    const { record, stamp } = encodeEntry(
      facts,
      this.#nextVersion(draft.namespace),
      this.#sources.context,
      id,
    );
    const sequence = ++this.overlay.sequence;
    const entry: Entry = { ...facts, stamp, sequence, used: replaced?.used ?? 0 };
    this.overlay.versions.set(toHex(record.id), { type: "entry", entry });
    const note: AuditNote = {
      kind: replaced ? "replace" : "put",
      at: this.#sources.now(),
      writer: "",
      before: replaced && bodyOf(replaced),
    };
    this.#push(record, note);
    this.#changes.push({
      type: "version",
      change: { record, key: facts, stamp, sequence, fresh: before === undefined },
      replacement: replaced && replacementOf(replaced, facts),
      note,
      facts,
    });
    this.#puts.push({ entry, replaced });
  }

  keep(what: Keep, keys: readonly RemoveKey[] = [], by = ""): void {
    for (const key of keys) {
      const id = this.#idOf(key);
      const before = id && this.#version(id);
      if (!id || before?.type !== "entry") continue;
      if (key.sequence !== undefined && key.sequence !== before.entry.sequence) continue;
      const { namespace, scope, protocol } = key;
      const identity = { namespace, scope, protocol, key: key.key };
      const change = { what, key: identity, by, at: this.#sources.now() };
      const record = encodeKeep(change, id, this.#sources.context.seal);
      if (what === "let_go") this.overlay.versions.set(toHex(id), undefined);
      this.#records.push(record);
      this.#changes.push({ type: "keep", change: { record, change } });
      this.#kept++;
    }
  }

  finish(): Decided {
    const kept = this.#kept === 0 ? {} : { kept: this.#kept };
    const outcome = { puts: this.#puts, removed: this.#removed, ...kept };
    return { records: this.#records, changes: this.#changes, outcome };
  }

  /** The note directly before its change: whichever of the two a crash cuts off, none is alone. */
  #push(record: VersionChange["record"], note: AuditNote): void {
    const { audited, context } = this.#sources;
    if (audited) this.#records.push(encodeNote(note, record.id, context.seal));
    this.#records.push(record);
  }

  #nextVersion(namespace: string): Version {
    const version = this.#sources.nextVersion(namespace, this.overlay.hlc);
    this.overlay.hlc = version.hlc;
    return version;
  }

  /** A lone surrogate has no UTF-8, so its id would be another key's; a put of it is refused later. */
  #idOf(key: EntryKey): EntryId | undefined {
    return key.key.isWellFormed() ? entryId(this.#sources.context.keys, key) : undefined;
  }

  #version(id: EntryId): ScanItem | undefined {
    const name = toHex(id);
    for (const { versions } of [this.overlay, this.#below]) {
      if (versions.has(name)) return versions.get(name);
    }
    return this.#sources.version(id);
  }

  #visibleSize(namespace: string, digest: Digest): number | undefined {
    const name = visibleName(namespace, digest);
    for (const { visible } of [this.overlay, this.#below]) {
      if (visible.has(name)) return visible.get(name);
    }
    return this.#sources.visibleSizes(namespace, [digest])[0];
  }

  async #isComplete({ namespace, blobs }: Entry): Promise<boolean> {
    const unchanged: BlobRef[] = [];
    for (const blob of blobs) {
      const name = visibleName(namespace, blob.digest);
      const overlay = [this.overlay, this.#below].find(({ visible }) => visible.has(name));
      if (!overlay) unchanged.push(blob);
      else if (overlay.visible.get(name) === undefined) return false;
      // else linked in this round: its bytes are durable before the round is.
    }
    return unchanged.length === 0 || await this.#sources.present(namespace, unchanged);
  }

  #change(
    byNamespace: Map<string, BlobRef[]>,
    { linked, fresh }: { linked: boolean; fresh: boolean },
  ): void {
    for (const [namespace, blobs] of byNamespace) {
      for (let at = 0; at < blobs.length; at += MAX_ENTRY_BLOBS) {
        const part = blobs.slice(at, at + MAX_ENTRY_BLOBS);
        const change = { namespace, linked, blobs: part };
        this.#records.push(encodeVisibility(change, this.#sources.context));
        this.#changes.push({
          type: "visible",
          change: { ...change, fresh, blobs: part.map(blobRow) },
        });
      }
    }
  }
}
