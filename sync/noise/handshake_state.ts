/** Section 5.3 of the Noise specification: two sides take turns with the messages of a pattern. */
import { concat } from "../../core/bytes.ts";
import type { Bytes } from "../../core/digest.ts";
import { CacheError, isKind } from "../../core/errors.ts";
import { MAX_FRAME_BYTES } from "../../core/sync_limits.ts";
import type { AgreementKey } from "../../core/x25519.ts";
import { newAgreementKey, X25519_BYTES } from "../../core/x25519.ts";
import { TAG_BYTES } from "./cipher_state.ts";
import type { NoisePattern, NoiseToken } from "./patterns.ts";
import { protocolName } from "./patterns.ts";
import { SymmetricState } from "./symmetric_state.ts";

/** What one side brings. Which keys it must have, its pattern says. */
export interface HandshakeOptions {
  readonly pattern: NoisePattern;
  readonly role: "initiator" | "responder";
  /** What both sides must have seen alike before they began. */
  readonly prologue: Bytes;
  /** 32 bytes, of patterns with `psk`. */
  readonly psk?: Bytes;
  /** This side's static key. */
  readonly own?: AgreementKey;
  /** The other side's static public key, where the pattern knows it beforehand; 32 bytes. */
  readonly peer?: Bytes;
  /** Makes the key of this handshake alone; tests bring a fixed one. */
  readonly ephemeral?: () => AgreementKey;
}

/** What a handshake came to. */
export interface HandshakeResult {
  /** 32 bytes that name this session; the same on both sides, no secret. */
  readonly handshakeHash: Bytes;
  /** Keys of 32 bytes: for what this side sends and for what it receives. */
  readonly sendKey: Bytes;
  readonly receiveKey: Bytes;
}

/** One side of one handshake. After any failure it is of no use. */
export class HandshakeState {
  readonly #options: HandshakeOptions;
  readonly #symmetric: SymmetricState;
  readonly #initiator: boolean;
  readonly #usesPsk: boolean;
  #ephemeral: AgreementKey | undefined;
  #peerEphemeral: Bytes | undefined;
  #peerStatic: Bytes | undefined;
  #turn = 0;
  /** Set while a message is made or read, and for good when that failed. */
  #busy = false;

  /** Throws `RangeError` when a key is missing that the pattern needs, or one too many is there. */
  constructor(options: HandshakeOptions) {
    const { pattern, role, prologue } = options;
    this.#options = options;
    this.#initiator = role === "initiator";
    this.#usesPsk = pattern.messages.some((tokens) => tokens.includes("psk"));
    this.#peerStatic = options.peer;
    this.#checkKeys();
    this.#symmetric = new SymmetricState(protocolName(pattern));
    this.#symmetric.mixHash(prologue);
    const ownFirst = this.#initiator ? options.own?.publicKey : options.peer;
    const peerFirst = this.#initiator ? options.peer : options.own?.publicKey;
    if (pattern.initiatorKnown) this.#symmetric.mixHash(ownFirst!);
    if (pattern.responderKnown) this.#symmetric.mixHash(peerFirst!);
  }

  /** Whether all messages of the pattern were written or read. */
  get finished(): boolean {
    return this.#turn === this.#options.pattern.messages.length;
  }
  /** The other side's static key, known beforehand or read in a message; who it is, if it is good. */
  get peerStatic(): Bytes | undefined {
    return this.#peerStatic;
  }

