/** What a layer of an object store is: a function from the inner store to the outer one. */
import type { ObjectStore } from "../../core/object_store.ts";

/** The layers there are; `compose.ts` says in which order they may stand. */
export type LayerName =
  | "meter"
  | "read_only"
  | "retry"
  | "limit"
  | "timeout"
  | "prefix"
  | "fault";

/** Wraps a store in another one with the same interface. */
export interface ObjectLayer {
  (inner: ObjectStore): ObjectStore;
  readonly layer: LayerName;
}

/** A layer with its name, made of a plain function. */
export function objectLayer(
  layer: LayerName,
  wrap: (inner: ObjectStore) => ObjectStore,
): ObjectLayer {
  return Object.assign((inner: ObjectStore) => wrap(inner), { layer });
}

/** A store that hands everything on to `inner`, but for what stands in `changes`. */
export function forwardStore(inner: ObjectStore, changes: Partial<ObjectStore>): ObjectStore {
  return {
    name: inner.name,
    capability: inner.capability,
    get: (key, options) => inner.get(key, options),
    put: (key, source, options) => inner.put(key, source, options),
    stat: (keys, options) => inner.stat(keys, options),
    delete: (keys, options) => inner.delete(keys, options),
    list: (options) => inner.list(options),
    [Symbol.asyncDispose]: () => inner[Symbol.asyncDispose](),
    ...changes,
  };
}
