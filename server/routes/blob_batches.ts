/** `/v1/blobs/batch` and `/v1/blobs/read`: many small blobs in one request. */
import { collect } from "../../core/bytes.ts";
import { CacheError } from "../../core/errors.ts";
import { MAX_BATCH_BYTES } from "../../core/limits.ts";
import { BLOBS_MEDIA_TYPE, decodeBlobs, encodeBlobs } from "../../protocol/blob_batch.ts";
import { parseJson, ReadBlobsRequestSchema } from "../../protocol/json.ts";
import type { Answer } from "../answer.ts";
import { jsonAnswer } from "../answer.ts";
import { tooLarge } from "../body_reader.ts";
import type { Exchange, Route } from "../exchange.ts";
import { mediaTypeOf, readJsonText, withUpload } from "../upload.ts";

/** Routes of batches. */
export const BATCH_ROUTES: readonly Route[] = [
  {
    name: "blobs.batch",
    tool: "native",
    pattern: "/v1/blobs/batch",
    methods: { POST: { verb: "write", run: putBatch } },
  },
  {
    name: "blobs.read",
    tool: "native",
    pattern: "/v1/blobs/read",
    methods: { POST: { verb: "read", run: readBatch } },
  },
];

async function putBatch(exchange: Exchange): Promise<Answer> {
  const type = mediaTypeOf(exchange.request);
  if (type !== BLOBS_MEDIA_TYPE) {
    throw new CacheError(
      "unsupported",
      `Cannot read a body of "${type}", want ${BLOBS_MEDIA_TYPE}`,
      {
        operation: "blobs.batch",
        context: { status: 415 },
      },
    );
  }
  const { deps, namespace } = exchange;
  const limit = MAX_BATCH_BYTES;
  return await withUpload(exchange, { limit }, async (source) => {
    const blobs = decodeBlobs(source.bytes ?? await collect(source.open(), limit));
    const { maxBlobSize } = deps.limits;
    const large = blobs.find(({ bytes }) => bytes.length > maxBlobSize);
    if (large) throw tooLarge(maxBlobSize, large.bytes.length);
    await deps.cache.blobs(namespace).putBatch(blobs);
    return jsonAnswer({ blobs: blobs.length });
  });
}

async function readBatch(exchange: Exchange): Promise<Answer> {
  const text = await readJsonText(exchange);
  const { blobs } = parseJson(ReadBlobsRequestSchema, text, "the list of blobs");
  const found = await exchange.deps.cache.blobs(exchange.namespace).getBatch(blobs);
  return {
    status: 200,
    headers: { "content-type": BLOBS_MEDIA_TYPE, "cache-control": "no-store" },
    body: encodeBlobs(found),
    outcome: found.length > 0 ? "hit" : "ok",
  };
}
