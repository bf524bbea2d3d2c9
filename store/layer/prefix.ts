/**
 * Prefix: several stores in one medium, apart by the first word of their area names.
 *
 * Stands next to the backend: every layer above works on the caller's own keys, and so do its
 * messages and its events.
 */
import { assertObjectKey } from "../../core/object_store.ts";
import type { ListOptions, ObjectInfo } from "../../core/object_store.ts";
import { forwardStore, objectLayer } from "./layer.ts";
import type { ObjectLayer } from "./layer.ts";

/** One word and one dash: so that no prefix can be the beginning of another one's areas. */
const PREFIX = /^[a-z0-9_]{1,15}-$/;

/**
 * A layer that stores `data/ab/x` as `<prefix>data/ab/x`. The area's name and the prefix together
 * have at most 32 characters, else the call is `invalid_argument`.
 * @throws {TypeError} unless the prefix is a word of `a-z0-9_` and a dash, such as `team-`
 */
export function prefixLayer(prefix: string): ObjectLayer {
  if (!PREFIX.test(prefix)) {
    throw new TypeError(`Cannot use prefix "${prefix}": want 1 to 15 of a-z 0-9 _ and a "-"`);
  }
  return objectLayer("prefix", (inner) => {
    const inward = (key: string) => {
      assertObjectKey(key);
      return prefix + key;
    };
    const outward = (info: ObjectInfo) => ({ ...info, key: info.key.slice(prefix.length) });
    return forwardStore(inner, {
      capability: { ...inner.capability, pathOf: (key) => inner.capability.pathOf(inward(key)) },
      get: async (key, options) => await inner.get(inward(key), options),
      put: async (key, source, options) => outward(await inner.put(inward(key), source, options)),
      async stat(keys, options) {
        const infos = await inner.stat(keys.map(inward), options);
        return infos.map((info) => info && outward(info));
      },
      delete: async (keys, options) => await inner.delete(keys.map(inward), options),
      async *list(options: ListOptions = {}): AsyncIterable<ObjectInfo> {
        const below = {
          ...options,
          prefix: prefix + (options.prefix ?? ""),
          after: prefix + (options.after ?? ""),
        };
        for await (const info of inner.list(below)) yield outward(info);
      },
    });
  });
}
