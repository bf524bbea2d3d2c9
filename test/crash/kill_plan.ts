/** Where workers are killed: every kind of call on every kind of file, again and again. */
import type { SeededRandom } from "../helpers/random.ts";
import { pointOf } from "./crash_runs.ts";
import type { Call, CallName, KillPoint } from "./record.ts";

/** Calls that change something, or tell somebody that it is changed. */
const WORTH: ReadonlySet<CallName> = new Set([
  "create",
  "write",
  "truncate",
  "allocate",
  "sync",
  "rename",
  "link",
  "unlink",
  "mkdir",
  "say",
]);

/** Turns through the points of one kind of life, each time at another of its calls. */
export class KillPlan {
  readonly #sure: boolean;
  readonly #points: readonly (readonly [string, { call: CallName; count: number }])[];

  /**
   * Learns the points from the calls of a life that was not killed. Their order is random, and hangs
   * on the seed alone: not on what happened first. With `sure`, for lives of which there are few, only
   * the first half of the calls of a point is met, which every such life makes.
   */
  constructor(calls: readonly Call[], random: SeededRandom, { sure = false } = {}) {
    this.#sure = sure;
    const points = new Map<string, { call: CallName; count: number }>();
    for (const call of calls) {
      if (!WORTH.has(call.name)) continue;
      const point = pointOf(call);
      const known = points.get(point);
      if (known) known.count++;
      else points.set(point, { call: call.name, count: 1 });
    }
    const named = [...points].sort(([a], [b]) => a < b ? -1 : 1);
    const drawn = named.map((point) => ({ point, at: random.next() }));
    this.#points = drawn.sort((a, b) => a.at - b.at).map(({ point }) => point);
  }

  /** The points, such as `sync active/*.seg`. */
  get points(): string[] {
    return this.#points.map(([point]) => point);
  }

  /** The point of a turn, and at random which of its calls. */
  at(turn: number, random: SeededRandom): KillPoint {
    const [point, { call, count }] = this.#points[turn % this.#points.length]!;
    const [, path = "", rest = ""] = /^\S+ ([^*]*?)(\/xx|-xx|\*|$)/.exec(point) ?? [];
    // `packs.sqlite` is also how `packs.sqlite-wal` begins, of which there are many more calls.
    const part = rest === "" ? `${path}$` : path;
    const draw = random.next();
    const torn = call === "write" && draw < 0.4;
    return {
      call,
      path: path === "." || path === "" ? "*" : part,
      nth: random.integer(1, (this.#sure ? Math.ceil(count / 2) : count) + 1),
      how: torn ? "torn" : draw < 0.7 ? "before" : "after",
    };
  }
}
