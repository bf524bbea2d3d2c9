/** The first message of each side, and what follows from both. */
import type { Clock } from "../../core/clock.ts";
import { CacheError } from "../../core/errors.ts";
import { NEWEST_VERSION, OLDEST_VERSION } from "./messages.ts";
import type { HelloMessage } from "./messages.ts";

/** What both sides agreed on. */
export interface Agreed {
  readonly version: number;
  /** Bits of what both know. */
  readonly capabilities: number;
  /** Milliseconds by which the other side's clock is ahead, wrong by the time of the way here. */
  readonly clockOffset: number;
}

/** What this program says first. */
export function ownHello(clock: Clock, capabilities = 0): HelloMessage {
  const now = Math.max(0, Math.floor(clock.now()));
  return { oldest: OLDEST_VERSION, newest: NEWEST_VERSION, capabilities, clock: now };
}

/**
 * The newest version that both speak.
 * @throws {CacheError} `unsupported` when there is none
 */
export function agree(mine: HelloMessage, theirs: HelloMessage, clock: Clock): Agreed {
  const version = Math.min(mine.newest, theirs.newest);
  if (version < Math.max(mine.oldest, theirs.oldest)) {
    throw new CacheError(
      "unsupported",
      `Cannot talk to the peer: it speaks versions ${theirs.oldest} to ${theirs.newest} of ` +
        `sessions, want ${mine.oldest} to ${mine.newest}`,
      { operation: "session.hello", hint: "bring both sides to versions that know each other" },
    );
  }
  return {
    version,
    // Bits, not a number: they are 32.
    capabilities: (mine.capabilities & theirs.capabilities) >>> 0,
    clockOffset: theirs.clock - Math.floor(clock.now()),
  };
}
