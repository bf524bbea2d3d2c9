/**
 * JSON bodies of the native API. Requests are strict: an unknown field is refused with its path.
 * Answers are read leniently, so that an old client gets on with a newer server.
 */
import * as v from "valibot";
import { CacheError } from "../core/errors.ts";
import { isNamespace, isScope } from "../core/entry.ts";
import type { Digest } from "../core/digest.ts";
import { parseDigest } from "../core/digest.ts";
import {
  MAX_BATCH_BLOBS,
  MAX_BATCH_DIGESTS,
  MAX_ENTRY_BLOBS,
  MAX_TAG_BYTES,
  MAX_TAGS,
} from "../core/limits.ts";
import { VERBS } from "../core/policy.ts";
import { PinTotalsSchema, QuotaUseSchema } from "./room_json.ts";

const MAX_INPUTS = 1024;
/** A whole number, 0 or more. */
export const count = v.pipe(v.number(), v.safeInteger(), v.minValue(0));
/** A digest, with or without its prefix. */
export const digest = v.pipe(
  v.string(),
  v.check((text) => /^(?:sha256-)?[0-9a-f]{64}$/.test(text), "want 64 lowercase hex digits"),
  v.transform((text): Digest => parseDigest(text)),
);
const tag = v.pipe(v.string(), v.minLength(1), v.maxBytes(MAX_TAG_BYTES));
const namespaceName = v.pipe(
  v.string(),
  v.check((text) => text === "*" || isNamespace(text), "want a namespace or *"),
);
const scopeName = v.pipe(v.string(), v.check(isScope, "want a scope such as main or pr/12"));
const tokenName = v.pipe(v.string(), v.regex(/^[A-Za-z0-9][A-Za-z0-9._@+-]{0,63}$/));
const verbs = v.array(v.picklist(VERBS));
const time = v.nullable(count);

const BlobRefSchema = v.strictObject({ digest, size: count });

/** `POST /v1/blobs/missing`. */
export const MissingRequestSchema = v.strictObject({
  digests: v.pipe(v.array(digest), v.maxLength(MAX_BATCH_DIGESTS)),
});

/** `POST /v1/blobs/read`. */
export const ReadBlobsRequestSchema = v.strictObject({
  blobs: v.pipe(v.array(BlobRefSchema), v.maxLength(MAX_BATCH_BLOBS)),
});
/** Answer to `POST /v1/blobs/batch`: how many there were. */
export const BatchAnswerSchema = v.object({ blobs: count });

/** `PUT /v1/entries/<key>` with `ENTRY_MEDIA_TYPE`: the body's blob first. */
export const EntryInputSchema = v.strictObject({
  blobs: v.pipe(v.array(BlobRefSchema), v.minLength(1), v.maxLength(MAX_ENTRY_BLOBS)),
  content: v.optional(v.picklist(["opaque", "tree"]), "opaque"),
  tags: v.optional(v.pipe(v.array(tag), v.maxLength(MAX_TAGS)), []),
  cost: v.optional(count, 0),
  inputs: v.optional(
    v.pipe(
      v.record(v.pipe(v.string(), v.maxBytes(MAX_TAG_BYTES)), v.pipe(v.string(), v.maxBytes(128))),
      v.check((inputs) => Object.keys(inputs).length <= MAX_INPUTS, "too many inputs"),
    ),
    {},
  ),
  immutable: v.optional(v.boolean(), false),
});
/** What a client writes. */
export type EntryInput = v.InferInput<typeof EntryInputSchema>;

/** An entry's record. `hlc` is a decimal string: it does not fit a JSON number. */
export const EntryInfoSchema = v.object({
  namespace: v.string(),
  scope: v.string(),
  protocol: v.string(),
  key: v.string(),
  content: v.picklist(["opaque", "action-result", "action-result-json", "tree"]),
  blobs: v.array(v.object({ digest, size: count })),
  tags: v.array(v.string()),
  writer: v.string(),
  created: count,
  used: count,
  cost: count,
  inputs: v.record(v.string(), v.string()),
  headers: v.record(v.string(), v.string()),
  sequence: count,
  stamp: v.object({
    epoch: count,
    hlc: v.pipe(v.string(), v.regex(/^\d{1,20}$/)),
    device: v.string(),
    value_hash: v.string(),
  }),
});
/** JSON of an entry's record. */
export type EntryInfo = v.InferInput<typeof EntryInfoSchema>;

/** `GET /v1/entries`: one page; `next` goes into `after` of the next question. */
export const EntryListSchema = v.object({
  entries: v.array(EntryInfoSchema),
  next: v.nullable(v.string()),
});
/** JSON of one page. */
export type EntryList = v.InferInput<typeof EntryListSchema>;

/** Answer to the PUT of an entry. */
export const EntryPutAnswerSchema = v.object({
  entry: EntryInfoSchema,
  /** Digest of the body that stood there before. */
  replaced: v.nullable(digest),
});
/** Answer to the PUT of a blob. */
export const BlobPutAnswerSchema = v.object({ digest, size: count });

