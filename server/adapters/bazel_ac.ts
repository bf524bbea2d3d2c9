/**
 * Bazel's `ac/`: ActionResults by action digest and instance. A result is served only while every
 * blob that it names is here, since Bazel does not ask again before it needs them. The files
 * inside trees are listed when the result is written; where a tree comes later than its result,
 * the entry is marked and the tree is looked into when the result is read.
 */
import { bodyBytes, bytesSource, collect } from "../../core/bytes.ts";
import type { BlobStore } from "../../core/blob_store.ts";
import type { Bytes } from "../../core/digest.ts";
import type { Entry } from "../../core/entry.ts";
import { CacheError, isKind } from "../../core/errors.ts";
import { MAX_ACTION_RESULT_BYTES } from "../../core/limits.ts";
import type { Again, Answer } from "../answer.ts";
import { bodyAnswer, emptyAnswer, headAnswer, missAnswer } from "../answer.ts";
import { again, draftOf, findEntry, withBody } from "../entry_access.ts";
import type { Exchange } from "../exchange.ts";
import { mediaTypeOf, withUpload } from "../upload.ts";
import {
  actionResultJson,
  expandTree,
  readActionResult,
  readActionResultJson,
  referencesOf,
  writeActionResult,
} from "./action_result.ts";
import type { References, TreeReference } from "./action_result.ts";

const PROTOCOL = "bazel-ac";
const WHAT = "action result";
/** In `Entry.headers`: trees of this result had not come when it was written. */
const TREES_HEADER = "vitte-trees";
const TREES_PENDING = "pending";
/** Blobs asked for at a time. */
const STAT_BATCH = 10_000;

/** `GET ac/<hash>`, in JSON where that is asked for. */
export async function getResult(exchange: Exchange): Promise<Answer> {
  const entry = await completeResult(exchange);
  if (!entry) return missAnswer(WHAT, exchange.subject);
  const { body, holds } = await withBody(exchange, entry, (body, holds) => ({ body, holds }));
  if (!body) return missAnswer(WHAT, exchange.subject);
  if (!wantsJson(exchange.request)) return { ...bodyAnswer(body), again: kept(entry, holds) };
  const json = actionResultJson(await bodyBytes(body, MAX_ACTION_RESULT_BYTES));
  return {
    status: 200,
    headers: { "content-type": "application/json", vary: "Accept" },
    body: json,
    outcome: "hit",
  };
}

/** `HEAD ac/<hash>`. */
export async function headResult(exchange: Exchange): Promise<Answer> {
  const entry = await completeResult(exchange);
  if (!entry) return missAnswer(WHAT, exchange.subject);
  if (wantsJson(exchange.request)) return headJson();
  const answer = headAnswer(entry.blobs[0]?.size ?? 0);
  return { ...answer, again: kept(entry, again(exchange, entry)) };
}

/** Trees that come late are looked into each time: no memory hears of what is in them. */
function kept(entry: Entry, again: Again | undefined): Again | undefined {
  const pending = entry.headers[TREES_HEADER] === TREES_PENDING;
  return again && !pending ? { ...again, by: "accept" } : undefined;
}

function headJson(): Answer {
  // The length of the JSON is not known without making it.
  return {
    status: 200,
    headers: { "content-type": "application/json", vary: "Accept" },
    outcome: "hit",
  };
}

/** `PUT ac/<hash>`, binary or JSON. */
export async function putResult(exchange: Exchange): Promise<Answer> {
  const { deps, namespace, request } = exchange;
  const json = mediaTypeOf(request) === "application/json";
  const limit = Math.min(MAX_ACTION_RESULT_BYTES, deps.limits.maxBlobSize);
  return await withUpload(exchange, { limit, held: limit }, async (source) => {
    const bytes = source.bytes ?? await collect(source.open(), limit);
    const result = json ? readActionResultJson(utf8Text(bytes)) : readActionResult(bytes);
    // What came in binary is kept to the byte: it may have fields that we do not know.
    const body = json ? writeActionResult(result) : bytes;
    if (body.length === 0) throw empty();
    const references = referencesOf(result);
    const whole = await expandAll(deps.cache.blobs(namespace), references);
    const draft = draftOf(exchange, {
      protocol: PROTOCOL,
      content: "action-result",
      blobs: references.blobs.list(),
      headers: whole ? {} : { [TREES_HEADER]: TREES_PENDING },
    });
    const { entry } = await deps.cache.put(draft, bytesSource(body));
    exchange.tally.digest = entry.blobs[0]?.digest;
    return emptyAnswer(200);
  });
}

/** The entry, if everything that its result names is here. */
async function completeResult(exchange: Exchange): Promise<Entry | undefined> {
  const entry = await findEntry(exchange, PROTOCOL);
  if (entry?.content !== "action-result") return undefined;
  if (entry.headers[TREES_HEADER] !== TREES_PENDING) return entry;
  return await hasLateTrees(exchange, entry) ? entry : undefined;
}

async function hasLateTrees({ deps, namespace }: Exchange, entry: Entry): Promise<boolean> {
  const body = await deps.cache.body(entry);
  if (!body) return false;
  const blobs = deps.cache.blobs(namespace);
  const references = referencesOf(readActionResult(await bodyBytes(body, MAX_ACTION_RESULT_BYTES)));
  try {
    if (!await expandAll(blobs, references)) return false;
  } catch (thrown) {
    // The tree that came is none: the result will never be whole.
    if (isKind(thrown, "invalid_argument")) return false;
    throw thrown;
  }
  const digests = references.blobs.list().map(({ digest }) => digest);
  for (let at = 0; at < digests.length; at += STAT_BATCH) {
    const found = await blobs.stat(digests.slice(at, at + STAT_BATCH));
    if (found.includes(undefined)) return false;
  }
  return true;
}

/** Looks into all trees that are here; tells whether that were all that there are. */
async function expandAll(blobs: BlobStore, { trees, blobs: found }: References): Promise<boolean> {
  const queue: TreeReference[] = [...trees];
  let whole = true;
  for (let tree = queue.pop(); tree; tree = queue.pop()) {
    const bytes = await treeBytes(blobs, tree);
    if (bytes === "missing") whole = false;
    else if (bytes !== "too large") queue.push(...expandTree(bytes, tree.form, found));
  }
  return whole;
}

async function treeBytes(
  blobs: BlobStore,
  { digest }: TreeReference,
): Promise<Bytes | "missing" | "too large"> {
  const [ref] = await blobs.stat([digest]);
  if (!ref) return "missing";
  if (ref.size > MAX_ACTION_RESULT_BYTES) return "too large";
  const body = await blobs.get(digest);
  return body ? await bodyBytes(body, MAX_ACTION_RESULT_BYTES) : "missing";
}

function wantsJson(request: Request): boolean {
  return (request.headers.get("accept") ?? "").includes("application/json");
}

function utf8Text(bytes: Uint8Array): string {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch (cause) {
    throw new CacheError("invalid_argument", "Cannot read the action result: no UTF-8", { cause });
  }
}

function empty(): CacheError {
  return new CacheError("invalid_argument", "Cannot store the action result: it is empty");
}
