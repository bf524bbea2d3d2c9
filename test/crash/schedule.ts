/** Which stores there are, and which lives each of them has: by their numbers alone. */
import type { Durability } from "../../store/pack/options.ts";

/** What a life begins with: an empty folder, a store, a store without some of its tables. */
export type LifeKind = "first" | "later" | "rebuild";

/** One life of a store. */
export interface ScheduledLife {
  readonly kind: LifeKind;
  /** Which turn of its kind's kill plan this is; `undefined` for a life that comes to its end. */
  readonly turn: number | undefined;
  /** Tables that are taken away before it. */
  readonly spoils: readonly ("packs.sqlite" | "index.sqlite")[];
  /** Whether every record and the audit are checked after it. */
  readonly thorough: boolean;
  /** Whether nothing is checked after it: the next life begins with what it left. */
  readonly goOn: boolean;
}

/** One store. */
export interface ScheduledStore {
  readonly number: number;
  /** Whether it is too small for what is written. */
  readonly evicts: boolean;
  readonly durability: Durability;
  readonly lives: readonly ScheduledLife[];
}

/** Lives of one store. */
const LIVES = 12;

/** All stores of one part of a run, without end. Every second evicts, every third is relaxed. */
export function* scheduled(part: number, parts: number): Generator<ScheduledStore> {
  const turns: Record<LifeKind, number> = { first: 0, later: 0, rebuild: 0 };
  for (let number = 0;; number++) {
    const evicts = number % 2 === 1;
    const lives = Array.from({ length: LIVES }, (_, life): ScheduledLife => {
      const rebuilds = life % 5 === 4;
      const kind = life === 0 ? "first" : rebuilds ? "rebuild" : "later";
      // A store that is to be full needs lives that come to their end.
      const ends = evicts && life > 0 && life < 3;
      return {
        kind,
        turn: ends ? undefined : turns[kind]++,
        spoils: rebuilds ? spoiledOf(number + life) : [],
        thorough: life % 3 === 0,
        goOn: life % 4 === 2 && life % 5 !== 3,
      };
    });
    const durability = number % 3 === 2 ? "relaxed" : "strict";
    if (number % parts === part) yield { number, evicts, durability, lives };
  }
}

function spoiledOf(at: number): ScheduledLife["spoils"] {
  return [["packs.sqlite", "index.sqlite"], ["packs.sqlite"], ["index.sqlite"]][
    at % 3
  ] as ScheduledLife["spoils"];
}
