/**
 * Room for whole answers. Deno 2.9's own HTTP/1.1 sends head and body of an answer in one system
 * call only where both fit into the connection's buffer: 512 bytes at first, and it grows with the
 * longest head so far. Two calls cost both sides a quarter of a small GET. So one answer of each
 * connection has a head that is long enough; it is the second, and who asks once never sees it.
 */

/** The header that makes a head long. It means nothing. */
export const ROOM_HEADER = "vitte-padding";

/** With it a head has more than 1,024 bytes, so the buffer doubles twice: to 2,048. */
const ROOM = "-".repeat(1024);

/** Connections that are remembered; two that share a place only get their long head again. */
const PLACES = 8192;

/** Remembers which connections have their room. One a listener. */
export class AnswerRoom {
  /** Ids of connections that have asked once; turned to negative ones when they have room. */
  readonly #ids = new Float64Array(PLACES);

  /** Lengthens the head of this answer if it is its connection's second. `id`: see `peerId`. */
  make(response: Response, id: number): void {
    const place = id % PLACES;
    const known = this.#ids[place];
    if (known === -id) return;
    this.#ids[place] = known === id ? -id : id;
    if (known === id) response.headers.set(ROOM_HEADER, ROOM);
  }
}
