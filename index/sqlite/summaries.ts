/**
 * Summaries of the tables, one for each namespace and scope that was ever asked for. In memory are
 * digests alone: the ids stand in the tables, which are asked for those of a node that changed.
 *
 * What was written down of a summary is brought up by ids that came since, which have a later
 * sequence, and ids that went, which are noted in the same transaction in which they go.
 */
import type { DatabaseSync } from "node:sqlite";
import { readClearPart } from "../../codec/entry_record.ts";
import type { Bytes } from "../../core/digest.ts";
import { SummaryTrie } from "../../core/summary/trie.ts";
import { decodeNodes, encodeNodes } from "../../core/summary/snapshot.ts";
import { metaOf } from "./open_file.ts";
import { summarySum } from "./row_sum.ts";
import { SUMMARY_SCHEMA } from "./schema.ts";
import { NO_ITEM, prepareItems } from "./summary_items.ts";

/** Changes of a summary after which it is written down again when it is asked for. */
const SAVE_AFTER = 16_384;
/** Ids that went which are noted: above, what was written down is forgotten. */
const MAX_GONE = 65_536;
/** Ids that came since: above, to read all ids costs no more. */
const MAX_CAME = 65_536;

const HORIZON = "summary_horizon";

interface Loaded {
  readonly trie: SummaryTrie;
  /** Changes since it was written down; infinite if it never was. */
  unsaved: number;
}

/** Knows what the tables hash to; its writing calls belong into transactions. */
export class Summaries {
  readonly #db: DatabaseSync;
  readonly #itemsOf: ReturnType<typeof prepareItems>;
  readonly #loaded = new Map<number, Loaded>();
  /** Spaces of which something is written down. */
  readonly #saved = new Set<number>();
  /** How many ids that went are noted. */
  #gone = 0;
  #horizon = 0n;
  /** Whether what is known of the tables has still to be read back. */
  #stale = true;
  readonly #addGone;

  constructor(db: DatabaseSync) {
    this.#db = db;
    for (const statement of SUMMARY_SCHEMA) db.exec(statement);
    this.#itemsOf = prepareItems(db);
    this.#addGone = db.prepare(`INSERT INTO summary_gone (space_no, sum, item) VALUES (?, ?, ?)`);
  }

  /** Tombstones with an older hybrid logical clock are in no summary. */
  get horizon(): bigint {
    this.#readBack();
    return this.#horizon;
  }

