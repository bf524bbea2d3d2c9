/** By which names this server may be called: a foreign page must not reach it through DNS. */
import { networkInterfaces } from "node:os";
import { isLoopback } from "./reachability.ts";

/** Names beside those of this machine. */
export interface HostNames {
  readonly publicUrl: string | undefined;
  readonly allowedHosts: readonly string[];
  /** The machine's own name. */
  readonly hostname: string;
}

/**
 * Whether a Host header names this server: loopback, an address or the name of this machine,
 * `--public-url` or `--allowed-host`. Addresses are read once a minute.
 */
export function createHostCheck(
  names: HostNames,
  now: () => number,
): (host: string) => boolean {
  const fixed = new Set([names.hostname, ...names.allowedHosts].map((name) => name.toLowerCase()));
  if (names.publicUrl !== undefined) fixed.add(new URL(names.publicUrl).hostname.toLowerCase());
  const known = new Map<string, boolean>();
  let addresses = new Set<string>();
  let readAt = -Infinity;
  return (host) => {
    if (now() - readAt > ADDRESS_AGE_MS) {
      addresses = ownAddresses();
      readAt = now();
      known.clear();
    }
    const seen = known.get(host);
    if (seen !== undefined) return seen;
    const name = hostName(host);
    const good = name !== undefined &&
      (isLoopback(name) || fixed.has(name) || addresses.has(name));
    if (known.size < MAX_KNOWN) known.set(host, good);
    return good;
  };
}

const ADDRESS_AGE_MS = 60_000;
const MAX_KNOWN = 256;

/** `name`, `name:port`, `[v6]`, `[v6]:port`; `undefined` for anything else. */
function hostName(host: string): string | undefined {
  const match = /^(?:\[([0-9a-fA-F:.]+)\]|([A-Za-z0-9._-]+))(?::\d{1,5})?$/.exec(host);
  return (match?.[1] ?? match?.[2])?.toLowerCase();
}

function ownAddresses(): Set<string> {
  const all = Object.values(networkInterfaces()).flatMap((list) => list ?? []);
  return new Set(all.map((one) => one.address.toLowerCase().split("%")[0]!));
}
