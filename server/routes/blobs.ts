/** `/v1/blobs`: bytes by digest. */
import type { ByteRange } from "../../core/bytes.ts";
import { collect } from "../../core/bytes.ts";
import type { Digest } from "../../core/digest.ts";
import { parseDigest } from "../../core/digest.ts";
import { DIGEST_BYTES } from "../../core/digest_list.ts";
import { CacheError } from "../../core/errors.ts";
import { MAX_BATCH_DIGESTS } from "../../core/limits.ts";
import { DIGESTS_MEDIA_TYPE } from "../../protocol/blob_batch.ts";
import { MissingRequestSchema, parseJson } from "../../protocol/json.ts";
import { chooseRange, contentRange, ifRangeHolds, namesTag } from "../../protocol/ranges.ts";
import { entityTag } from "../../protocol/url_space.ts";
import type { Answer } from "../answer.ts";
import { bodyAnswer, emptyAnswer, headAnswer, jsonAnswer, missingBlob } from "../answer.ts";
import type { Exchange, Route } from "../exchange.ts";
import { mediaTypeOf, readJsonText, withUpload } from "../upload.ts";

/** Routes of blobs. */
export const BLOB_ROUTES: readonly Route[] = [
  {
    name: "blobs.missing",
    tool: "native",
    pattern: "/v1/blobs/missing",
    methods: { POST: { verb: "read", run: listMissing } },
  },
  {
    name: "blob",
    tool: "native",
    pattern: "/v1/blobs/{digest}",
    methods: {
      GET: { verb: "read", run: get },
      HEAD: { verb: "read", run: head },
      PUT: { verb: "write", run: put },
      DELETE: { verb: "invalidate", run: remove },
    },
  },
];

async function get(exchange: Exchange): Promise<Answer> {
  const digest = digestOf(exchange);
  return await blobAnswer(exchange, digest, { etag: entityTag(digest) });
}

/**
 * The answer to a GET for a blob, with conditions and ranges. The headers are taken over.
 * @throws {CacheError} `not_found`, `range_not_satisfiable`
 */
export async function blobAnswer(
  { request, deps, namespace }: Exchange,
  digest: Digest,
  headers: Record<string, string>,
): Promise<Answer> {
  const blobs = deps.cache.blobs(namespace);
  const tag = entityTag(digest);
  headers["accept-ranges"] = "bytes";
  const known = request.headers.get("if-none-match");
  const wanted = request.headers.get("range");
  let range: ByteRange | undefined;
  if (known !== null || wanted !== null) {
    const [ref] = await blobs.stat([digest]);
    if (!ref) throw missingBlob(digest);
    if (known !== null && namesTag(known, tag)) {
      return { ...emptyAnswer(304, headers), outcome: "hit" };
    }
    const choice = ifRangeHolds(request.headers.get("if-range"), tag)
      ? chooseRange(wanted, ref.size)
      : { type: "whole" as const };
    if (choice.type === "unsatisfiable") throw pastTheEnd(ref.size);
    if (choice.type === "part") range = choice.range;
  }
  const body = await blobs.get(digest, range ? { range } : {});
  if (!body) throw missingBlob(digest);
  if (!range) return bodyAnswer(body, { headers });
  headers["content-range"] = contentRange(range, body.total);
  return bodyAnswer(body, { status: 206, headers });
}

async function head(exchange: Exchange): Promise<Answer> {
  const digest = digestOf(exchange);
  const [ref] = await exchange.deps.cache.blobs(exchange.namespace).stat([digest]);
  if (!ref) throw missingBlob(digest);
  return headAnswer(ref.size, { etag: entityTag(digest), "accept-ranges": "bytes" });
}

async function put(exchange: Exchange): Promise<Answer> {
  const digest = digestOf(exchange);
  const blobs = exchange.deps.cache.blobs(exchange.namespace);
  return await withUpload(exchange, {}, async (source) => {
    const [known] = await blobs.stat([digest]);
    const { size } = await blobs.put(digest, source);
    return jsonAnswer({ digest, size }, known ? 200 : 201);
  });
}

async function remove(exchange: Exchange): Promise<Answer> {
  const digest = digestOf(exchange);
  const blobs = exchange.deps.cache.blobs(exchange.namespace);
  const [known] = await blobs.stat([digest]);
  if (!known) throw missingBlob(digest);
  await blobs.delete([digest]);
  return emptyAnswer(204);
}

async function listMissing(exchange: Exchange): Promise<Answer> {
  if (mediaTypeOf(exchange.request) === DIGESTS_MEDIA_TYPE) return await mapMissing(exchange);
  const text = await readJsonText(exchange);
  const { digests } = parseJson(MissingRequestSchema, text, "the list of digests");
  const asked = [...new Set(digests)];
  const missing = await exchange.deps.cache.blobs(exchange.namespace).missing(asked);
  return jsonAnswer({ missing: asked.filter((digest) => missing.has(digest)) });
}

/** Digests as bytes and answers as bits: with JSON, that is most of the work. */
async function mapMissing(exchange: Exchange): Promise<Answer> {
  const limit = MAX_BATCH_DIGESTS * DIGEST_BYTES;
  const blobs = exchange.deps.cache.blobs(exchange.namespace);
  return await withUpload(exchange, { limit }, async (source) => {
    const digests = source.bytes ?? await collect(source.open(), limit);
    if (digests.length % DIGEST_BYTES !== 0) {
      throw new CacheError("invalid_argument", "Cannot read the digests: want 32 bytes for each", {
        operation: "blobs.missing",
      });
    }
    return {
      status: 200,
      headers: { "content-type": DIGESTS_MEDIA_TYPE, "cache-control": "no-store" },
      body: await blobs.missingBits(digests),
      outcome: "ok",
    };
  });
}

function digestOf(exchange: Exchange): Digest {
  const digest = parseDigest(exchange.subject);
  exchange.tally.digest = digest;
  return digest;
}

function pastTheEnd(size: number): CacheError {
  return new CacheError(
    "range_not_satisfiable",
    `Cannot read the range: the blob has ${size} bytes`,
    {
      operation: "blob.get",
      context: { size },
    },
  );
}
