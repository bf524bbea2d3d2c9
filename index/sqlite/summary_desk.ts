/** Hands summaries out: brought up in small steps, written down between rounds. */
import { throwIfAborted } from "../../core/abort.ts";
import { liveView } from "../../core/summary/live_view.ts";
import { SummarySet } from "../../core/summary/summary_set.ts";
import type { SummaryView } from "../../core/summary/trie.ts";
import type { SummaryOptions } from "../contract.ts";
import type { Changes } from "./changes.ts";
import { translated } from "./errors.ts";
import type { Queries } from "./queries.ts";

/** What {@linkcode SummaryDesk} needs. */
export interface SummaryDeskOptions {
  readonly queries: Pick<Queries, "spaceNo">;
  readonly changes: Changes;
  /** Runs work between two rounds. */
  readonly alone: (work: () => Promise<void>) => Promise<void>;
}

/** What has no row yet. */
const NOTHING = new SummarySet();

/** The summaries of one writer. */
export class SummaryDesk {
  readonly #options: SummaryDeskOptions;

  constructor(options: SummaryDeskOptions) {
    this.#options = options;
  }

  /** See `EntryIndex.summary`. */
  async view(
    namespace: string,
    scope: string,
    { horizon, signal }: SummaryOptions,
  ): Promise<SummaryView> {
    const { changes, queries, alone } = this.#options;
    const { summaries } = changes;
    throwIfAborted(signal);
    if (horizon !== undefined && horizon > summaries.horizon) {
      await alone(async () => changes.transaction(() => summaries.raiseHorizon(horizon)));
    }
    const findSpace = () => translated("index.summary", () => queries.spaceNo(namespace, scope));
    const space = findSpace();
    if (space !== undefined) {
      const trie = translated("index.summary", () => summaries.of(space));
      for (const _ of trie.refreshing()) {
        await new Promise((resolve) => setImmediate(resolve));
        throwIfAborted(signal);
      }
      if (summaries.isSaveDue(space)) await alone(async () => this.#save(space));
    }
    return liveView(() => {
      const no = space ?? findSpace();
      return no === undefined ? NOTHING : translated("index.summary", () => summaries.of(no));
    });
  }

  /** Writes down all that changed; the last thing before the tables are closed. */
  save(): void {
    for (const space of this.#options.changes.summaries.unsaved()) this.#save(space);
  }

  #save(space: number): void {
    const { changes } = this.#options;
    changes.transaction(({ state }) => changes.summaries.save(space, state.sequence));
  }
}
