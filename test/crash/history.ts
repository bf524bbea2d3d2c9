/** What a worker said, and what must or may be in its store after it. */
import type { saidIn } from "./record.ts";

/** A change that a worker began. */
export interface Change {
  readonly id: number;
  readonly kind: "put" | "remove" | "blob" | "token" | "revoke";
  readonly key: string;
  readonly size: number;
  /** When it was acknowledged, by the clock of the record; `undefined`: never. */
  acknowledged: number | undefined;
}

/** All that was said about one store, over several lives of its workers. */
export class History {
  readonly changes = new Map<number, Change>();
  /** Records that went because room was made, as far as it was told. */
  evicted = 0;
  /** Packs that were evicted. */
  evictions = 0;
  /** Lines of the store's log that tell of damage. */
  readonly alarms: string[] = [];
  lastId = 0;

  /** Takes in the lines that were said before a call of the record. */
  hear(lines: ReturnType<typeof saidIn>, before = Infinity): void {
    for (const { line, at, call } of lines) if (call < before) this.#hear(line, at);
  }

  /** Notes that a change is begun. */
  begin(change: Omit<Change, "id" | "acknowledged">): Change {
    const begun: Change = { ...change, id: ++this.lastId, acknowledged: undefined };
    this.changes.set(begun.id, begun);
    return begun;
  }

  /** A copy that can hear more by itself. */
  copy(): History {
    const copy = new History();
    for (const [id, change] of this.changes) copy.changes.set(id, { ...change });
    copy.evicted = this.evicted;
    copy.evictions = this.evictions;
    copy.alarms.push(...this.alarms);
    copy.lastId = this.lastId;
    return copy;
  }

  /** Changes of each key of a kind, in the order in which they were begun. */
  byKey(kinds: readonly Change["kind"][]): Map<string, Change[]> {
    const found = new Map<string, Change[]>();
    for (const change of this.changes.values()) {
      if (!kinds.includes(change.kind)) continue;
      const list = found.get(change.key);
      if (list) list.push(change);
      else found.set(change.key, [change]);
    }
    return found;
  }

  /** How many changes were acknowledged. */
  get acknowledged(): number {
    return [...this.changes.values()].filter((one) => one.acknowledged !== undefined).length;
  }

  /** How many were acknowledged later than this, by the record's clock. */
  acknowledgedAfter(until: number): number {
    return [...this.changes.values()].filter(({ acknowledged = -Infinity }) => acknowledged > until)
      .length;
  }

  #hear(line: string, at: number): void {
    const [word, id, kind, key, size] = line.split(" ");
    if (word === "try") {
      const change = {
        id: Number(id),
        kind: kind as Change["kind"],
        key: key!,
        size: Number(size),
      };
      this.changes.set(change.id, { ...change, acknowledged: undefined });
      this.lastId = Math.max(this.lastId, change.id);
    } else if (word === "ok") this.changes.get(Number(id))!.acknowledged = at;
    else if (word === "log") this.log(line.slice(4));
  }

  /** Takes in a line of the store's log. */
  log(line: string): void {
    const made = /^made room: evicted pack .*, (\d+) records gone/.exec(line);
    if (made) {
      this.evictions++;
      this.evicted += Number(made[1]);
    }
    // A table that a test took away is no damage.
    if (/^Cannot find the index .*: made anew/.test(line)) return;
    if (/ALARM|damaged|set aside|can not|Cannot/.test(line)) this.alarms.push(line);
  }
}

/**
 * What may stand after changes of one thing, oldest first: the newest acknowledged one, or one
 * begun later. `undefined` stands for what was there before all of them: nothing.
 */
export function allowed(changes: readonly Change[], until = Infinity): (Change | undefined)[] {
  const sure = (change: Change) =>
    change.acknowledged !== undefined && change.acknowledged <= until;
  const newest = changes.findLastIndex(sure);
  return newest < 0 ? [undefined, ...changes] : changes.slice(newest);
}
