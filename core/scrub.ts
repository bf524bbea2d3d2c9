/** The slow reading of everything that is stored, over and over, in the background. */

/** How far a scrub is; all of it is kept over a restart. */
export interface ScrubState {
  /** Where it goes on: the number of a segment, and bytes of it that are done. */
  readonly segment: number;
  readonly offset: number;
  /** Milliseconds since 1970: when this round began; when the last one ended, 0 for never. */
  readonly began: number;
  readonly ended: number;
  /** Rounds that came to their end. */
  readonly rounds: number;
  /** Of this round, or of the last if none is under way: bytes and data records read. */
  readonly read: number;
  readonly records: number;
  /** Damaged places that it found in this round. */
  readonly damaged: number;
}

/** What is told of a scrub. */
export interface ScrubStatus extends ScrubState {
  /** Bytes of all segments, the end that `read` goes to. */
  readonly of: number;
  /** Whether a round is under way. */
  readonly running: boolean;
}
