/** Servers of the runtime on one port, one after the other: the lifetime behind `listen`. */
import { onAbort } from "../../core/abort.ts";
import { Background } from "../../core/background.ts";
import type { Clock } from "../../core/clock.ts";
import { systemClock } from "../../core/clock.ts";
import { toCacheError } from "../../core/errors.ts";
import { STOP_GRACE_MS } from "../../core/limits.ts";
import type { Handler } from "../deps.ts";
import { AnswerRoom } from "./answer_room.ts";
import { listenError } from "./claim_address.ts";
import type { Listener, ListenerEvent, ListenOptions } from "./contract.ts";
import { ConnectionGuard } from "./guard.ts";
import type { LocalAddress } from "./proc_net.ts";
import type { Running } from "./running.ts";
import { whenReady } from "./running.ts";
import { watchTlsPair } from "./tls_files.ts";
import type { TlsPair } from "./tls_files.ts";

const FIRST_RETRY_MS = 50;
const LAST_RETRY_MS = 2_000;
/** Milliseconds of good service after which a failure counts as the first again. */
const GOOD_SERVICE_MS = 20_000;
/** Milliseconds that ended connections get to be noticed by the runtime. */
const LAST_MOMENT_MS = 1_000;

/** See `listen`. */
export class PortListener implements Listener {
  readonly addr: LocalAddress;
  readonly #handler: Handler;
  readonly #options: ListenOptions;
  readonly #clock: Clock;
  readonly #tell: (event: ListenerEvent) => void;
  readonly #room = new AnswerRoom();
  readonly #guard: ConnectionGuard;
  readonly #background: Background;
  readonly #stop = new AbortController();
  readonly #closed = Promise.withResolvers<void>();
  readonly #running = new Set<Running>();
  #current: Running | undefined;
  #pair: TlsPair | undefined;
  #retryMs = FIRST_RETRY_MS;

