/**
 * Which hosts and origins are ours. A page of another site can make a browser send requests here,
 * by DNS rebinding even under its own name; both show in Host or Origin.
 */
import { CacheError } from "../../core/errors.ts";

const LOOPBACK = /^(?:localhost|.+\.localhost|127(?:\.\d{1,3}){3}|\[::1\])$/;
const AUTHORITY = /^(\[[0-9a-f:.]+\]|[a-z0-9._-]+)(?::\d{1,5})?$/;
const REMEMBERED = 256;

/**
 * Makes the predicate of `ServerDeps.allowsHost`: loopback is always allowed, and every name or
 * address in `names` (without a port; IPv6 with or without brackets), whatever the port.
 */
export function allowHosts(names: Iterable<string>): (authority: string) => boolean {
  const allowed = new Set<string>();
  for (const name of names) {
    const lower = name.toLowerCase();
    allowed.add(lower.includes(":") && !lower.startsWith("[") ? `[${lower}]` : lower);
  }
  const known = new Map<string, boolean>();
  return (authority) => {
    let verdict = known.get(authority);
    if (verdict === undefined) {
      const host = AUTHORITY.exec(authority.toLowerCase())?.[1]?.replace(/\.$/, "");
      verdict = host !== undefined && (LOOPBACK.test(host) || allowed.has(host));
      if (known.size >= REMEMBERED) known.clear();
      known.set(authority, verdict);
    }
    return verdict;
  };
}

/** The 421 for a host that is not ours. */
export function foreignHost(authority: string): CacheError {
  const name = authority.slice(0, 100);
  return new CacheError("permission_denied", `Cannot answer for host "${name}": it is not mine`, {
    operation: "host.check",
    context: { status: 421 },
    hint: `start the server with --allowed-host ${hostOf(authority)} if this name is right`,
  });
}

/** The 403 for a page of another site; `undefined` for an origin of our own, or none. */
export function foreignOrigin(
  origin: string | null,
  allowsHost: (authority: string) => boolean,
): CacheError | undefined {
  if (origin === null) return undefined;
  const authority = /^https?:\/\/([^/?#]+)$/i.exec(origin)?.[1];
  if (authority !== undefined && allowsHost(authority)) return undefined;
  const name = origin.slice(0, 100);
  return new CacheError("permission_denied", `Cannot answer a page of "${name}": not my origin`, {
    operation: "origin.check",
    hint: "start the server with --allowed-host if this name is right",
  });
}

function hostOf(authority: string): string {
  return AUTHORITY.exec(authority.toLowerCase())?.[1] ?? "<name>";
}
