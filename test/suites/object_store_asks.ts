/** What the cases of the object store suite ask again and again. */
import assert from "node:assert/strict";
import { collect, equalBytes } from "../../core/bytes.ts";
import type { ByteRange, ByteSource, ObjectBody } from "../../core/bytes.ts";
import type { Bytes } from "../../core/digest.ts";
import { CacheError } from "../../core/errors.ts";
import type { ErrorKind } from "../../core/errors.ts";
import type { ListOptions, ObjectStore } from "../../core/object_store.ts";

/** Above every inline limit and not a multiple of any slice. */
export const LARGE = 600_001;

/** A prime, so that no slice of bytes looks like the one before it. */
const TILE = 65_521;

/** Bytes that differ with their seed and from place to place. */
export function pattern(size: number, seed = 1): Bytes {
  const tile = new Uint8Array(Math.min(size, TILE));
  let state = (seed + 1) * 7_919 % 2_147_483_648;
  for (let i = 0; i < tile.length; i++) {
    state = (state * 1_103_515 + 12_345) % 2_147_483_648;
    tile[i] = Math.floor(state / 65_536) % 256;
  }
  const bytes = new Uint8Array(size);
  for (let offset = 0; offset < size; offset += TILE) {
    bytes.set(tile.subarray(0, size - offset), offset);
  }
  return bytes;
}

/** Text as bytes. */
export function text(value: string): Bytes {
  return new TextEncoder().encode(value);
}

/** Reads a body whole, checks that it is as long as it says, and gives it back. */
export async function readBody(body: ObjectBody): Promise<Bytes> {
  const bytes = body.bytes ?? await collect(body.stream(), body.size + 1);
  assert.equal(bytes.length, body.size, "length of the body");
  return bytes;
}

/** The bytes of an object, or of a range of it; `undefined` for a miss. */
export async function read(
  store: ObjectStore,
  key: string,
  range?: ByteRange,
): Promise<Bytes | undefined> {
  const body = await store.get(key, { range });
  return body && await readBody(body);
}

/** Fails unless the object holds these bytes; large arrays are not printed. */
export async function assertHolds(store: ObjectStore, key: string, want: Bytes): Promise<void> {
  assertSame(await read(store, key), want, `object ${key}`);
}

/** Fails unless both are the same bytes. */
export function assertSame(got: Bytes | undefined, want: Bytes, what: string): void {
  assert.equal(got?.length, want.length, `length of ${what}`);
  assert.ok(got && equalBytes(got, want), `bytes of ${what}`);
}

/** Fails unless nothing can be found under the key, in any way. */
export async function assertMissing(store: ObjectStore, key: string): Promise<void> {
  assert.equal(await store.get(key), undefined);
  assert.deepEqual(await store.stat([key]), [undefined]);
  assert.ok(!(await keys(store)).includes(key), `${key} is listed`);
}

/** All keys of a list. */
export async function keys(store: ObjectStore, options?: ListOptions): Promise<string[]> {
  const found: string[] = [];
  for await (const info of store.list(options)) found.push(info.key);
  return found;
}

/** Fails unless the call rejects with a CacheError of this kind. */
export async function rejectsKind(call: Promise<unknown>, kind: ErrorKind): Promise<void> {
  await assert.rejects(call, (error) => {
    assert.ok(error instanceof CacheError, `want a CacheError, not ${error}`);
    assert.equal(error.kind, kind);
    return true;
  });
}

/** Fails unless the call rejects with exactly this value. */
export async function rejectsWith(call: Promise<unknown>, reason: unknown): Promise<void> {
  await assert.rejects(call, (error) => {
    assert.equal(error, reason);
    return true;
  });
}

/** A source that behaves badly after some bytes, and tells whether its stream was cancelled. */
export interface BadSource extends ByteSource {
  readonly opened: boolean;
  readonly cancelled: boolean;
  /** Resolves when all good bytes were taken and the next read has begun. */
  readonly atEnd: Promise<void>;
}

/** Gives `bytes`, then throws, hangs for ever, or goes on for ever. */
export function badSource(
  bytes: Bytes,
  then: { throws: unknown } | "hangs" | "never ends",
  size?: number,
): BadSource {
  const { promise: atEnd, resolve } = Promise.withResolvers<void>();
  const source = {
    size,
    replayable: false,
    opened: false,
    cancelled: false,
    atEnd,
    open() {
      source.opened = true;
      let given = bytes.length === 0;
      return new ReadableStream<Bytes>({
        pull(controller) {
          if (!given) {
            given = true;
            return controller.enqueue(bytes.slice());
          }
          resolve();
          if (then === "hangs") return new Promise<void>(() => {});
          if (then === "never ends") return controller.enqueue(new Uint8Array(1000));
          throw then.throws;
        },
        cancel() {
          source.cancelled = true;
        },
      }, { highWaterMark: 0 });
    },
  };
  return source;
}
