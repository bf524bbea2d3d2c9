/** One session with a peer, from HELLO to its end. */
import { abortable, onAbort } from "../../core/abort.ts";
import type { Clock } from "../../core/clock.ts";
import type { Bytes } from "../../core/digest.ts";
import { CacheError, toCacheError } from "../../core/errors.ts";
import type { ErrorKind } from "../../core/errors.ts";
import { HELLO_MS, MAX_UNREAD_BYTES, PING_MS, PONG_MS } from "../../core/sync_limits.ts";
import type { SyncPlace, SyncStore } from "../../core/sync_store.ts";
import type { SignalOptions } from "../../core/bytes.ts";
import type { Transport } from "../../core/transport.ts";
import { connectionEnded } from "../transport_errors.ts";
import { withinTime } from "../within_time.ts";
import type { ComparisonResult } from "./comparison.ts";
import { Comparisons } from "./comparisons.ts";
import { decodeSession } from "./decode.ts";
import { agree, ownHello } from "./hello.ts";
import type { Agreed } from "./hello.ts";
import { Incoming } from "./incoming.ts";
import { SESSION_NUMBER, violation } from "./messages.ts";
import type { CreditClass, SessionMessages } from "./messages.ts";
import { Outgoing } from "./outgoing.ts";
import { Speaker } from "./speaker.ts";

/** What one side of a session is made of. */
export interface SessionOptions {
  /** Who opened the connection; the two sides number their comparisons apart. */
  readonly role: "opener" | "answerer";
  readonly store: SyncStore;
  readonly clock: Clock;
  /** The same on both sides and new in each session, at least 16 bytes: its handshake hash. */
  readonly salt: Bytes;
}

/** Two stores talk; `run` has to be called once, and is the session's life. */
export class Session {
  readonly outgoing: Outgoing;
  readonly incoming: Incoming;
  readonly #transport: Transport;
  readonly #options: SessionOptions;
  readonly #speaker: Speaker;
  readonly #ended = new AbortController();
  readonly #hello = Promise.withResolvers<Agreed>();
  readonly #comparisons: Comparisons;
  #pong: { readonly number: bigint; readonly came: () => void } | undefined;
  #agreed = false;
  #failed: CacheError | undefined;

