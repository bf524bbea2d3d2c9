/** Pins as a thread offers them: which entries are meant is found here, the writer pins them. */
import type { Cache } from "../core/cache.ts";
import type { EntryKey } from "../core/entry.ts";
import { CacheError } from "../core/errors.ts";
import { MAX_PIN_KEYS } from "../core/limits.ts";
import type { PinnedEntry, Pinning, PinRequest } from "../core/pins.ts";
import { exactEntries } from "./exact_entries.ts";

/** The way to the pins of the store. */
export interface PinPort {
  pin(keys: readonly EntryKey[], by: string): Promise<PinnedEntry[]>;
  unpin(keys: readonly EntryKey[], by: string): Promise<PinnedEntry[]>;
  list(namespace: string): Promise<PinnedEntry[]>;
}

/** What the writer does for a serving thread, by the names of its operations. */
export type PinCall =
  | { readonly what: "pin" | "unpin"; readonly keys: readonly EntryKey[]; readonly by: string }
  | { readonly what: "list"; readonly namespace: string };

/** Entries looked at between two turns of everybody else on this thread. */
const TURN = 1000;

/** Pins over whatever cache, and the writer behind it. */
export function createPinning(cache: Pick<Cache, "scan">, port: PinPort): Pinning {
  const listed = async (namespace: string, scopes: readonly string[] | undefined) =>
    (await port.list(namespace)).filter(({ scope }) => !scopes || scopes.includes(scope));
  return {
    pin: async (request) => await port.pin(await meant(cache, request), request.by),
    async unpin(request) {
      const { namespace, keys, protocol, scopes, tag } = request;
      // What is pinned is found among the pins, also where its entry is not whole any more.
      const pinned = (await listed(namespace, scopes)).filter((pin) =>
        (protocol === undefined || pin.protocol === protocol) && (!keys || keys.includes(pin.key))
      );
      if (tag === undefined) return await port.unpin(pinned, request.by);
      const tagged = await Promise.all(pinned.map(async (pin) => {
        const found = await exactEntries(cache, pin.key, { ...pin, scopes: [pin.scope] });
        return found.some(({ tags }) => tags.includes(tag)) ? [pin] : [];
      }));
      return await port.unpin(tagged.flat(), request.by);
    },
    pins: listed,
  };
}

async function meant(cache: Pick<Cache, "scan">, request: PinRequest): Promise<EntryKey[]> {
  const { namespace, keys, tag, protocol, scopes, signal } = request;
  const found: EntryKey[] = [];
  const take = ({ namespace, scope, protocol, key }: EntryKey) => {
    found.push({ namespace, scope, protocol, key });
    if (found.length <= MAX_PIN_KEYS) return;
    throw new CacheError(
      "too_large",
      `Cannot pin: more than ${MAX_PIN_KEYS} entries are meant, want fewer`,
      { operation: "pins.pin", context: { limit: MAX_PIN_KEYS } },
    );
  };
  if (keys) {
    for (const key of new Set(keys)) {
      const entries = await exactEntries(cache, key, { namespace, protocol, scopes, signal });
      for (const entry of entries) if (!tag || entry.tags.includes(tag)) take(entry);
    }
    return found;
  }
  let looked = 0;
  for await (const item of cache.scan({ namespace, protocol, scopes, signal })) {
    if (++looked % TURN === 0) await new Promise((resolve) => setImmediate(resolve));
    if (item.type === "entry" && tag && item.entry.tags.includes(tag)) take(item.entry);
  }
  return found;
}
