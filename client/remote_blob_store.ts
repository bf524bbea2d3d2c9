/** The blobs of one namespace of a server far away. */
import { checkBatch } from "../core/blob_batches.ts";
import type { BatchBlobStore, SmallBlob } from "../core/blob_batches.ts";
import type { BlobGetOptions } from "../core/blob_store.ts";
import type { ByteRange, ByteSource, ObjectBody, SignalOptions } from "../core/bytes.ts";
import { bytesBody, bytesSource, collect } from "../core/bytes.ts";
import type { Bytes, Digest } from "../core/digest.ts";
import { DIGEST_BYTES, hasBit, packDigests } from "../core/digest_list.ts";
import type { BlobRef } from "../core/entry.ts";
import { CacheError, isKind } from "../core/errors.ts";
import { CLIENT_BATCH_DIGESTS, MAX_BATCH_BYTES } from "../core/limits.ts";
import { BLOBS_MEDIA_TYPE, DIGESTS_MEDIA_TYPE, encodeBlobs } from "../protocol/blob_batch.ts";
import { BatchAnswerSchema, BlobPutAnswerSchema } from "../protocol/json.ts";
import { blobPath, nativePath } from "../protocol/url_space.ts";
import { answerOf } from "./answer.ts";
import type { HashedSource } from "./hashed_source.ts";
import type { HttpClient } from "./http.ts";
import { inParallel } from "./in_parallel.ts";
import type { HttpReply } from "./reply.ts";
import { verifiedBatch } from "./verified_batch.ts";
import { verifiedBody } from "./verified_body.ts";

const OCTETS = { "content-type": "application/octet-stream" } as const;

/** Blobs over HTTP. What a whole `get` hands out was checked here; disposing it closes nothing. */
export class RemoteBlobStore implements BatchBlobStore {
  readonly namespace: string;
  readonly #http: HttpClient;

  /** `http` stays its maker's. */
  constructor(http: HttpClient, namespace: string) {
    this.#http = http;
    this.namespace = namespace;
  }

