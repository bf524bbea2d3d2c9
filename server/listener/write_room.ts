/**
 * Makes the runtime send small answers in one piece. It writes head and body with one system call if
 * both fit into a buffer that each connection has, and with two if not. The buffer begins with 512
 * bytes and grows with the longest head, so one padded head makes room for all answers after it. The
 * second call costs more than everything this server does for a hit.
 */

/** Of an answer that has it: nothing is meant by it. */
const PADDING_HEADER = "vitte-padding";
/** Doubled by the runtime as the buffer grows; with it a head stays below the 4 KiB of proxies. */
const PADDING = "0".repeat(2048);
/** Bytes of the bodies that then fit, beside a head. */
const FITTING_BYTES = 1536;
/** Connections that are remembered, 8,192 at a time are open at most. */
const MAX_REMEMBERED = 16_384;

/** Which connections have had their padding; each thread remembers its own. */
export class WriteRoom {
  readonly #padded = new Map<number, boolean>();

  /**
   * Pads the second answer with a small body of a connection: who asks once gets nothing in vain.
   * `peer` is as in the table of peers; where a port is used again, its connection is left alone.
   */
  make(peer: number, response: Response, bytes: number): void {
    if (bytes === 0 || bytes > FITTING_BYTES) return;
    const padded = this.#padded.get(peer);
    if (padded) return;
    if (padded === undefined && this.#padded.size >= MAX_REMEMBERED) this.#padded.clear();
    this.#padded.set(peer, padded === false);
    if (padded === false) response.headers.append(PADDING_HEADER, PADDING);
  }
}
