/**
 * Section 5.1 of the Noise specification: a key and a counter. AES-256-GCM by WebCrypto, which runs
 * beside this thread. What a call needs is taken when it is made, so any number may be under way, and
 * their results belong together in the order of the calls.
 */
import type { Bytes } from "../../core/digest.ts";
import { CacheError } from "../../core/errors.ts";

/** Bytes of the tag behind every ciphertext. */
export const TAG_BYTES = 16;

/** Numbers up to here are exact; the specification's own end is at 2^64 - 1, a million years on. */
const MAX_NONCE = Number.MAX_SAFE_INTEGER;
const ZEROS = new Uint8Array(32);
const NO_DATA = new Uint8Array(0);
const ALGORITHM = "AES-GCM";

/** Seals and opens, each message with the next number. */
export class CipherState {
  /** As bytes until it is needed: of most states of a handshake it never is. */
  #key: Bytes | Promise<CryptoKey>;
  #nonce: number;

  /** `key` has 32 bytes; `nonce` is the number of the next message, 0 but in tests. */
  constructor(key: Bytes, nonce = 0) {
    this.#key = key;
    this.#nonce = nonce;
  }

  /** Messages that were sealed or opened. */
  get nonce(): number {
    return this.#nonce;
  }

  /**
   * The ciphertext with its tag behind it. `plain` must not change before it is there.
   * @throws {CacheError} `internal` when no number is left
   */
  async encrypt(data: Bytes, plain: Bytes): Promise<Bytes> {
    const iv = this.#nextIv();
    const key = await this.#cryptoKey();
    const parameters = { name: ALGORITHM, iv, additionalData: data };
    return new Uint8Array(await crypto.subtle.encrypt(parameters, key, plain));
  }

  /**
   * The plain bytes.
   * @throws {CacheError} `corrupt` when they are not what the holder of the key sealed as this
   * message with this data; the state must not be used any more
   */
  async decrypt(data: Bytes, sealed: Bytes): Promise<Bytes> {
    const iv = this.#nextIv();
    if (sealed.length < TAG_BYTES) throw notGenuine(sealed.length);
    const key = await this.#cryptoKey();
    const parameters = { name: ALGORITHM, iv, additionalData: data };
    try {
      return new Uint8Array(await crypto.subtle.decrypt(parameters, key, sealed));
    } catch (thrown) {
      if ((thrown as { name?: unknown }).name !== "OperationError") throw thrown;
      throw notGenuine(sealed.length, thrown);
    }
  }

  /**
   * Section 4.2: a new key of the old one, for all calls from now on; the counter goes on. Resolves
   * when it is there; nobody has to wait for that, and whoever uses it has its failure.
   */
  rekey(): Promise<unknown> {
    const key = watched(this.#cryptoKey().then(nextKey));
    this.#key = key;
    return key;
  }

  #cryptoKey(): Promise<CryptoKey> {
    if (this.#key instanceof Uint8Array) this.#key = watched(importKey(this.#key));
    return this.#key;
  }

  #nextIv(): Bytes {
    if (this.#nonce >= MAX_NONCE) {
      throw new CacheError("internal", "Cannot seal or open: the key's last number was used", {
        operation: "noise.nonce",
      });
    }
    return ivOf(BigInt(this.#nonce++));
  }
}

function importKey(key: Bytes): Promise<CryptoKey> {
  return crypto.subtle.importKey("raw", key, ALGORITHM, false, ["encrypt", "decrypt"]);
}

async function nextKey(key: CryptoKey): Promise<CryptoKey> {
  const iv = ivOf(2n ** 64n - 1n);
  const parameters = { name: ALGORITHM, iv, additionalData: NO_DATA };
  const sealed = await crypto.subtle.encrypt(parameters, key, ZEROS);
  return await importKey(new Uint8Array(sealed, 0, ZEROS.length));
}

/** Section 12.4: four zero bytes and the number, big-endian. */
function ivOf(nonce: bigint): Bytes {
  const iv = new Uint8Array(12);
  new DataView(iv.buffer).setBigUint64(4, nonce);
  return iv;
}

/** A key that fails while nobody waits must not end the process: the next call gets the failure. */
function watched(key: Promise<CryptoKey>): Promise<CryptoKey> {
  key.catch(() => {});
  return key;
}

function notGenuine(bytes: number, cause?: unknown): CacheError {
  return new CacheError(
    "corrupt",
    `Cannot open a message of ${bytes} bytes: it is not what the other side sealed`,
    { operation: "noise.open", cause },
  );
}
