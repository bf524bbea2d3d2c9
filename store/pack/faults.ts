/** The named steps of the writer, so that tests can fail or kill it at each of them. */

/** Every step, in the order in which a store meets them. A hook is called right before the step. */
export const FAULT_POINTS = [
  "open.recover",
  "open.after_recover",
  "segment.before_file",
  "segment.after_file",
  "append.before_write",
  "append.after_write",
  "commit.before_write",
  "commit.after_write",
  "commit.before_sync",
  "commit.after_sync",
  "log.before_write",
  "log.after_write",
  "log.before_sync",
  "log.after_sync",
  "commit.before_tables",
  "commit.in_tables",
  "commit.after_tables",
  "roll.before_sync",
  "roll.before_tables",
  "roll.after_tables",
  "seal.before_footer",
  "seal.before_sync",
  "seal.before_put",
  "seal.before_tables",
  "seal.before_remove",
  "seal.after_remove",
  "squeeze.before_write",
  "squeeze.before_put",
  "squeeze.before_tables",
  "squeeze.after_tables",
  "move.before_write",
  "move.before_sync",
  "move.before_tables",
  "move.after_tables",
  "drop.before_tables",
  "drop.before_delete",
  "drop.after_delete",
  "evict.begin",
  "log_compact.before_write",
  "log_compact.before_sync",
  "log_compact.before_rename",
  "log_compact.before_tables",
  "log_compact.after_tables",
  "rebuild.begin",
  "rebuild.before_tables",
  "rebuild.after_tables",
  "close.before_clean",
  "close.after_clean",
] as const;

/** The name of a step. */
export type FaultPoint = typeof FAULT_POINTS[number];

/** Called right before a step. What it throws is taken for a failure of the step. */
export type FaultHook = (point: FaultPoint) => void;