/** `GET /v1/stats`. */
export const StatsSchema = v.object({
  entries: count,
  blobs: count,
  chunks: count,
  logical_bytes: count,
  stored_bytes: count,
  hits: count,
  misses: count,
  version: v.string(),
  /** Seconds since this process began to serve. */
  uptime_seconds: v.number(),
  /** Since the process began: requests, bytes of bodies in and out, errors shown as misses. */
  requests: count,
  bytes_received: count,
  bytes_sent: count,
  masked_errors: count,
  /** What was hidden from whom: tool, trouble, times. Servers before 0.2 do not tell. */
  masked: v.optional(v.record(v.string(), v.record(v.string(), count))),
  /** Records that failed their check since the process began; older servers do not say. */
  quarantined: v.optional(count),
  /** Only to who may read metrics: of the disk that the store is on, and what has to stay free. */
  disk: v.optional(v.object({ free: count, total: count, reserve: count })),
  /** Only to who may read metrics: how far the background reading is, as `ScrubStatus`. */
  scrub: v.optional(v.object({
    running: v.boolean(),
    segment: count,
    offset: count,
    began: count,
    ended: count,
    rounds: count,
    read: count,
    of: count,
    records: count,
    damaged: count,
  })),
  /** Namespaces that the token may use, and what they may hold; older servers do not say. */
  namespaces: v.optional(v.array(QuotaUseSchema)),
  pinned: v.optional(PinTotalsSchema),
});
/** JSON of `GET /v1/stats`. */
export type Stats = v.InferInput<typeof StatsSchema>;

/** `GET /v1/whoami`. */
export const WhoAmISchema = v.object({
  id: v.string(),
  name: v.string(),
  verbs,
  namespaces: v.array(v.string()),
  scope: v.string(),
  read_scopes: v.array(v.string()),
  expires: time,
  /** The kind of medium that the store is kept on; older servers do not say. */
  backend: v.optional(v.string()),
});
/** JSON of `GET /v1/whoami`. */
export type WhoAmI = v.InferInput<typeof WhoAmISchema>;

/** `POST /v1/tokens`. */
export const TokenCreateSchema = v.strictObject({
  name: tokenName,
  verbs: v.pipe(verbs, v.minLength(1)),
  namespaces: v.optional(v.pipe(v.array(namespaceName), v.minLength(1), v.maxLength(64)), [
    "default",
  ]),
  scope: v.optional(scopeName, "main"),
  read_scopes: v.optional(v.pipe(v.array(scopeName), v.minLength(1), v.maxLength(16))),
  expires: v.optional(time, null),
});
/** What a client writes. */
export type TokenCreate = v.InferInput<typeof TokenCreateSchema>;

/** A token without its secret. */
export const TokenInfoSchema = v.object({
  id: v.string(),
  name: v.string(),
  kind: v.picklist(["issued", "brought"]),
  verbs,
  namespaces: v.array(v.string()),
  scope: v.string(),
  read_scopes: v.array(v.string()),
  expires: time,
  created: count,
  revoked: time,
  last_used: time,
});
/** JSON of a token without its secret. */
export type TokenInfoJson = v.InferInput<typeof TokenInfoSchema>;
/** `GET /v1/tokens`. */
export const TokenListSchema = v.object({ tokens: v.array(TokenInfoSchema) });
/** Answer to `POST /v1/tokens` and to a rotation: the only time the text is seen. */
export const NewTokenSchema = v.object({ token: v.string(), info: TokenInfoSchema });
/** Answer to `DELETE /v1/tokens/<name>`. */
export const TokenAnswerSchema = v.object({ info: TokenInfoSchema });

/** `GET /v1/identity`; the fields are those of `IdentityAnswer` in `core/identity.ts`. */
export const IdentityAnswerSchema = v.object({
  server_key: v.string(),
  host: v.string(),
  proof: v.string(),
});

/** `POST /v1/probe`: what arrived, and how its length was told. */
export const ProbeAnswerSchema = v.object({
  bytes: count,
  sent_as: v.picklist(["length", "chunked"]),
});
/** JSON of `POST /v1/probe`. */
export type ProbeAnswer = v.InferInput<typeof ProbeAnswerSchema>;

/** `POST /v1/admin/verify`. */
export const VerifyRequestSchema = v.strictObject({ repair: v.optional(v.boolean(), false) });
/** `POST /v1/admin/gc`. */
export const GcRequestSchema = v.strictObject({ dry_run: v.optional(v.boolean(), false) });
/** Answer of a verification, as `VerifyReport`. */
export const VerifyReportSchema = v.object({
  segments: count,
  records: count,
  bytes: count,
  entries: count,
  quarantined: count,
  lost: count,
  broken_entries: count,
  audit_rows: v.optional(count, 0),
  audit_damaged: v.optional(count, 0),
  repaired: count,
  lost_blobs: v.optional(
    v.array(v.object({ namespace: namespaceName, digest, size: count })),
    [],
  ),
  problems: v.array(v.object({ what: v.string(), where: v.string() })),
});
/**
 * Reads JSON text by a schema.
 * @throws {CacheError} `invalid_argument` naming the first field that is not as it should be
 */
export function parseJson<T extends v.GenericSchema>(
  schema: T,
  text: string,
  what: string,
): v.InferOutput<T> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (thrown) {
    throw new CacheError("invalid_argument", `Cannot read ${what}: it is no JSON`, {
      operation: "json.parse",
      cause: thrown,
    });
  }
  return checkJson(schema, value, what);
}

/** As {@linkcode parseJson}, for a value that is parsed already. */
export function checkJson<T extends v.GenericSchema>(
  schema: T,
  value: unknown,
  what: string,
): v.InferOutput<T> {
  const result = v.safeParse(schema, value, { abortEarly: true });
  if (result.success) return result.output;
  const issue = result.issues[0];
  const path = v.getDotPath(issue) ?? "";
  const where = path === "" ? "the whole" : `"${path.slice(0, 120)}"`;
  throw new CacheError("invalid_argument", `Cannot read ${what}: ${where}: ${issue.message}`, {
    operation: "json.parse",
  });
}
