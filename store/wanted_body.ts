/** The one way in which a record that a recipe names turns out not to be what it says. */
import type { WantedBody } from "../core/chunk_store.ts";
import type { Bytes } from "../core/digest.ts";
import { toHex } from "../core/digest.ts";
import { CacheError } from "../core/errors.ts";
import type { DataKind } from "../core/record.ts";

/**
 * The body that was found for a record, if it is what was wanted.
 * @throws {CacheError} `corrupt`
 */
export function bodyOr(wanted: WantedBody, body: Bytes | undefined, kind: DataKind): Bytes {
  if (!body) throw notHere(kind, wanted.id);
  if (body.length !== wanted.length) throw otherLength(kind, wanted, body.length);
  return body;
}

/** A record that is not here. */
export function notHere(kind: DataKind, id: Bytes): CacheError {
  return broken(kind, id, "it is not here");
}

/** A record that is here and has another length. */
export function otherLength(kind: DataKind, wanted: WantedBody, length: number): CacheError {
  return broken(kind, wanted.id, `it has ${length} bytes, want ${wanted.length}`);
}

function broken(kind: DataKind, id: Bytes, state: string): CacheError {
  return new CacheError("corrupt", `Cannot read ${kind} ${toHex(id).slice(0, 12)}: ${state}`, {
    operation: "pack.read",
  });
}
