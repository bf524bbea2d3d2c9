/** Reads JSON answers: what does not fit is the server's fault, not the caller's. */
import type * as v from "valibot";
import { CacheError } from "../core/errors.ts";
import { checkJson } from "../protocol/json.ts";

/**
 * A value by its schema.
 * @throws {CacheError} `corrupt` naming the first field that is not as it should be
 */
export function answerOf<T extends v.GenericSchema>(schema: T, value: unknown): v.InferOutput<T> {
  try {
    return checkJson(schema, value, "the server's answer");
  } catch (thrown) {
    if (!(thrown instanceof CacheError)) throw thrown;
    throw new CacheError("corrupt", thrown.message, { operation: "client.read", cause: thrown });
  }
}
