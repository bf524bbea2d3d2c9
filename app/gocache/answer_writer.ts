/** Writes answers one after the other; those that wait go out together. */

/** The way back to the go command. */
export class AnswerWriter {
  readonly #write: (text: string) => Promise<void>;
  #waiting = "";
  #flushing: Promise<void> | undefined;
  #failure: unknown;

  /** `write` writes all of a text to standard output. */
  constructor(write: (text: string) => Promise<void>) {
    this.#write = write;
  }

  /** Sends a line as soon as it can be. A failure is told by {@linkcode drained}. */
  send(line: string): void {
    this.#waiting += line;
    this.#flushing ??= this.#flush();
  }

  /** Waits until all is written. Throws what writing threw: then the go command is gone. */
  async drained(): Promise<void> {
    await this.#flushing;
    if (this.#failure !== undefined) throw this.#failure;
  }

  async #flush(): Promise<void> {
    try {
      while (this.#waiting !== "") {
        const text = this.#waiting;
        this.#waiting = "";
        await this.#write(text);
      }
    } catch (thrown) {
      this.#failure = thrown;
    } finally {
      this.#flushing = undefined;
    }
  }
}