  /** Notes that a version came in a space and another one went. Hashes nothing. */
  changed(space: number, { came, went }: { came?: Bytes; went?: Bytes | undefined }): void {
    const loaded = this.#loaded.get(space);
    for (const item of [came, went]) {
      if (!loaded || !item || item.length === 0) continue;
      loaded.trie.mark(item);
      loaded.unsaved++;
    }
    this.#readBack();
    if (!went || went.length === 0 || !this.#saved.has(space)) return;
    if (this.#gone >= MAX_GONE) return this.#forgetSaved();
    this.#addGone.run(space, summarySum(went, { space }), went);
    this.#gone++;
  }

  /** A transaction was taken back: what any summary saw of it is looked at again. Never throws. */
  rolledBack(): void {
    for (const { trie } of this.#loaded.values()) trie.markAll();
    this.#stale = true;
  }

  /** The summary of a space, brought up by whatever came and went while it was not loaded. */
  of(space: number): SummaryTrie {
    const known = this.#loaded.get(space);
    if (known) return known.trie;
    this.#readBack();
    const items = this.#itemsOf(space);
    const loaded = this.#load(space, items) ?? { trie: new SummaryTrie(items), unsaved: Infinity };
    if (loaded.unsaved === Infinity) loaded.trie.markAll();
    this.#loaded.set(space, loaded);
    return loaded.trie;
  }

  /** Whether enough has changed to write the summary of a space down. */
  isSaveDue(space: number): boolean {
    return (this.#loaded.get(space)?.unsaved ?? 0) > SAVE_AFTER;
  }

  /** Spaces whose summary is loaded and has changed since it was written down. */
  unsaved(): number[] {
    return [...this.#loaded].filter(([, { unsaved }]) => unsaved > 0).map(([space]) => space);
  }

  /** Writes the summary of a space down; `sequence` is the newest of the tables. */
  save(space: number, sequence: number): void {
    const loaded = this.#loaded.get(space);
    if (!loaded) return;
    this.#readBack();
    loaded.trie.root();
    const body = encodeNodes(loaded.trie.nodes);
    this.#db.prepare(`INSERT OR REPLACE INTO summaries VALUES (?, ?, ?, ?)`)
      .run(space, sequence, summarySum(body, { space, sequence }), body);
    const gone = this.#db.prepare(`DELETE FROM summary_gone WHERE space_no = ?`).run(space);
    this.#gone -= Number(gone.changes);
    this.#saved.add(space);
    loaded.unsaved = 0;
  }

  /** Takes tombstones out that are older than this, for good; an older horizon changes nothing. */
  raiseHorizon(horizon: bigint): void {
    if (horizon <= this.horizon) return;
    this.#horizon = horizon;
    const exclude = this.#db.prepare(`UPDATE entries SET item = ? WHERE id = ?`);
    const rows = this.#db.prepare(
      `SELECT id, space_no, item, record FROM entries WHERE state = 0 AND item <> x''`,
    ).all();
    for (const { id, space_no, item, record } of rows) {
      if (!this.isBelow(record as Bytes)) continue;
      exclude.run(NO_ITEM, id as Bytes);
      this.changed(Number(space_no), { went: item as Bytes });
    }
    this.#db.prepare(`INSERT OR REPLACE INTO meta VALUES (?, ?)`).run(HORIZON, String(horizon));
  }

  /** Whether the tombstone of this record is in no summary. */
  isBelow(record: Bytes): boolean {
    return this.horizon > 0n && readClearPart(record).stamp.hlc < this.horizon;
  }

  #load(space: number, items: ReturnType<ReturnType<typeof prepareItems>>): Loaded | undefined {
    const row = this.#db.prepare(`SELECT sequence, sum, body FROM summaries WHERE space_no = ?`)
      .get(space);
    if (!row) return undefined;
    const [sequence, body] = [Number(row.sequence), row.body as Bytes];
    const gone = this.#db.prepare(`SELECT sum, item FROM summary_gone WHERE space_no = ?`)
      .all(space);
    // The plus keeps SQLite from going through all of the space instead of what is new.
    const came = this.#db.prepare(
      `SELECT item FROM entries WHERE sequence > ? AND +space_no = ? LIMIT ?`,
    ).all(sequence, space, MAX_CAME);
    // What has rotted is worth as much as nothing: all is made again.
    const isWhole = row.sum === summarySum(body, { space, sequence }) &&
      gone.every(({ sum, item }) => sum === summarySum(item as Bytes, { space }));
    const nodes = isWhole && came.length < MAX_CAME ? decodeNodes(body) : undefined;
    if (!nodes) return undefined;
    const trie = new SummaryTrie(items, nodes);
    const changes = [...came, ...gone].map(({ item }) => item as Bytes);
    for (const item of changes) if (item.length > 0) trie.mark(item);
    return { trie, unsaved: changes.length };
  }

  #forgetSaved(): void {
    // Without a condition: SQLite empties a table at once.
    this.#db.exec(`DELETE FROM summaries; DELETE FROM summary_gone`);
    this.#saved.clear();
    this.#gone = 0;
    for (const loaded of this.#loaded.values()) loaded.unsaved = Infinity;
  }

  #readBack(): void {
    if (!this.#stale) return;
    this.#saved.clear();
    for (const { no } of this.#db.prepare(`SELECT space_no AS no FROM summaries`).all()) {
      this.#saved.add(Number(no));
    }
    this.#gone = Number(this.#db.prepare(`SELECT count(*) AS n FROM summary_gone`).get()?.n);
    this.#horizon = BigInt(String(metaOf(this.#db, HORIZON) ?? 0));
    for (const [space, loaded] of this.#loaded) {
      if (!this.#saved.has(space)) loaded.unsaved = Infinity;
    }
    this.#stale = false;
  }
}
