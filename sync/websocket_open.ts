/** How a WebSocket comes to be, on the side that asks and on the side that is asked. */
import type { Clock } from "../core/clock.ts";
import { CacheError, isKind } from "../core/errors.ts";
import { OPEN_MS } from "../core/sync_limits.ts";
import type { Transport } from "../core/transport.ts";
import { withinTime } from "./within_time.ts";
import { webSocketTransport } from "./websocket_transport.ts";

/** The sub-protocol of version 1. */
export const SUBPROTOCOL = "vitte-sync.1";

/** What a client says in its request. */
export interface ConnectOptions {
  readonly clock: Clock;
  readonly headers?: Readonly<Record<string, string>>;
  /** Aborting gives up an opening; an open connection is the caller's. */
  readonly signal?: AbortSignal;
}

/**
 * Opens a WebSocket to `url` (`ws:` or `wss:`). The caller closes it.
 * @throws {CacheError} `unavailable` when nobody answers, or with something else than a WebSocket:
 * the runtime does not tell which status; `timeout`
 */
export async function connectWebSocket(
  url: URL,
  { clock, headers = {}, signal }: ConnectOptions,
): Promise<Transport> {
  signal?.throwIfAborted();
  const socket = new WebSocket(url, { protocols: [SUBPROTOCOL], headers: { ...headers } });
  const transport = webSocketTransport(socket, { clock });
  try {
    await withinTime(transport.opened(), { clock, ms: OPEN_MS, signal, late: () => late(url) });
    return transport;
  } catch (thrown) {
    await transport.close("not opened");
    throw signal?.aborted ? signal.reason : cannotOpen(url, thrown);
  }
}

/** What a server answers with. */
export interface AcceptedWebSocket {
  /** To be returned to the runtime; only then the connection is open. */
  readonly response: Response;
  readonly transport: Transport;
}

/**
 * Takes a request for a WebSocket.
 * @throws {CacheError} `invalid_argument` for one that is none, or of another protocol
 */
export function acceptWebSocket(
  request: Request,
  { clock }: { readonly clock: Clock },
): AcceptedWebSocket {
  const offered = request.headers.get("Sec-WebSocket-Protocol")?.split(",") ?? [];
  const upgrade = request.headers.get("Upgrade")?.toLowerCase();
  if (upgrade !== "websocket" || !offered.some((name) => name.trim() === SUBPROTOCOL)) {
    throw new CacheError("invalid_argument", `Cannot open a session: want ${SUBPROTOCOL}`, {
      operation: "session.accept",
      context: { status: 426 },
    });
  }
  // The runtime's own pings stay on: what they find dead is closed down to its descriptor.
  const { socket, response } = Deno.upgradeWebSocket(request, { protocol: SUBPROTOCOL });
  return { response, transport: webSocketTransport(socket, { clock }) };
}

function late(url: URL): CacheError {
  return new CacheError("timeout", `Cannot open a session with ${url.host}: no answer`, {
    operation: "session.open",
  });
}

function cannotOpen(url: URL, thrown: unknown): CacheError {
  if (isKind(thrown, "timeout")) return thrown;
  return new CacheError("unavailable", `Cannot open a session with ${url.host}: no WebSocket`, {
    operation: "session.open",
    cause: thrown,
  });
}
