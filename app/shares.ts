/** Who may take how much of the room of a store: quotas and pins, joined with packs and index. */
import type { ChunkSource } from "../core/chunk_store.ts";
import type { Clock } from "../core/clock.ts";
import type { Counters } from "../core/counters.ts";
import type { NamespaceQuota } from "../core/quota.ts";
import type { IndexWriter } from "../index/contract.ts";
import type { PackWriter } from "../store/pack/writer.ts";
import { countChanges } from "./local_writer.ts";
import type { LocalWriterOptions } from "./local_writer.ts";
import { openPinBoard } from "./pin_board.ts";
import type { PinBoard } from "./pin_board.ts";
import { Quotas } from "./quotas.ts";

/** Options of {@linkcode openShares}. */
export interface SharesOptions {
  readonly quotas: readonly NamespaceQuota[];
  readonly packs: PackWriter;
  readonly index: IndexWriter;
  readonly chunks: ChunkSource;
  /** Bytes of the store; `undefined` for no limit. */
  readonly maxSize: number | undefined;
  readonly counters: Counters;
  readonly clock: Clock;
  report(line: string): void;
}

/** Quotas and pins of one store, and what its writer asks them. */
export interface Shares extends Required<Pick<LocalWriterOptions, "admit" | "changed">> {
  readonly board: PinBoard;
  readonly quotas: Quotas;
}

/** Holds all that is pinned, before anything can make room. */
export async function openShares(options: SharesOptions): Promise<Shares> {
  const { packs, index, chunks, maxSize, counters, clock, report } = options;
  const board = await openPinBoard({ packs, index, chunks, maxSize, report });
  const quotas = new Quotas({
    quotas: options.quotas,
    index,
    usedAt: (kind, id) => packs.usedAt(kind, id),
    isPinned: (key) => board.isPinned(key),
    isPinnedBlob: (namespace, digest) => board.isPinnedBlob(namespace, digest),
    now: () => clock.now(),
    async letGo({ letGo, unlink }) {
      packs.flushTouches();
      await index.commit({ letGo, unlink });
      countChanges(counters, { remove: letGo, unlink });
      counters.add("let_go", letGo.length);
    },
    report,
  });
  return {
    board,
    quotas,
    admit(batch) {
      board.admit(batch);
      return quotas.isEmpty ? undefined : quotas.admit(batch);
    },
    changed: (step) => board.changed(step),
  };
}
