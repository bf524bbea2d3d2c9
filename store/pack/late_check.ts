/** The check of large tables, which is done beside the work and not before it. */
import type { LateCheck } from "../../core/late_check.ts";
import type { Pack } from "./pack.ts";

/** The check of this writer's tables; `checkTablesFile` does it, on a thread of its own. */
export function lateCheck(pack: Pack): LateCheck {
  return {
    get due() {
      return pack.unchecked;
    },
    settle(problem) {
      pack.unchecked = false;
      if (problem === undefined || !pack.tables.db.isOpen) return;
      // They are a cache: the next start reads all places again from segments and packs.
      pack.tables.transaction(() => pack.tables.setMeta("damaged", 1), { durable: true });
      pack.options.counters.add("quarantined");
      pack.report({ type: "tables_damaged", problem });
    },
  };
}
