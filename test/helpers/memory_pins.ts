/** Pins of a cache in memory, which evicts nothing. */
import { createPinning } from "../../app/pinning.ts";
import type { Cache, GcReport } from "../../core/cache.ts";
import type { EntryKey } from "../../core/entry.ts";
import type { PinnedEntry, Pinning } from "../../core/pins.ts";
import type { RoomFacts } from "../../core/quota.ts";

/** A store without limits in which nobody has anything. */
export const NO_ROOM_FACTS: RoomFacts = {
  namespaces: [],
  pinned: { entries: 0, bytes: 0, max_bytes: null },
};

/** What a collection tells of such a store. */
export const NO_SHARES = {
  namespaces: [],
  next_entries: [],
  kept: [],
  pinned: NO_ROOM_FACTS.pinned,
} satisfies Partial<GcReport>;

/** The real answers, over whatever cache. */
export function memoryPins(cache: Cache): Pinning {
  const pins = new Map<string, PinnedEntry>();
  const nameOf = ({ namespace, scope, protocol, key }: EntryKey) =>
    JSON.stringify([namespace, scope, protocol, key]);
  const those = (keys: readonly EntryKey[]) => keys.flatMap((key) => pins.get(nameOf(key)) ?? []);
  return createPinning(cache, {
    async pin(keys, by) {
      for (const key of keys) pins.set(nameOf(key), { ...key, by, at: 1, bytes: 0 });
      return those(keys);
    },
    async unpin(keys) {
      const gone = those(keys);
      for (const key of keys) pins.delete(nameOf(key));
      return gone;
    },
    list: async (namespace) => [...pins.values()].filter((pin) => pin.namespace === namespace),
  });
}
