/** JSON of the routes for incidents: inspect, remove by filter, audit, usage. */
import * as v from "valibot";
import { AUDIT_KINDS } from "../core/audit.ts";
import type { AuditRow, EntryChange } from "../core/audit.ts";
import { isScope } from "../core/entry.ts";
import type { Inspection } from "../core/insight.ts";
import { MAX_KEY_BYTES } from "../core/limits.ts";
import { entryInfo, entryOf } from "./convert.ts";
import { count, digest, EntryInfoSchema } from "./json.ts";

const MAX_KEYS = 1000;
const key = v.pipe(v.string(), v.maxBytes(MAX_KEY_BYTES));
const name = v.pipe(v.string(), v.maxBytes(256));

/** `POST /v1/remove`: entries of one namespace that match all of these; at least one. */
export const RemoveInputSchema = v.pipe(
  v.strictObject({
    keys: v.optional(v.pipe(v.array(key), v.minLength(1), v.maxLength(MAX_KEYS))),
    prefix: v.optional(key),
    writer: v.optional(name),
    /** Milliseconds since 1970: created then or later. */
    since: v.optional(count),
    /** Milliseconds since 1970: created before. */
    until: v.optional(count),
    protocol: v.optional(v.pipe(v.string(), v.regex(/^[A-Za-z0-9-]{1,32}$/))),
    scope: v.optional(v.pipe(v.string(), v.check(isScope, "want a scope such as main or pr/12"))),
    dry_run: v.optional(v.boolean(), false),
    /** `next` of the step before. */
    after: v.optional(v.string()),
  }),
  v.check(
    (input) => ["keys", "prefix", "writer", "since", "until"].some((field) => field in input),
    'want keys or a filter; a prefix of "" stands for everything',
  ),
);
/** What a client asks. */
export type RemoveInput = v.InferInput<typeof RemoveInputSchema>;

/** What one step removed, or would. */
export const RemoveAnswerSchema = v.object({
  entries: v.array(
    v.object({ namespace: v.string(), scope: v.string(), protocol: v.string(), key: v.string() }),
  ),
  next: v.nullable(v.string()),
});
/** JSON of one step. */
export type RemoveAnswer = v.InferInput<typeof RemoveAnswerSchema>;

const EntryChangeSchema = v.object({
  kind: v.picklist(["put", "replace", "delete"]),
  at: count,
  writer: v.string(),
  namespace: v.string(),
  scope: v.string(),
  protocol: v.string(),
  key: v.string(),
  before: v.nullable(digest),
  after: v.nullable(digest),
});
const TokenChangeSchema = v.object({
  kind: v.literal("token"),
  at: count,
  writer: v.string(),
  action: v.picklist(["create", "rotate", "revoke"]),
  token: v.string(),
  id: v.string(),
  namespaces: v.array(v.string()),
});

/** `GET /v1/audit`: one page, oldest first. */
export const AuditPageSchema = v.object({
  rows: v.array(v.variant("kind", [EntryChangeSchema, TokenChangeSchema])),
  next: v.nullable(v.string()),
});
/** JSON of one line of the audit. */
export type AuditRowJson = v.InferInput<typeof AuditPageSchema>["rows"][number];

/** `GET /v1/inspect/<key>`. */
export const InspectionSchema = v.object({
  entries: v.array(v.object({
    entry: EntryInfoSchema,
    served: v.boolean(),
    reason: v.nullable(v.string()),
    blobs: v.array(v.object({ digest, size: count, present: v.boolean() })),
  })),
  history: v.array(EntryChangeSchema),
});
/** JSON of an inspection. */
export type InspectionJson = v.InferInput<typeof InspectionSchema>;

/** `GET /v1/stats/history`. */
export const UsageSchema = v.object({
  rows: v.array(v.object({
    group: v.string(),
    requests: count,
    hits: count,
    misses: count,
    masked: count,
    writes: count,
    bytes_in: count,
    bytes_out: count,
    saved_ms: count,
  })),
});

/** A line of the audit as JSON. */
export function auditRowJson(row: AuditRow): AuditRowJson {
  if (row.kind === "token") return { ...row, namespaces: [...row.namespaces] };
  return changeJson(row);
}

/** The opposite of {@linkcode auditRowJson}. */
export function auditRowOf(
  json: v.InferOutput<typeof AuditPageSchema>["rows"][number],
): AuditRow {
  return json.kind === "token" ? json : changeOf(json);
}

/** An inspection as JSON. */
export function inspectionJson({ entries, history }: Inspection): InspectionJson {
  return {
    entries: entries.map(({ entry, served, reason, blobs }) => ({
      entry: entryInfo(entry),
      served,
      reason: reason ?? null,
      blobs: [...blobs],
    })),
    history: history.map(changeJson),
  };
}

/** The opposite of {@linkcode inspectionJson}. */
export function inspectionOf(json: v.InferOutput<typeof InspectionSchema>): Inspection {
  return {
    entries: json.entries.map(({ entry, served, reason, blobs }) => ({
      entry: entryOf(entry),
      served,
      reason: reason ?? undefined,
      blobs,
    })),
    history: json.history.map(changeOf),
  };
}

function changeJson(
  { before, after, ...row }: EntryChange,
): Extract<AuditRowJson, { before: unknown }> {
  return { ...row, before: before ?? null, after: after ?? null };
}

function changeOf(
  { before, after, ...row }: v.InferOutput<typeof EntryChangeSchema>,
): EntryChange {
  return { ...row, before: before ?? undefined, after: after ?? undefined };
}

/** The kinds that a list such as `put,delete` names; `undefined` when it names another. */
export function auditKinds(text: string): typeof AUDIT_KINDS[number][] | undefined {
  const words = text.split(",").map((word) => word.trim());
  const kinds = AUDIT_KINDS.filter((kind) => words.includes(kind));
  return words.every((word) => (AUDIT_KINDS as readonly string[]).includes(word))
    ? kinds
    : undefined;
}
