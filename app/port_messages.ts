/** What a serving thread and the writer's thread say to each other. */
import type { PlainError } from "../core/errors.ts";
import type { CommitBatch, CommitResult } from "../core/chunk_store.ts";
import type { DataKind, DataRecord } from "../core/record.ts";
import type { DamagedPlace } from "../store/pack/damage.ts";
import type { Bytes } from "../core/digest.ts";
import type { EntryId } from "../core/entry.ts";
import type { CommitAnswer, PackedCommits } from "./packed_commits.ts";

/** From a serving thread. `call` numbers what wants an answer. */
export type PortRequest =
  | { readonly type: "append"; readonly call: number; upload: string; records: DataRecord[] }
  | { readonly type: "commit"; readonly call: number; batch: CommitBatch }
  | { readonly type: "commits"; readonly packed: PackedCommits }
  | { readonly type: "abort"; readonly call: number; upload: string }
  | { readonly type: "touch"; kind: DataKind; ids: Bytes[] }
  | { readonly type: "touch_entries"; ids: EntryId[]; at: number }
  | { readonly type: "commit_rows" }
  | { readonly type: "damage"; place: DamagedPlace }
  | { readonly type: "call"; readonly call: number; operation: string; argument: unknown };

/** To a serving thread. */
export type PortAnswer =
  | { readonly type: "done"; readonly call: number; result: unknown }
  | { readonly type: "failed"; readonly call: number; error: PlainError }
  | { readonly type: "committed"; readonly answers: readonly CommitAnswer[] }
  | { readonly type: "retire"; segments: number[] };

/** The result of each kind of request. */
export interface PortResults {
  append: void;
  commit: CommitResult;
  abort: void;
}
