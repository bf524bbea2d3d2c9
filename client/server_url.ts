/** The address of a server, checked before anything is sent there. */
import { CacheError } from "../core/errors.ts";

/** Where a server is. */
export interface ServerUrl {
  /** Without a slash at its end; a path in front of ours is kept. */
  readonly base: string;
  /** As the Host header has it: the default port is left out. */
  readonly host: string;
  /** Whether others on the way can read what is sent: plain HTTP to another machine. */
  readonly exposed: boolean;
}

/**
 * Reads `http://host:8080` or `https://host/prefix`.
 * @throws {CacheError} `invalid_argument` for anything else, also with a user or password in it
 */
export function parseServerUrl(text: string): ServerUrl {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (!url || (url.protocol !== "http:" && url.protocol !== "https:")) {
    // The text is not repeated: it may hold a password.
    throw refuse("it is none, want http://host:port or https://host");
  }
  if (url.username !== "" || url.password !== "") {
    throw refuse("it has a user or password, want it without", "put the token into a file");
  }
  if (url.search !== "" || url.hash !== "") {
    throw refuse(`"${url.origin}" is followed by a query or fragment, want it without`);
  }
  return {
    base: url.origin + url.pathname.replace(/\/+$/, ""),
    host: url.host,
    exposed: url.protocol === "http:" && !isLoopback(url.hostname),
  };
}

/** Whether a host name is this machine, whatever the resolver says. */
export function isLoopback(hostname: string): boolean {
  // `URL` has made 127.1 and 0x7f000001 into four numbers already.
  return /^127(?:\.\d{1,3}){3}$/.test(hostname) || hostname === "[::1]" ||
    hostname === "localhost" || hostname.endsWith(".localhost");
}

function refuse(state: string, hint?: string): CacheError {
  return new CacheError("invalid_argument", `Cannot use the server's URL: ${state}`, {
    operation: "client.connect",
    ...(hint === undefined ? {} : { hint }),
  });
}
