/**
 * How a session becomes secure. Message 1 travels in the request that opens the connection, message 2
 * is the server's first frame, so the two cost no round trip of their own; over a transport without
 * requests message 1 is the client's first frame.
 *
 * Message 1 can be replayed by whoever saw it. So the server does nothing for it but answer, and what
 * is in it must do no harm when it is heard twice.
 */
import type { SignalOptions } from "../core/bytes.ts";
import type { Clock } from "../core/clock.ts";
import type { Bytes } from "../core/digest.ts";
import { CacheError, toCacheError } from "../core/errors.ts";
import type { Secret } from "../core/secret.ts";
import {
  HANDSHAKE_MS,
  MAX_FIRST_MESSAGE_BYTES,
  MAX_UNREAD_BYTES,
  UNCONFIRMED_BYTES,
} from "../core/sync_limits.ts";
import type { Transport } from "../core/transport.ts";
import type { AgreementKey } from "../core/x25519.ts";
import type { SessionCredentials } from "./credentials.ts";
import type { RekeyOptions } from "./noise/channel.ts";
import { HandshakeState } from "./noise/handshake_state.ts";
import type { NoisePattern } from "./noise/patterns.ts";
import type { SessionRequest } from "./prologue.ts";
import { buildPrologue } from "./prologue.ts";
import { SecureTransport } from "./secure_transport.ts";
import { handshakeLate } from "./transport_errors.ts";
import { withinTime } from "./within_time.ts";

/** What the rest of a handshake needs. */
export interface HandshakeTime extends SignalOptions {
  readonly clock: Clock;
  readonly rekey?: RekeyOptions;
}

/** What a client begins with. */
export interface OpeningOptions {
  readonly credentials: SessionCredentials;
  /** As the server will see it. */
  readonly request: Omit<SessionRequest, "tokenId">;
  /** For the server, inside message 1: replayable. */
  readonly hello: Bytes;
}

/** A handshake that the client has begun. */
export interface Opening {
  /** Message 1. */
  readonly first: Bytes;
  /**
   * Reads message 2, the server's first frame. Owns `inner` from now on.
   * @throws {CacheError} `unauthenticated` when it is not from the server of the token; `timeout`,
   * or how the connection ended. `inner` is closed then
   */
  finish(inner: Transport, time: HandshakeTime): Promise<OpenedSession>;
}

/** A session from the client's side; the server's is its transport alone. */
export interface OpenedSession {
  readonly transport: SecureTransport;
  /** What the server said in message 2. */
  readonly welcome: Bytes;
}

/** Begins a handshake. @throws {CacheError} `too_large` for a long `hello`; `invalid_argument` */
export async function beginSession(
  { credentials, request, hello }: OpeningOptions,
): Promise<Opening> {
  const { pattern, psk, serverKey, tokenId } = credentials;
  const state = new HandshakeState({
    pattern,
    role: "initiator",
    prologue: buildPrologue({ ...request, tokenId }),
    psk: psk.reveal(),
    ...(serverKey ? { peer: serverKey } : {}),
  });
  const first = await state.writeMessage(hello);
  checkFirst(first);
  return {
    first,
    finish: (inner, time) =>
      closingOnFailure(inner, async () => {
        const second = await handshakeFrame(inner, time);
        // The server may send on behind it while it is being opened.
        inner.allowUnread(UNCONFIRMED_BYTES);
        const welcome = await state.readMessage(second);
        inner.allowUnread(MAX_UNREAD_BYTES);
        const transport = new SecureTransport(inner, state.result(), time);
        await transport.confirm();
        return { transport, welcome };
      }),
  };
}

/** What a server answers with: what it keeps of the token, and the request as it saw it. */
export interface AnswerOptions {
  readonly pattern: NoisePattern;
  readonly request: SessionRequest;
  /** 32 bytes, of the token that the request names. */
  readonly psk: Secret<Bytes>;
  /** The server's static key, where the pattern has one. */
  readonly serverKey?: AgreementKey;
}

/** A message 1 that was made by a holder of the token, now or before. */
export interface SessionOffer {
  /** What the client said in it. Maybe a replay. */
  readonly hello: Bytes;
  /**
   * Sends message 2 with `welcome` in it. Owns `inner` from now on. Until the client has shown that he
   * holds the keys, at most 64 KiB of his lie unread, and after 5 s of reading the connection ends.
   */
  accept(inner: Transport, welcome: Bytes, time: HandshakeTime): Promise<SecureTransport>;
}

/**
 * Reads message 1.
 * @throws {CacheError} `unauthenticated` when no holder of the token made it for this request;
 * `invalid_argument`, `too_large`
 */
export async function readOpening(first: Bytes, options: AnswerOptions): Promise<SessionOffer> {
  checkFirst(first);
  const { pattern, request, psk, serverKey } = options;
  const state = new HandshakeState({
    pattern,
    role: "responder",
    prologue: buildPrologue(request),
    psk: psk.reveal(),
    ...(serverKey ? { own: serverKey } : {}),
  });
  const hello = await state.readMessage(first);
  return {
    hello,
    accept: (inner, welcome, time) =>
      closingOnFailure(inner, async () => {
        const second = await state.writeMessage(welcome);
        await withinTime(inner.send(second), { ...time, ...LIMIT });
        const options = { ...time, awaitConfirmation: true };
        const transport = new SecureTransport(inner, state.result(), options);
        transport.listen();
        return transport;
      }),
  };
}

/** Message 1 where it comes as a frame. @throws {CacheError} `timeout`, `too_large`, `unavailable` */
export async function receiveFirst(
  inner: Transport,
  time: Omit<HandshakeTime, "rekey">,
): Promise<Bytes> {
  return await closingOnFailure(inner, async () => {
    const first = await handshakeFrame(inner, time);
    checkFirst(first);
    return first;
  });
}

const LIMIT = { ms: HANDSHAKE_MS, late: handshakeLate };

async function handshakeFrame(inner: Transport, time: HandshakeTime): Promise<Bytes> {
  const next = inner.frames[Symbol.asyncIterator]().next();
  const { done, value } = await withinTime(next, { ...time, ...LIMIT });
  if (!done) return value;
  throw new CacheError(
    "unavailable",
    "Cannot agree on keys: the other side ended the connection instead",
    { operation: "session.open" },
  );
}

async function closingOnFailure<T>(inner: Transport, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (thrown) {
    await inner.close(toCacheError(thrown, "session.open"));
    throw thrown;
  }
}

function checkFirst(first: Bytes): void {
  if (first.length <= MAX_FIRST_MESSAGE_BYTES) return;
  throw new CacheError(
    "too_large",
    `Cannot open a session: message 1 has ${first.length} bytes, want at most ` +
      `${MAX_FIRST_MESSAGE_BYTES}`,
    { operation: "session.open" },
  );
}
