/** Bazel's `cas/`: blobs of the namespace by their SHA-256, zstd both ways. */
import { encodeZstd } from "../../codec/zstd_stream.ts";
import { bytesBody } from "../../core/bytes.ts";
import type { ObjectBody } from "../../core/bytes.ts";
import type { Digest } from "../../core/digest.ts";
import { EMPTY_DIGEST, parseDigest } from "../../core/digest.ts";
import { CacheError } from "../../core/errors.ts";
import type { Answer } from "../answer.ts";
import { bodyAnswer, emptyAnswer, headAnswer, missingBlob, OCTET_STREAM } from "../answer.ts";
import type { Exchange } from "../exchange.ts";
import { contentLength, sizeHeader, withUpload } from "../upload.ts";

const ZSTD = /(?:^|,)\s*zstd\s*(?:;\s*q=(?!0(?:\.0{0,3})?\s*(?:,|$))[\d.]+\s*)?(?:,|$)/i;

/** Whether `Accept-Encoding` names zstd, and not with weight 0. */
export function acceptsZstd(header: string | null): boolean {
  return header !== null && ZSTD.test(header);
}

/** `GET cas/<hash>`. */
export async function getBlob(exchange: Exchange): Promise<Answer> {
  const digest = digestOf(exchange);
  const body = await open(exchange, digest);
  if (!body) throw missingBlob(digest);
  if (!acceptsZstd(exchange.request.headers.get("accept-encoding"))) return bodyAnswer(body);
  const headers = {
    "content-type": OCTET_STREAM,
    "content-encoding": "zstd",
    vary: "Accept-Encoding",
  };
  return { status: 200, headers, body: encodeZstd(body.stream()), outcome: "hit" };
}

/** `HEAD cas/<hash>`. */
export async function headBlob({ deps, namespace, subject, tally }: Exchange): Promise<Answer> {
  const digest = parseDigest(subject);
  tally.digest = digest;
  if (digest === EMPTY_DIGEST) return headAnswer(0);
  const [ref] = await deps.cache.blobs(namespace).stat([digest]);
  if (!ref) throw missingBlob(digest);
  return headAnswer(ref.size);
}

/** `PUT cas/<hash>`. */
export async function putBlob(exchange: Exchange): Promise<Answer> {
  const digest = digestOf(exchange);
  const { deps, namespace, request } = exchange;
  const plainSize = sizeHeader(request, "x-digest-sizebytes");
  const length = request.headers.has("content-encoding") ? undefined : contentLength(request);
  if (plainSize !== undefined && length !== undefined && plainSize !== length) {
    throw new CacheError("invalid_argument", "Cannot store the blob: two lengths", {
      operation: "bazel.put",
      context: { length, plainSize },
    });
  }
  return await withUpload(exchange, { plainSize }, async (source) => {
    await deps.cache.blobs(namespace).put(digest, source);
    return emptyAnswer(200);
  });
}

async function open(exchange: Exchange, digest: Digest): Promise<ObjectBody | undefined> {
  // Bazel never asks for it, others do; it is here even where nothing was ever stored.
  if (digest === EMPTY_DIGEST) return bytesBody(new Uint8Array(0));
  return await exchange.deps.cache.blobs(exchange.namespace).get(digest);
}

function digestOf({ subject, tally }: Exchange): Digest {
  const digest = parseDigest(subject);
  tally.digest = digest;
  return digest;
}