  constructor(transport: Transport, options: SessionOptions) {
    this.#transport = transport;
    this.#options = options;
    const ended = this.#ended.signal;
    const { store } = options;
    this.#speaker = new Speaker(transport, { ended, fail: (error) => this.#fail(error) });
    const shared = { store, speaker: this.#speaker, ended };
    this.outgoing = new Outgoing(shared);
    this.incoming = new Incoming({
      ...shared,
      committed: (number, result) => this.#comparisons.get(number)?.committed(result),
    });
    const { outgoing, incoming } = this;
    this.#comparisons = new Comparisons({ ...options, ...shared, outgoing, incoming });
    // Whoever asks hears of a failure; until then it must not end the process.
    this.#hello.promise.catch(() => {});
  }

  /** What both sides agreed on, once both have said HELLO. */
  get agreed(): Promise<Agreed> {
    return this.#hello.promise;
  }

  /**
   * Talks until either side ends it. Resolves after an end in order.
   * @throws {CacheError} why it failed; the other side is told the kind
   */
  async run({ signal }: SignalOptions = {}): Promise<void> {
    using _listener = onAbort(
      signal,
      () => this.#fail(toCacheError(signal!.reason, "session.run")),
    );
    this.#transport.allowUnread(MAX_UNREAD_BYTES);
    const mine = ownHello(this.#options.clock);
    this.#speaker.control((says) => says.hello(mine));
    this.#speaker.background(() => this.#keepAlive());
    const told = this.#told();
    try {
      for await (const frame of { [Symbol.asyncIterator]: () => this.#frames() }) {
        // Frames of a transport are never empty.
        if ((frame[0] === SESSION_NUMBER.hello) === this.#agreed) {
          throw violation("HELLO is the first message, and only that");
        }
        decodeSession(frame, told(frame.length));
      }
      this.#end(connectionEnded("by the other side"));
    } catch (thrown) {
      this.#fail(toCacheError(thrown, "session.run"));
    }
    await this.#transport.close(this.#failed ?? "done");
    await this.#speaker.idle();
    if (this.#failed) throw this.#failed;
  }

  /**
   * Makes both sides hold the same in one place. `push` false keeps what the other side lacks.
   * @throws {CacheError} `not_found` where the other side shows nothing, `unavailable` when the
   * session has ended or the other side takes no more
   */
  async compare(
    place: SyncPlace,
    { push = true, signal }: SignalOptions & { readonly push?: boolean } = {},
  ): Promise<ComparisonResult> {
    await abortable(this.#hello.promise, signal);
    if (this.#ended.signal.aborted) throw this.#ended.signal.reason;
    return await this.#comparisons.open(place, { push, signal });
  }

  /** Voids all records of a namespace that are older than this epoch, at the other side too. */
  invalidate(namespace: string, epoch: number): void {
    this.#speaker.control((says) => says.invalidate({ namespace, epoch }));
  }

  /** Takes and opens no comparison any more; those that are open go on. */
  goAway(kind: ErrorKind = "unavailable"): void {
    this.#comparisons.goAway();
    this.#speaker.control((says) => says.goaway({ kind }));
  }

  /** Ends the session in order. */
  async close(): Promise<void> {
    this.#end(connectionEnded("by this side"));
    await this.#transport.close("done");
    await this.#speaker.idle();
  }

  #fail(error: CacheError): void {
    if (this.#ended.signal.aborted) return;
    this.#failed = error;
    this.#end(error);
    this.#speaker.background(() => this.#transport.close(error));
  }

  #end(error: CacheError): void {
    if (this.#ended.signal.aborted) return;
    this.#ended.abort(error);
    this.#hello.reject(error);
    this.#comparisons.end(error);
  }

  #frames(): AsyncIterator<Bytes> {
    const frames = this.#transport.frames[Symbol.asyncIterator]();
    return {
      next: async () => {
        if (this.#ended.signal.aborted) throw this.#ended.signal.reason;
        if (this.#agreed) return await abortable(frames.next(), this.#ended.signal);
        return await withinTime(frames.next(), {
          clock: this.#options.clock,
          ms: HELLO_MS,
          late: () => late("HELLO"),
          signal: this.#ended.signal,
        });
      },
    };
  }

  /** What is done with each message; the number of its bytes comes first. */
  #told(): (bytes: number) => SessionMessages {
    let bytes = 0;
    const credited = (name: CreditClass) => this.#speaker.windows.received(name, bytes);
    const { store } = this.#options;
    const told: SessionMessages = {
      hello: (theirs) => {
        const { clock } = this.#options;
        const agreed = agree(ownHello(clock), theirs, clock);
        this.#agreed = true;
        this.#hello.resolve(agreed);
      },
      compare: ({ comparison, body }) => this.#comparisons.receive(comparison, body),
      records: (message) => {
        credited("work");
        const comparison = this.#comparisons.known(message.comparison);
        if (message.records.length === 0) this.#speaker.stored("work", bytes);
        else {
          const place = comparison?.place;
          const kept = place && store.can("write", place) ? place : undefined;
          this.incoming.records(message, kept, bytes);
        }
        if (message.last) comparison?.last();
      },
      want: (message) => this.outgoing.want(message),
      recipe: (message) => {
        credited("work");
        this.incoming.recipe(message, bytes);
      },
      chunk: (message) => {
        credited("bulk");
        this.incoming.chunk(message, bytes);
      },
      pack: (message) => {
        credited("work");
        this.incoming.pack(message, bytes);
      },
      commit: (message) => this.incoming.commit(message),
      commitAck: (message) => this.outgoing.acknowledge(message),
      credit: (message) => this.#speaker.account.grant(message.class, message.bytes),
      cancel: ({ comparison, kind }) => this.#comparisons.cancelled(comparison, kind),
      ping: ({ number }) => this.#speaker.control((says) => says.pong({ number })),
      pong: ({ number }) => {
        if (this.#pong?.number !== number) throw violation("it answers a PING that was not sent");
        this.#pong.came();
        this.#pong = undefined;
      },
      invalidate: ({ namespace, epoch }) => {
        if (!store.can("invalidate", { namespace, scope: "" })) {
          throw new CacheError(
            "permission_denied",
            "Cannot invalidate: the peer may not do that here",
            { operation: "session.receive" },
          );
        }
        const signal = this.#ended.signal;
        this.#speaker.background(() => store.invalidate(namespace, epoch, { signal }));
      },
      goaway: () => this.#comparisons.goAway(),
    };
    return (length) => {
      bytes = length;
      return told;
    };
  }

  async #keepAlive(): Promise<void> {
    const { clock } = this.#options;
    const signal = this.#ended.signal;
    try {
      for (let number = 1n;; number++) {
        await clock.sleep(PING_MS, signal);
        const { promise, resolve } = Promise.withResolvers<void>();
        this.#pong = { number, came: resolve };
        this.#speaker.control((says) => says.ping({ number }));
        await withinTime(promise, { clock, ms: PONG_MS, late: () => late("PONG"), signal });
      }
    } catch (error) {
      if (!signal.aborted) throw error;
    }
  }
}

function late(what: string): CacheError {
  return new CacheError("timeout", `Cannot go on with the peer: no ${what} came in time`, {
    operation: "session.receive",
  });
}
