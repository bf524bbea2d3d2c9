/** JSON of what shares out the room of a store: quotas, and pins. */
import * as v from "valibot";
import { MAX_KEY_BYTES, MAX_PIN_KEYS, MAX_TAG_BYTES } from "../core/limits.ts";

const count = v.pipe(v.number(), v.safeInteger(), v.minValue(0));
const limit = v.nullable(count);

/** What a namespace, or some of its scopes, hold of what they may; `null` is no limit. */
export const QuotaUseSchema = v.object({
  namespace: v.string(),
  scope: v.nullable(v.string()),
  entries: count,
  bytes: count,
  max_entries: limit,
  max_bytes: limit,
});
/** How much is pinned. */
export const PinTotalsSchema = v.object({ entries: count, bytes: count, max_bytes: limit });
/** A pinned entry. */
export const PinnedEntrySchema = v.object({
  namespace: v.string(),
  scope: v.string(),
  protocol: v.string(),
  key: v.string(),
  by: v.string(),
  at: count,
  bytes: count,
});
/** A pack that goes, as `GoingPack`. */
export const GoingPackSchema = v.object({
  pack: v.string(),
  bytes: count,
  alive: count,
  reason: v.string(),
});
/** What would go next in a namespace. */
export const GoingEntrySchema = v.object({
  namespace: v.string(),
  scope: v.nullable(v.string()),
  what: v.string(),
  bytes: count,
  reason: v.string(),
});

/** `POST /v1/pin` and `POST /v1/unpin`: keys, or a tag, or keys that have the tag. */
export const PinInputSchema = v.pipe(
  v.strictObject({
    keys: v.optional(
      v.pipe(
        v.array(v.pipe(v.string(), v.maxBytes(MAX_KEY_BYTES))),
        v.minLength(1),
        v.maxLength(MAX_PIN_KEYS),
      ),
    ),
    tag: v.optional(v.pipe(v.string(), v.minLength(1), v.maxBytes(MAX_TAG_BYTES))),
    protocol: v.optional(v.pipe(v.string(), v.regex(/^[A-Za-z0-9-]{1,32}$/))),
  }),
  v.check((input) => "keys" in input || "tag" in input, "want keys or a tag"),
);
/** What a client asks. */
export type PinInput = v.InferInput<typeof PinInputSchema>;
/** Answer of `GET /v1/pins`, and of what changes them: those that were meant. */
export const PinsSchema = v.object({ entries: v.array(PinnedEntrySchema) });

/** Answer of a collection, as `GcReport`. */
export const GcReportSchema = v.object({
  dry_run: v.optional(v.boolean(), false),
  segments_removed: count,
  records_removed: count,
  record_bytes: v.optional(count, 0),
  bytes_freed: count,
  packs: v.optional(v.array(GoingPackSchema), []),
  next: v.optional(v.array(GoingPackSchema), []),
  namespaces: v.optional(v.array(QuotaUseSchema), []),
  next_entries: v.optional(v.array(GoingEntrySchema), []),
  kept: v.optional(v.array(PinnedEntrySchema), []),
  pinned: v.optional(PinTotalsSchema, { entries: 0, bytes: 0, max_bytes: null }),
});
