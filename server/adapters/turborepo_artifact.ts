/** One artifact of Turborepo: its key, its headers, its PUT. */
import { CacheError } from "../../core/errors.ts";
import { MAX_TOOL_HEADER_BYTES } from "../../core/limits.ts";
import { queryValue } from "../../protocol/path.ts";
import type { Answer } from "../answer.ts";
import { jsonAnswer } from "../answer.ts";
import type { Exchange } from "../exchange.ts";
import { storeOpaque } from "./opaque.ts";

/** The world of its keys. */
export const PROTOCOL = "turborepo";
/** Milliseconds that the task took. */
export const DURATION = "x-artifact-duration";
/** The signature; it belongs to the body. */
export const TAG = "x-artifact-tag";
/** The commit, and the hash of what was not committed. */
export const SHA = "x-artifact-sha";
/** As {@linkcode SHA}. */
export const DIRTY_HASH = "x-artifact-dirty-hash";

const ECHOED = [DURATION, TAG, SHA, DIRTY_HASH];
const TEAM_NAMES = ["teamId", "slug", "team"];
const MILLISECONDS = /^\d{1,15}$/;
const VISIBLE = /^[\x20-\x7e]*$/;

/**
 * The key of an artifact below `base`, which may be empty. Team and hash are never taken for a
 * part of the base, whatever they are.
 * @throws {CacheError} `invalid_argument` for a team that does not decode or is named twice
 */
export function artifactKey(base: string, query: string, hash: string): string {
  const team = teamOf(query);
  return [
    ...(base === "" ? [] : [base]),
    ...(team === "" ? [] : [`team:${encodeURIComponent(team)}`]),
    hash,
  ].join("/");
}

/** `teamId` before `slug`: where both are sent, the id is the one that never changes. */
function teamOf(query: string): string {
  if (query === "") return "";
  for (const name of TEAM_NAMES) {
    const value = queryValue(query, name);
    if (value !== undefined && value !== "") return value;
  }
  return "";
}

/** `PUT /v8/artifacts/<hash>`: 202, as the API's specification has it. */
export async function putArtifact(exchange: Exchange): Promise<Answer> {
  const headers = echoedHeaders(exchange.request);
  const cost = Number(headers[DURATION] ?? 0);
  await storeOpaque(exchange, PROTOCOL, { headers, cost });
  return jsonAnswer({ urls: [`/v8/artifacts/${exchange.path.segments.at(-1)}`] }, 202);
}

/** Headers that come back with the body, word for word: Turborepo fails on one that it can not read. */
function echoedHeaders({ headers }: Request): Record<string, string> {
  const kept: Record<string, string> = {};
  for (const name of ECHOED) {
    const value = headers.get(name);
    if (value === null || value === "") continue;
    if (value.length > MAX_TOOL_HEADER_BYTES || !VISIBLE.test(value)) throw bad(name);
    if (name === DURATION && !MILLISECONDS.test(value)) throw bad(name);
    kept[name] = value;
  }
  return kept;
}

function bad(name: string): CacheError {
  return new CacheError(
    "invalid_argument",
    `Cannot read ${name}, want ${
      name === DURATION ? "whole milliseconds" : `at most ${MAX_TOOL_HEADER_BYTES} ASCII characters`
    }`,
  );
}
