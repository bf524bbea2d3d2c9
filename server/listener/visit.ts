/** What a listener and a handler know together of one request. */
import type { RequestOrigin } from "../deps.ts";
import { peerId } from "./peer_table.ts";

/** A request under way, and what its handler says of it. */
export class Visit implements RequestOrigin {
  /** A mapped IPv4 address is dotted. */
  readonly remoteAddr: string;
  /** Of its connection, as the table knows it. */
  readonly id: number;
  /** Its connection has become a WebSocket, which has its own signs of life. */
  upgraded = false;
  stranger = false;
  whole: number | undefined = undefined;
  readonly #abandoned: Set<number>;

  /** Notes in `abandoned` what is to be ended. */
  constructor(peer: { readonly host: string; readonly port: number }, abandoned: Set<number>) {
    this.remoteAddr = peer.host;
    this.id = peerId(peer.host, peer.port);
    this.#abandoned = abandoned;
  }
  abandon(): void {
    this.#abandoned.add(this.id);
  }
}
