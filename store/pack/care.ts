/** Looking after what is stored, for a writer. */
import type { SignalOptions } from "../../core/bytes.ts";
import { packError } from "./errors.ts";
import { isLogDamaged, mendData } from "./mend.ts";
import type { Pack } from "./pack.ts";
import { scrubStep } from "./scrub.ts";
import type { ScrubStep } from "./scrub.ts";

/** What can be done about damage, and to find it early. */
export interface PackCare {
  /**
   * Moves what is good out of data segments in which a damaged place is known, which then go. Tells
   * whether the log has such places, too: only the index can write that anew.
   * @throws {CacheError} `quota_exceeded`, `unavailable`; what moved stays moved
   */
  mend(options?: SignalOptions): Promise<{ readonly logDamaged: boolean }>;
  /** Checks about 1 MiB behind the place of the last step; damage is quarantined. */
  scrub(options?: SignalOptions): Promise<ScrubStep>;
}

/** The care for one pack. */
export function packCare(pack: Pack): PackCare {
  return {
    async mend(options = {}) {
      try {
        await mendData(pack, options);
        return { logDamaged: isLogDamaged(pack) };
      } catch (error) {
        throw packError(error, "mend", "the store");
      }
    },
    async scrub(options) {
      try {
        return await scrubStep(pack, options);
      } catch (error) {
        throw packError(error, "scrub", "the store");
      }
    },
  };
}