  /** A range can not be checked against the digest; all else is. */
  async get(digest: Digest, options: BlobGetOptions = {}): Promise<ObjectBody | undefined> {
    const { range, signal } = options;
    if (range && range.end <= range.start) return await this.#emptyRange(digest, range, signal);
    const headers: Record<string, string> = range
      ? { range: `bytes=${range.start}-${range.end - 1}` }
      : {};
    const path = blobPath(this.namespace, digest);
    const request = { method: "GET", path, headers, idempotent: true, signal } as const;
    return await missAsUndefined(() =>
      this.#http.call(request, async (reply) => {
        try {
          return await verifiedBody(reply, expectedOf(reply, { digest, range }));
        } catch (thrown) {
          await reply.cancel();
          throw thrown;
        }
      })
    );
  }

  async put(
    digest: Digest | undefined,
    source: ByteSource,
    options: SignalOptions = {},
  ): Promise<BlobRef> {
    const { signal } = options;
    const digestFirst = digest === undefined;
    await using sendable = await this.#http.sendable(source, { digestFirst, signal });
    const body = sendable.source;
    const known = digest ?? digestOfAll(body);
    if (body.seen && body.seen.digest !== known) throw otherDigest(known, body.seen.digest);
    const stored = answerOf(
      BlobPutAnswerSchema,
      await this.#http.askJson({
        method: "PUT",
        path: blobPath(this.namespace, known),
        headers: OCTETS,
        body,
        idempotent: true,
        signal,
      }),
    );
    // Who has it already may answer before he has read it all.
    requireSame(body.seen ?? { digest: known, size: source.size ?? stored.size }, stored);
    return { digest: stored.digest, size: stored.size };
  }

  async stat(
    digests: readonly Digest[],
    options: SignalOptions = {},
  ): Promise<(BlobRef | undefined)[]> {
    const missing = digests.length > 1 ? await this.missing(digests, options) : new Set<Digest>();
    return await inParallel(digests, async (digest) => {
      if (missing.has(digest)) return undefined;
      const reply = await missAsUndefined(() =>
        this.#http.send({
          method: "HEAD",
          path: blobPath(this.namespace, digest),
          idempotent: true,
          signal: options.signal,
        })
      );
      if (!reply) return undefined;
      await reply.cancel();
      return { digest, size: lengthOf(reply) };
    });
  }

  /** Which of these are not here; one request for each 10,000. */
  async missing(digests: readonly Digest[], options: SignalOptions = {}): Promise<Set<Digest>> {
    const missing = new Set<Digest>();
    for (let from = 0; from < digests.length; from += CLIENT_BATCH_DIGESTS) {
      const page = digests.slice(from, from + CLIENT_BATCH_DIGESTS);
      const bits = await this.missingBits(packDigests(page), options);
      page.forEach((digest, n) => {
        if (hasBit(bits, n)) missing.add(digest);
      });
    }
    return missing;
  }

  /** At most `MAX_BATCH_DIGESTS` digests; one request. */
  async missingBits(digests: Bytes, options: SignalOptions = {}): Promise<Bytes> {
    const size = Math.ceil(digests.length / DIGEST_BYTES / 8);
    return await this.#http.call({
      method: "POST",
      path: nativePath(this.namespace, "blobs", "missing"),
      headers: { "content-type": DIGESTS_MEDIA_TYPE },
      body: bytesSource(digests),
      idempotent: true,
      signal: options.signal,
    }, (reply) => bitsOf(reply, size));
  }

  async putBatch(blobs: readonly SmallBlob[], options: SignalOptions = {}): Promise<void> {
    if (blobs.length === 0) return;
    checkBatch(blobs.map(({ bytes }) => bytes.length));
    const stored = answerOf(
      BatchAnswerSchema,
      await this.#http.askJson({
        method: "POST",
        path: nativePath(this.namespace, "blobs", "batch"),
        headers: { "content-type": BLOBS_MEDIA_TYPE },
        body: bytesSource(encodeBlobs(blobs)),
        idempotent: true,
        signal: options.signal,
      }),
    );
    if (stored.blobs === blobs.length) return;
    throw new CacheError("corrupt", "Cannot store the batch of blobs: the server took another", {
      operation: "client.put_batch",
    });
  }

  async getBatch(refs: readonly BlobRef[], options: SignalOptions = {}): Promise<SmallBlob[]> {
    if (refs.length === 0) return [];
    checkBatch(refs.map(({ size }) => size));
    const request = {
      method: "POST",
      path: nativePath(this.namespace, "blobs", "read"),
      headers: { "content-type": "application/json" },
      body: bytesSource(new TextEncoder().encode(JSON.stringify({ blobs: refs }))),
      idempotent: true,
      signal: options.signal,
    } as const;
    return await this.#http.call(request, async (reply) => {
      const all = await collect(reply.stream(), MAX_BATCH_BYTES);
      return verifiedBatch(all, refs);
    });
  }

  async delete(digests: readonly Digest[], options: SignalOptions = {}): Promise<void> {
    await inParallel(digests, async (digest) => {
      const reply = await missAsUndefined(() =>
        this.#http.send({
          method: "DELETE",
          path: blobPath(this.namespace, digest),
          idempotent: true,
          signal: options.signal,
        })
      );
      await reply?.cancel();
    });
  }

  // deno-lint-ignore require-yield -- the error comes with the first step, as any other would
  async *list(): AsyncIterable<BlobRef> {
    throw new CacheError("unsupported", "Cannot list blobs: the server's API has no such list", {
      operation: "client.list",
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {}

  /** HTTP has no words for a range of no bytes. */
  async #emptyRange(
    digest: Digest,
    { start }: ByteRange,
    signal: AbortSignal | undefined,
  ): Promise<ObjectBody | undefined> {
    const [found] = await this.stat([digest], { signal });
    if (!found) return undefined;
    if (start >= found.size) {
      throw new CacheError(
        "range_not_satisfiable",
        `Cannot read the range: starts at ${start} of ${found.size} bytes`,
        { operation: "client.get" },
      );
    }
    return bytesBody(new Uint8Array(0), found.size);
  }
}

function digestOfAll({ seen }: HashedSource): Digest {
  if (seen) return seen.digest;
  throw new CacheError("internal", "Cannot hash the source: it never ended");
}

function otherDigest(want: Digest, found: Digest): CacheError {
  return new CacheError(
    "invalid_argument",
    `Cannot store blob ${want}: its bytes have digest ${found}`,
    { operation: "client.put" },
  );
}

/** `undefined` for what is not here. */
export async function missAsUndefined<T>(work: () => Promise<T>): Promise<T | undefined> {
  try {
    return await work();
  } catch (thrown) {
    // A 404 of ours says why: not here, or damaged and set aside, which is a miss as well.
    if (thrown instanceof CacheError && thrown.context.status === 404) return undefined;
    throw thrown;
  }
}

/** Refuses an answer about other bytes than were sent. @throws {CacheError} `corrupt` */
export function requireSame(sent: BlobRef | undefined, stored: BlobRef | undefined): void {
  if (sent && stored?.digest === sent.digest && stored.size === sent.size) return;
  const what = sent?.digest ?? "what was not read to its end";
  throw new CacheError(
    "corrupt",
    `Cannot store ${what}: the server says it stored ${stored?.digest ?? "nothing"}`,
    { operation: "client.put" },
  );
}

/** The length of an answer's body. @throws {CacheError} `corrupt` when it does not say */
export function lengthOf(reply: HttpReply): number {
  const text = reply.headers.get("content-length") ?? "";
  const length = /^\d{1,16}$/.test(text) ? Number(text) : NaN;
  if (Number.isSafeInteger(length)) return length;
  throw new CacheError("corrupt", "Cannot read the body: the answer does not say how long it is", {
    operation: "client.get",
  });
}

function expectedOf(
  reply: HttpReply,
  { digest, range }: { digest: Digest; range: ByteRange | undefined },
) {
  const size = lengthOf(reply);
  if (!range) return { size, total: size, digest };
  const [, first, last, total] =
    /^bytes (\d{1,16})-(\d{1,16})\/(\d{1,16})$/.exec(reply.headers.get("content-range") ?? "") ??
      [];
  const end = Math.min(range.end, Number(total));
  const isRange = reply.status === 206 && Number(first) === range.start &&
    Number(last) === end - 1 && size === end - range.start;
  if (isRange) return { size, total: Number(total), digest: undefined };
  throw new CacheError("corrupt", "Cannot read the range: the server sent another one", {
    operation: "client.get",
  });
}

/** An answer of exactly so many bytes. @throws {CacheError} `corrupt` for another one */
async function bitsOf(reply: HttpReply, size: number): Promise<Bytes> {
  try {
    const bits = await collect(reply.stream(), size);
    if (bits.length === size) return bits;
  } catch (thrown) {
    if (!isKind(thrown, "too_large")) throw thrown;
  }
  throw new CacheError("corrupt", "Cannot use the answer: it has not one bit for each digest", {
    operation: "client.missing",
  });
}
