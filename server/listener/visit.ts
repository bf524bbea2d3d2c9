/** What a listener and a handler know together of one request. */
import type { RequestOrigin } from "../deps.ts";
import { peerId } from "./peer_table.ts";

/** A request under way, and what its handler says of it. */
export class Visit implements RequestOrigin {
  /** A mapped IPv4 address is dotted. */
  readonly remoteAddr: string;
  readonly id: number;
  /** Its connection has become a WebSocket, which has its own signs of life. */
  upgraded = false;
  stranger = false;
  watched = false;
  /** When the runtime was given the answer, in tenths of a second as the table counts them. */
  answered: number | undefined;
  abandoned = false;

  constructor(remoteAddr: string, port: number) {
    this.remoteAddr = remoteAddr;
    this.id = peerId(remoteAddr, port);
  }
  /** Its connection is ended at the next look. */
  abandon(): void {
    this.abandoned = true;
  }
}
