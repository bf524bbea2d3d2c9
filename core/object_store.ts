/** Interface 1: named bytes on a medium. */
import type { ByteRange, ByteSource, ObjectBody, SignalOptions } from "./bytes.ts";
import { CacheError } from "./errors.ts";

/** What a medium can do. Every method exists whatever it says; an unsupported option is refused. */
export interface Capability {
  /** `list` answers in the order of keys (by UTF-16 code unit). */
  readonly ordered: boolean;
  /** `get` takes a range. */
  readonly range: boolean;
  /** A `put` is seen whole or not at all, also by readers that run meanwhile. */
  readonly atomicPut: boolean;
  /** Bytes of the largest object; `undefined` if there is no limit. */
  readonly maxSize: number | undefined;
  /** The plain file of this machine that holds an object, for reading only; `undefined` if none. */
  pathOf(key: string): string | undefined;
}

/** What is known of an object without reading it. */
export interface ObjectInfo {
  readonly key: string;
  readonly size: number;
  /** Milliseconds since 1970 by the medium's clock, if it has one. */
  readonly modified: number | undefined;
}

/** Options of {@linkcode ObjectStore.get}. */
export interface GetOptions extends SignalOptions {
  /** Only these bytes; an end past the object's is cut, a start past it is an error. */
  readonly range?: ByteRange | undefined;
}

/** Options of {@linkcode ObjectStore.list}. */
export interface ListOptions extends SignalOptions {
  /** Only keys that begin with this. Default: all. */
  readonly prefix?: string | undefined;
  /** Only keys greater than this. Default: from the first. */
  readonly after?: string | undefined;
}

/**
 * Named bytes on a medium; knows nothing of hashes. Keys are opaque and of fixed depth,
 * `<area>/<2 hex>/<name>`, see {@linkcode assertObjectKey}.
 *
 * Contract: a `put` that resolved is durable and read by every later `get`, `stat` and `list` of
 * this process; a failed or aborted `put` leaves the old object or none, and nothing else; no
 * reader ever sees a part of an object.
 */
export interface ObjectStore extends AsyncDisposable {
  /** For logs and errors; never holds a secret. */
  readonly name: string;
  readonly capability: Capability;
  /**
   * The object, or `undefined` if there is none. The caller owns the body. Aborting before the
   * body is there rejects; afterwards it breaks the stream.
   * @throws {CacheError} `range_not_satisfiable` for a start at or past the end (but an empty range
   * at 0 of an empty object), `unavailable`
   */
  get(key: string, options?: GetOptions): Promise<ObjectBody | undefined>;
  /**
   * Stores all of the source, replacing what was there. Reads or cancels the stream it opens.
   * @throws {CacheError} `invalid_argument` when the source holds more or fewer bytes than it said,
   * `quota_exceeded` on a full medium, what the source threw
   */
  put(key: string, source: ByteSource, options?: SignalOptions): Promise<ObjectInfo>;
  /** One answer a key, in the order asked; `undefined` for a missing one. */
  stat(keys: readonly string[], options?: SignalOptions): Promise<(ObjectInfo | undefined)[]>;
  /** Removes objects; a missing one is fine. */
  delete(keys: readonly string[], options?: SignalOptions): Promise<void>;
  /** All objects, without those being written; a snapshot is not promised. */
  list(options?: ListOptions): AsyncIterable<ObjectInfo>;
}

const KEY = /^[a-z0-9_-]{1,32}\/[0-9a-f]{2}\/[a-z0-9][a-z0-9._-]{0,127}$/;

/**
 * Checks that a key has the form `<area>/<2 hex>/<name>`: it then is a safe relative path on
 * every file system and a safe key on every service.
 * @throws {CacheError} `invalid_argument`
 */
export function assertObjectKey(key: string): void {
  if (!KEY.test(key)) {
    throw new CacheError(
      "invalid_argument",
      `Cannot use object key "${key.slice(0, 80)}": want <area>/<2 hex>/<name>`,
      { operation: "object_store.key" },
    );
  }
}
