/**
 * Read-only: refuses every write, loudly.
 *
 * Stands directly under the meter: refusals are counted, and nothing below ever sees a write, so
 * none is retried, none waits for a slot.
 */
import { CacheError } from "../../core/errors.ts";
import { forwardStore, objectLayer } from "./layer.ts";
import type { ObjectLayer } from "./layer.ts";

/** A layer whose `put` and `delete` reject with `permission_denied`; sources are not opened. */
export function readOnlyLayer(): ObjectLayer {
  return objectLayer("read_only", (inner) => {
    const refuse = (verb: "put" | "delete", what: string) => {
      const message = `Cannot ${verb} ${what}: the store "${inner.name}" is open read-only`;
      return Promise.reject(
        new CacheError("permission_denied", message, { operation: `read_only.${verb}` }),
      );
    };
    return forwardStore(inner, {
      put: (key) => refuse("put", `object "${key.slice(0, 80)}"`),
      delete: (keys) => refuse("delete", `${keys.length} objects`),
    });
  });
}
