/** Table files that are too large to be checked before a start: they are checked beside the work. */

/** A check that may still have to be done. */
export interface LateCheck {
  /** Whether the file was opened unchecked after an unclean stop, and nobody has checked it since. */
  readonly due: boolean;
  /**
   * Takes the result of a check of the whole file. With a problem the next start makes the file
   * anew. As long as a check is due, the file is not closed as a clean one.
   */
  settle(problem: string | undefined): void;
}
