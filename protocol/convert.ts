/** Between the words of `core/` and the JSON of the wire, both ways. */
import type * as v from "valibot";
import type { Entry, EntryDraft } from "../core/entry.ts";
import type { Principal } from "../core/policy.ts";
import type { NewToken, TokenInfo, TokenRights } from "../core/token_admin.ts";
import type {
  EntryInfo,
  EntryInfoSchema,
  EntryInput,
  NewTokenSchema,
  TokenCreateSchema,
  TokenInfoJson,
  WhoAmI,
} from "./json.ts";

/** An entry as JSON; with `bodyOnly` it names its body and no other blob. */
export function entryInfo(entry: Entry, options: { bodyOnly?: boolean } = {}): EntryInfo {
  const { stamp } = entry;
  const blobs = options.bodyOnly ? entry.blobs.slice(0, 1) : entry.blobs;
  return {
    namespace: entry.namespace,
    scope: entry.scope,
    protocol: entry.protocol,
    key: entry.key,
    content: entry.content,
    blobs: blobs.map(({ digest, size }) => ({ digest, size })),
    tags: [...entry.tags],
    writer: entry.writer,
    created: entry.created,
    used: entry.used,
    cost: entry.cost,
    inputs: { ...entry.inputs },
    headers: { ...entry.headers },
    sequence: entry.sequence,
    stamp: {
      epoch: stamp.epoch,
      hlc: stamp.hlc.toString(),
      device: stamp.device,
      value_hash: stamp.valueHash,
    },
  };
}

/** The opposite of {@linkcode entryInfo}. */
export function entryOf(info: v.InferOutput<typeof EntryInfoSchema>): Entry {
  const { stamp, ...rest } = info;
  return {
    ...rest,
    stamp: {
      epoch: stamp.epoch,
      hlc: BigInt(stamp.hlc),
      device: stamp.device,
      valueHash: stamp.value_hash,
    },
  };
}

/** A draft as the JSON that names its blobs. */
export function entryInput(draft: EntryDraft): EntryInput {
  return {
    blobs: draft.blobs.map(({ digest, size }) => ({ digest, size })),
    content: draft.content === "tree" ? "tree" : "opaque",
    tags: [...draft.tags],
    cost: draft.cost,
    inputs: { ...draft.inputs },
    immutable: draft.mutability === "immutable",
  };
}

/** A principal as JSON. */
export function whoAmI(principal: Principal, backend: string): WhoAmI {
  return {
    id: principal.id,
    name: principal.name,
    verbs: [...principal.verbs],
    namespaces: [...principal.namespaces],
    scope: principal.scope,
    read_scopes: [...principal.readScopes],
    expires: principal.expires ?? null,
    backend,
  };
}

/** What a new token may do, from the JSON. */
export function tokenRights(input: v.InferOutput<typeof TokenCreateSchema>): TokenRights {
  const { verbs, namespaces, scope, expires } = input;
  const readScopes = input.read_scopes ?? [...new Set([scope, "main"])];
  return { verbs, namespaces, scope, readScopes, expires: expires ?? undefined };
}

/** A token's record as JSON. */
export function tokenInfoJson(info: TokenInfo): TokenInfoJson {
  const { id, name, kind, scope, created } = info;
  return {
    id,
    name,
    kind,
    verbs: [...info.verbs],
    namespaces: [...info.namespaces],
    scope,
    read_scopes: [...info.readScopes],
    expires: info.expires ?? null,
    created,
    revoked: info.revoked ?? null,
    last_used: info.lastUsed ?? null,
  };
}

/** The opposite of {@linkcode tokenInfoJson}. */
export function tokenInfoOf(json: TokenInfoJson): TokenInfo {
  const { read_scopes, last_used, expires, revoked, ...rest } = json;
  return {
    ...rest,
    readScopes: read_scopes,
    expires: expires ?? undefined,
    revoked: revoked ?? undefined,
    lastUsed: last_used ?? undefined,
  };
}

/** A new token, read from the answer. */
export function newTokenOf(json: v.InferOutput<typeof NewTokenSchema>): NewToken {
  return { token: json.token, info: tokenInfoOf(json.info) };
}

/** A new token as JSON. */
export function newTokenJson({ token, info }: NewToken): { token: string; info: TokenInfoJson } {
  return { token, info: tokenInfoJson(info) };
}
