/** Turborepo's questions about many artifacts, and its reports. */
import * as v from "valibot";
import type { Entry } from "../../core/entry.ts";
import { MAX_ARTIFACT_QUERY } from "../../core/limits.ts";
import { parseJson } from "../../protocol/json.ts";
import type { Answer } from "../answer.ts";
import { jsonAnswer } from "../answer.ts";
import { findEntry } from "../entry_access.ts";
import type { Exchange } from "../exchange.ts";
import { readJsonText } from "../upload.ts";
import { artifactKey, DIRTY_HASH, PROTOCOL, SHA, TAG } from "./turborepo_artifact.ts";

const HashesSchema = v.object({
  hashes: v.pipe(
    v.array(v.pipe(v.string(), v.regex(/^[0-9A-Za-z_-]{1,128}$/))),
    v.maxLength(MAX_ARTIFACT_QUERY),
  ),
});

/** Lenient: what later versions add, and leave out, is none of our business. */
const EventsSchema = v.array(v.pipe(
  // To valibot an array is an object, too.
  v.custom<Record<string, unknown>>((event) => !Array.isArray(event), "want an object"),
  v.looseObject({
    source: v.optional(v.string()),
    event: v.optional(v.string()),
    hash: v.optional(v.string()),
    duration: v.optional(v.number()),
  }),
));

/** `POST /v8/artifacts`: what is known of each hash, `null` for a miss. */
export async function queryArtifacts(exchange: Exchange): Promise<Answer> {
  const text = await readJsonText(exchange);
  const { hashes } = parseJson(HashesSchema, text, "the list of hashes");
  const { path, subject: base } = exchange;
  const found: [string, unknown][] = [];
  for (const hash of new Set(hashes)) {
    const subject = artifactKey(base, path.query, hash);
    const entry = await findEntry({ ...exchange, subject }, PROTOCOL);
    found.push([hash, entry ? factsOf(entry) : null]);
  }
  // Not a literal: a hash may be any word.
  return jsonAnswer(Object.fromEntries(found));
}

function factsOf({ blobs, cost, headers }: Entry): Record<string, unknown> {
  return {
    size: blobs[0]?.size ?? 0,
    taskDurationMs: cost,
    ...(headers[TAG] === undefined ? {} : { tag: headers[TAG] }),
    ...(headers[SHA] === undefined ? {} : { sha: headers[SHA] }),
    ...(headers[DIRTY_HASH] === undefined ? {} : { dirtyHash: headers[DIRTY_HASH] }),
  };
}

/** `POST /v8/artifacts/events`: which tasks hit and missed. Read, checked, and not kept. */
export async function takeEvents(exchange: Exchange): Promise<Answer> {
  parseJson(EventsSchema, await readJsonText(exchange), "the events");
  return jsonAnswer({});
}