  /**
   * The next message, with `payload` in it.
   * @throws {CacheError} `too_large` above 65,535 bytes; `unauthenticated` for a peer's bad key
   */
  async writeMessage(payload: Bytes): Promise<Bytes> {
    const tokens = this.#begin(true);
    const parts: Bytes[] = [];
    for (const token of tokens) {
      const sent = await this.#writeToken(token);
      if (sent) parts.push(sent);
    }
    const room = MAX_FRAME_BYTES - parts.reduce((sum, part) => sum + part.length, 0);
    if (payload.length + (this.#symmetric.hasKey ? TAG_BYTES : 0) > room) {
      throw new CacheError("too_large", `Cannot send a handshake of ${payload.length} bytes`, {
        operation: "noise.handshake",
      });
    }
    parts.push(await this.#symmetric.encryptAndHash(payload));
    this.#end();
    return concat(parts);
  }

  /**
   * The payload of the other side's message.
   * @throws {CacheError} `unauthenticated` when it is not from who it should be, for what both sides
   * should have seen; `invalid_argument` when it is too short or too long to be one
   */
  async readMessage(message: Bytes): Promise<Bytes> {
    const tokens = this.#begin(false);
    if (message.length > MAX_FRAME_BYTES) throw malformed(message.length);
    try {
      let rest = message;
      for (const token of tokens) rest = await this.#readToken(token, rest);
      const payload = await this.#symmetric.decryptAndHash(rest);
      this.#end();
      return payload;
    } catch (thrown) {
      if (isKind(thrown, "corrupt")) throw stranger(thrown);
      throw thrown;
    }
  }

  /** The keys of the session. Throws `TypeError` before the last message. */
  result(): HandshakeResult {
    if (!this.finished || this.#busy) {
      throw new TypeError("Cannot take the keys: the handshake has not ended");
    }
    const [first, second] = this.#symmetric.split();
    const [sendKey, receiveKey] = this.#initiator ? [first, second] : [second, first];
    return { handshakeHash: this.#symmetric.handshakeHash, sendKey, receiveKey };
  }

  #checkKeys(): void {
    const { pattern, own, peer, psk } = this.#options;
    const [ownKnown, peerKnown] = this.#initiator
      ? [pattern.initiatorKnown, pattern.responderKnown]
      : [pattern.responderKnown, pattern.initiatorKnown];
    const sends = pattern.messages.some((tokens, turn) =>
      this.#writesAt(turn) && tokens.includes("s")
    );
    check("own static key", own?.publicKey, ownKnown || sends);
    check("the other side's static key", peer, peerKnown);
    check("pre-shared key", psk, this.#usesPsk);
  }

  /** Takes the turn; a second call before the first has ended, or one out of turn, is a mistake. */
  #begin(write: boolean): readonly NoiseToken[] {
    const tokens = this.#options.pattern.messages[this.#turn];
    if (!tokens || this.#busy || this.#writesAt(this.#turn) !== write) {
      throw new TypeError(
        `Cannot ${write ? "write" : "read"} a handshake message: not this side's turn`,
      );
    }
    this.#busy = true;
    return tokens;
  }
  #end(): void {
    this.#turn++;
    this.#busy = false;
  }
  #writesAt(turn: number): boolean {
    return (turn % 2 === 0) === this.#initiator;
  }

  async #writeToken(token: NoiseToken): Promise<Bytes | undefined> {
    if (token === "e") {
      this.#ephemeral = (this.#options.ephemeral ?? newAgreementKey)();
      this.#mixEphemeral(this.#ephemeral.publicKey);
      return this.#ephemeral.publicKey;
    }
    if (token === "s") return await this.#symmetric.encryptAndHash(this.#options.own!.publicKey);
    this.#mixSecret(token);
    return undefined;
  }

  async #readToken(token: NoiseToken, rest: Bytes): Promise<Bytes> {
    if (token !== "e" && token !== "s") {
      this.#mixSecret(token);
      return rest;
    }
    const sealed = token === "s" && this.#symmetric.hasKey;
    const length = X25519_BYTES + (sealed ? TAG_BYTES : 0);
    if (rest.length < length) throw malformed(rest.length);
    const sent = rest.slice(0, length);
    if (token === "e") {
      this.#peerEphemeral = sent;
      this.#mixEphemeral(sent);
    } else this.#peerStatic = await this.#symmetric.decryptAndHash(sent);
    return rest.subarray(length);
  }

  /** Section 9.2: with pre-shared keys the ephemeral key is mixed in, or numbers would come twice. */
  #mixEphemeral(publicKey: Bytes): void {
    this.#symmetric.mixHash(publicKey);
    if (this.#usesPsk) this.#symmetric.mixKey(publicKey);
  }

  #mixSecret(token: Exclude<NoiseToken, "e" | "s">): void {
    if (token === "psk") return this.#symmetric.mixKeyAndHash(this.#options.psk!);
    // The first letter is the initiator's key, the second the responder's.
    const [ownLetter, peerLetter] = this.#initiator ? token : [token[1], token[0]];
    const own = ownLetter === "e" ? this.#ephemeral : this.#options.own;
    const peer = peerLetter === "e" ? this.#peerEphemeral : this.#peerStatic;
    if (!own || !peer) {
      throw new TypeError(`Cannot agree on "${token}": the pattern has no key yet`);
    }
    const shared = own.agree(peer);
    if (!shared) throw stranger();
    this.#symmetric.mixKey(shared);
  }
}

function check(what: string, key: Uint8Array | undefined, needed: boolean): void {
  if (needed && key?.length !== 32) throw new RangeError(`Cannot begin: want ${what} of 32 bytes`);
  if (!needed && key) throw new RangeError(`Cannot begin: the pattern has no place for ${what}`);
}

function malformed(bytes: number): CacheError {
  return new CacheError("invalid_argument", `Cannot read a handshake of ${bytes} bytes`, {
    operation: "noise.handshake",
  });
}

function stranger(cause?: unknown): CacheError {
  return new CacheError(
    "unauthenticated",
    "Cannot agree on keys: the other side has another token, server key or view of the request",
    { operation: "noise.handshake", cause },
  );
}
