/** Section 5.2 of the Noise specification: chaining key and hash of all that was said. */
import { concat } from "../../core/bytes.ts";
import type { Bytes } from "../../core/digest.ts";
import { sha256 } from "../../core/digest.ts";
import { utf8 } from "../../core/utf8.ts";
import { hmacSha256 } from "../../codec/hmac.ts";
import { CipherState } from "./cipher_state.ts";

const HASH_BYTES = 32;
const NOTHING = new Uint8Array(0);

/** What a handshake accumulates. Both sides hold the same, or nothing opens. */
export class SymmetricState {
  #chainingKey: Bytes;
  #hash: Bytes;
  #cipher: CipherState | undefined;

  /** Begins with the name of the protocol. */
  constructor(protocolName: string) {
    const name = utf8(protocolName);
    const padded = new Uint8Array(HASH_BYTES);
    if (name.length <= HASH_BYTES) padded.set(name);
    this.#hash = name.length <= HASH_BYTES ? padded : sha256(name);
    this.#chainingKey = this.#hash;
  }

  /** 32 bytes that are the same on both sides only if all that was said is. */
  get handshakeHash(): Bytes {
    return this.#hash;
  }
  /** Whether a key is there, so that what is sent is sealed. */
  get hasKey(): boolean {
    return this.#cipher !== undefined;
  }

  mixHash(data: Uint8Array): void {
    this.#hash = sha256(concat([this.#hash, data]));
  }
  mixKey(input: Bytes): void {
    const [chainingKey, key] = hkdf(this.#chainingKey, input);
    this.#chainingKey = chainingKey;
    this.#cipher = new CipherState(key);
  }
  /** For pre-shared keys: also into the hash, so that a wrong one shows at the first message. */
  mixKeyAndHash(input: Bytes): void {
    const [chainingKey, hashed, key] = hkdf(this.#chainingKey, input);
    this.#chainingKey = chainingKey;
    this.mixHash(hashed);
    this.#cipher = new CipherState(key);
  }

  /** Seals under the hash if there is a key, and adds what is sent to the hash. */
  async encryptAndHash(plain: Bytes): Promise<Bytes> {
    const sent = this.#cipher ? await this.#cipher.encrypt(this.#hash, plain) : plain;
    this.mixHash(sent);
    return sent;
  }
  /** The opposite. @throws {CacheError} `corrupt` */
  async decryptAndHash(sent: Bytes): Promise<Bytes> {
    const plain = this.#cipher ? await this.#cipher.decrypt(this.#hash, sent) : sent;
    this.mixHash(sent);
    return plain;
  }

  /** Keys of the two ways, 32 bytes each: what the initiator seals with, what the responder does. */
  split(): readonly [Bytes, Bytes] {
    const [first, second] = hkdf(this.#chainingKey, NOTHING);
    return [first, second];
  }
}

/** Section 4.3: HKDF with the chaining key as salt and no info; three outputs. */
function hkdf(chainingKey: Bytes, input: Bytes): readonly [Bytes, Bytes, Bytes] {
  const temporary = hmacSha256(chainingKey, input);
  const first = hmacSha256(temporary, Uint8Array.of(1));
  const second = hmacSha256(temporary, first, Uint8Array.of(2));
  return [first, second, hmacSha256(temporary, second, Uint8Array.of(3))];
}