  /** Starts nothing yet. `addr` has the port really taken. */
  constructor(handler: Handler, addr: LocalAddress, options: ListenOptions) {
    this.addr = addr;
    this.#handler = handler;
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.#tell = options.onEvent ?? (() => {});
    this.#background = new Background((error) =>
      this.#tell({ type: "failed", what: error.operation ?? "listener", error })
    );
    this.#guard = new ConnectionGuard({
      ...options,
      local: addr,
      clock: this.#clock,
      onEvent: this.#tell,
      check: (listening) => this.#checkAccepting(listening),
      rotate: () => this.#replace(),
    });
  }

  get closed(): Promise<void> {
    return this.#closed.promise;
  }

  connections(): number {
    return this.#guard.open;
  }

  /** Listens for the first time; throws what `listen` throws. */
  start(pair: TlsPair | undefined): void {
    this.#pair = pair;
    try {
      this.#current = this.#serve();
    } catch (thrown) {
      this.#guard[Symbol.dispose]();
      throw listenError(thrown, this.addr);
    }
    if (!this.#guard.protects) this.#tell({ type: "unprotected" });
    const { signal } = this.#stop;
    this.#background.run("listener.watch", this.#guard.watch(signal));
    const files = this.#options.tls;
    if (files && pair) {
      const watch = watchTlsPair(files, {
        inUse: pair,
        clock: this.#clock,
        signal,
        pollMs: this.#options.tlsPollMs,
        use: (fresh) => this.#useTlsPair(fresh),
        onError: (thrown) =>
          this.#tell({ type: "tls_refused", error: toCacheError(thrown, "listener.tls") }),
      });
      this.#background.run("listener.tls", watch);
    }
    const stopping = onAbort(this.#options.signal, () => void this.shutdown());
    void this.closed.then(() => stopping[Symbol.dispose]());
  }

  shutdown(graceMs: number = STOP_GRACE_MS): Promise<void> {
    if (!this.#stop.signal.aborted) {
      this.#stop.abort(new DOMException("the listener stops", "AbortError"));
      this.#shutDown(graceMs).then(this.#closed.resolve, this.#closed.reject);
    }
    return this.closed;
  }

  /** Starts one more server of the runtime on the port. */
  #serve(pair = this.#pair): Running {
    const abort = new AbortController();
    const { result: server, inode } = this.#guard.begun(() =>
      Deno.serve({
        ...this.addr,
        ...(pair ?? {}),
        // So that the next one can start before this one ends.
        reusePort: Deno.build.os === "linux" || this.#options.reusePort === true,
        signal: abort.signal,
        onListen: () => {},
        onError: (thrown) => this.#handlerFailed(thrown),
      }, (request, info) => this.#answer(running, request, info))
    );
    const running: Running = {
      server,
      abort,
      startedAt: this.#clock.monotonic(),
      inode,
      failed: false,
      draining: false,
      unanswered: 0,
      answered: new Set(),
    };
    this.#running.add(running);
    server.finished.then(() => this.#running.delete(running), (thrown) => {
      this.#acceptFailed(running, thrown);
      this.#running.delete(running);
    });
    return running;
  }

  #answer(
    running: Running,
    request: Request,
    info: Deno.ServeHandlerInfo<Deno.NetAddr>,
  ): Response | Promise<Response> {
    const visit = this.#guard.visit(info);
    if (this.#stop.signal.aborted) {
      this.#guard.enter(visit, info);
      return new Response(null, { status: 503, headers: { "connection": "close" } });
    }
    const answer = this.#handler(request, visit);
    // Most answers: everything about them costs less than a promise.
    if (visit.whole !== undefined && answer instanceof Response) {
      this.#guard.note(visit);
      if (!this.#pair) this.#room.make(answer, visit.id);
      return answer;
    }
    this.#guard.enter(visit, info);
    return whenReady(running, { visit, answer, room: this.#pair ? undefined : this.#room });
  }

  /** A handler answers everything itself; this is for a bug in one. */
  #handlerFailed(thrown: unknown): Response {
    this.#tell({
      type: "failed",
      what: "handler",
      error: toCacheError(thrown, "listener.handler"),
    });
    return new Response(null, { status: 500 });
  }

  /** Deno 2.7 tells that accepting has failed only after the last connection has ended. */
  #checkAccepting(listening: readonly number[]): void {
    const current = this.#current;
    if (current?.inode === undefined || current.failed) return;
    if (listening.includes(current.inode)) return;
    this.#acceptFailed(current, new Deno.errors.Http("the socket listens no more"));
  }

  #acceptFailed(running: Running, thrown: unknown): void {
    if (running.failed) return;
    running.failed = true;
    if (!this.#stop.signal.aborted) {
      this.#background.run("listener.restart", this.#restart(running, thrown));
    }
  }

  /** Accepting has failed, mostly for want of descriptors; the port is free now. */
  async #restart(failed: Running, thrown: unknown): Promise<void> {
    // Its connections go on; where single ones can not be ended, all must go.
    if (!this.#guard.protects) failed.abort.abort();
    if (this.#current !== failed) return;
    const servedMs = this.#clock.monotonic() - failed.startedAt;
    if (servedMs > GOOD_SERVICE_MS) this.#retryMs = FIRST_RETRY_MS;
    for (let error = thrown;;) {
      const retryInMs = this.#retryMs;
      this.#retryMs = Math.min(retryInMs * 2, LAST_RETRY_MS);
      const reason = toCacheError(error, "listener.accept");
      this.#tell({ type: "accept_failed", error: reason, retryInMs });
      this.#guard.relieve();
      try {
        await this.#clock.sleep(retryInMs, this.#stop.signal);
      } catch {
        return; // stopped while waiting
      }
      try {
        this.#current = this.#serve();
        this.#tell({ type: "listening_again" });
        return;
      } catch (again) {
        error = again;
      }
    }
  }

  #useTlsPair(pair: TlsPair): void {
    this.#replace(pair);
    this.#tell({ type: "tls_reloaded" });
  }

  /** A pair that is no good throws here, and changes nothing. */
  #replace(pair = this.#pair): void {
    const old = this.#current;
    this.#current = this.#serve(pair);
    this.#pair = pair;
    if (old) this.#background.run("listener.drain", this.#drainLater(old, STOP_GRACE_MS));
  }

  /** Takes nothing new, closes what is idle, lets the rest finish. */
  #drain(running: Running): void {
    if (running.draining || running.failed) return;
    running.draining = true;
    const drained = running.server.shutdown().finally(() => this.#running.delete(running));
    this.#background.run("listener.drain", drained);
  }

  /**
   * Waits `graceMs` at most until every request that came in has its answer: `shutdown` of the
   * runtime breaks bodies that are still being read, though it lets answers finish.
   */
  async #allAnswered(running: Running, graceMs: number): Promise<void> {
    if (running.unanswered === 0) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    running.answered.add(resolve);
    await this.#within(promise, graceMs);
    running.answered.delete(resolve);
  }

  /** As `#drain`, after the uploads that are under way. */
  async #drainLater(running: Running, graceMs: number): Promise<void> {
    await this.#allAnswered(running, graceMs);
    this.#drain(running);
  }

  async #shutDown(graceMs: number): Promise<void> {
    using guard = this.#guard;
    if (guard.protects) {
      const began = this.#clock.monotonic();
      await Promise.all([...this.#running].map((running) => this.#drainLater(running, graceMs)));
      const leftMs = Math.max(graceMs - (this.#clock.monotonic() - began), 0);
      await this.#within(Promise.all([guard.quiet(), this.#drained()]), leftMs);
      guard.endBusy();
    } else {
      // Nothing can end a connection of a draining server here, so it goes on listening, answers
      // 503, and is aborted as a whole.
      await this.#within(guard.quiet(), graceMs);
    }
    // To abort one that drains would throw where nobody can catch it.
    for (const { abort, draining } of this.#running) if (!draining) abort.abort();
    await this.#within(this.#background[Symbol.asyncDispose](), LAST_MOMENT_MS);
  }

  async #drained(): Promise<void> {
    const draining = [...this.#running].filter((running) => running.draining);
    await Promise.allSettled(draining.map((running) => running.server.finished));
  }

  /** Whether `work` is done within `ms`. */
  async #within(work: Promise<unknown>, ms: number): Promise<boolean> {
    const over = new AbortController();
    const late = this.#clock.sleep(ms, over.signal).then(() => false, () => true);
    return await Promise.race([work.then(() => true), late]).finally(() => over.abort());
  }
}
