/** The end of a writer. */
import { packError } from "./errors.ts";
import type { Pack } from "./pack.ts";

/**
 * Makes everything durable, notes that the stop was clean, and closes files and tables whatever
 * becomes of that. Nothing else may be under way.
 * @throws {CacheError} `unavailable`, `quota_exceeded`: the next start looks at the segments
 */
export function closePack(pack: Pack): void {
  const { data, log } = pack.active;
  try {
    // A second sync would not say what the first one lost: the next start reads what is there.
    if (data.doubtful || log.doubtful) return;
    data.sync();
    log.sync();
    // After a clean stop nobody looks for files that the tables do not know.
    pack.files.sync();
    pack.fault("close.before_clean");
    pack.tables.transaction(() => {
      for (const { number, synced } of [data, log]) {
        pack.tables.setSegment(number, { state: "active", size: synced, applied: synced });
      }
      pack.tables.setMeta("clean", pack.unchecked ? 0 : 1);
    }, { durable: true });
    pack.fault("close.after_clean");
  } catch (error) {
    throw packError(error, "close", "the store");
  } finally {
    data.close();
    log.close();
    pack.tables.close();
  }
}
