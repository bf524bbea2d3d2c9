/** The serving threads as the main thread sees them: start, count, replace, stop. */
import type { Clock } from "../core/clock.ts";
import { newShare } from "../core/counters.ts";
import { CacheError, toCacheError } from "../core/errors.ts";
import { PeerTable } from "../server/listener/listen.ts";
import type { AccessSummary } from "./access_log.ts";
import type { Engine } from "./engine.ts";
import type { UsageDelta } from "./usage/tally.ts";
import type { MetricsJson } from "./metrics.ts";
import type { FromWorker, ToWorker, WorkerConfig } from "./worker_messages.ts";
import type { ServedThread } from "./writer_server.ts";

/** Options of {@linkcode ServingThreads}. */
export interface ServingThreadsOptions {
  readonly engine: Pick<Engine, "serveThread" | "counters" | "known">;
  readonly count: number;
  readonly config: WorkerConfig;
  readonly clock: Clock;
  readonly onNotice: (text: string) => void;
  readonly onSummary: (summary: AccessSummary) => void;
  readonly onUsage: (deltas: readonly UsageDelta[]) => void;
  /** Makes a thread. Default: `serve_worker.ts`. */
  readonly createWorker?: () => Worker;
}

interface Thread {
  /** Whether it ever listened. */
  begun: boolean;
  readonly worker: Worker;
  readonly served: ServedThread;
  /** What it holds for bodies under way. */
  readonly share: SharedArrayBuffer;
  readonly listening: PromiseWithResolvers<void>;
  readonly stopped: PromiseWithResolvers<void>;
}

/** Milliseconds before a thread that died is replaced; doubles while they keep dying. */
const RESTART_MS = 200;
const MAX_RESTART_MS = 10_000;
/** Milliseconds a thread may take to tell its numbers. */
const METRICS_MS = 2000;

/** Serving threads on one port. One that dies is replaced; the others go on. */
export class ServingThreads implements AsyncDisposable {
  readonly #options: ServingThreadsOptions;
  readonly #threads = new Set<Thread>();
  readonly #calls = new Map<number, (json: MetricsJson) => void>();
  readonly #peers = new SharedArrayBuffer(PeerTable.BYTES);
  #nextCall = 0;
  #restartMs = RESTART_MS;
  readonly #stop = new AbortController();

  constructor(options: ServingThreadsOptions) {
    this.#options = options;
  }

  /** Starts all of them; resolves when they listen. */
  async start(): Promise<void> {
    const threads = Array.from({ length: this.#options.count }, () => this.#spawn());
    await Promise.all(threads.map((thread) => thread.listening.promise));
  }

  /** The numbers of every thread that answers in time. */
  async collectMetrics(): Promise<MetricsJson[]> {
    const answers = [...this.#threads].map(async ({ worker }) => {
      const call = ++this.#nextCall;
      const { promise, resolve } = Promise.withResolvers<MetricsJson>();
      this.#calls.set(call, resolve);
      tell(worker, { type: "metrics", call });
      const late = new AbortController();
      const timeout = this.#options.clock.sleep(METRICS_MS, late.signal).then(() => [], () => []);
      const json = await Promise.race([promise, timeout]);
      late.abort();
      this.#calls.delete(call);
      return json;
    });
    return await Promise.all(answers);
  }

  /** Lets every thread finish what is in flight, `graceMs` at most. */
  async stop(graceMs: number): Promise<void> {
    this.#stop.abort();
    await Promise.all([...this.#threads].map(async (thread) => {
      tell(thread.worker, { type: "stop", graceMs });
      const late = new AbortController();
      const timeout = this.#options.clock.sleep(graceMs + 2000, late.signal).catch(() => {});
      await Promise.race([thread.stopped.promise, timeout]);
      late.abort();
      await this.#end(thread);
    }));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    for (const thread of this.#threads) await this.#end(thread);
  }

  get #stopping(): boolean {
    return this.#stop.signal.aborted;
  }

  #spawn(): Thread {
    const { engine } = this.#options;
    const worker = (this.#options.createWorker ?? createServeWorker)();
    const channel = new MessageChannel();
    const thread: Thread = {
      begun: false,
      worker,
      served: engine.serveThread(channel.port1),
      share: newShare(),
      listening: Promise.withResolvers(),
      stopped: Promise.withResolvers(),
    };
    this.#threads.add(thread);
    worker.onmessage = (event: MessageEvent<FromWorker>) => this.#heard(thread, event.data);
    worker.onerror = (event) => {
      event.preventDefault();
      void this.#died(thread, event.message);
    };
    const start: ToWorker = {
      type: "start",
      config: this.#options.config,
      peers: this.#peers,
      counters: engine.counters.buffer,
      share: thread.share,
      writer: channel.port2,
      known: engine.known,
    };
    worker.postMessage(start, [channel.port2]);
    return thread;
  }

  #heard(thread: Thread, message: FromWorker): void {
    switch (message.type) {
      case "listening":
        this.#restartMs = RESTART_MS;
        thread.begun = true;
        return thread.listening.resolve();
      case "failed":
        return thread.listening.reject(
          new CacheError("unavailable", message.message, {
            ...(message.hint === undefined ? {} : { hint: message.hint }),
          }),
        );
      case "summary":
        return this.#options.onSummary(message.summary);
      case "usage":
        return this.#options.onUsage(message.deltas);
      case "notice":
        return this.#options.onNotice(message.text);
      case "metrics":
        return this.#calls.get(message.call)?.(message.json);
      case "stopped":
        return thread.stopped.resolve();
      default:
        message satisfies never;
    }
  }

  async #died(thread: Thread, why: string): Promise<void> {
    this.#options.onNotice(`a serving thread ended and is replaced: ${why}`);
    thread.listening.reject(
      new CacheError("internal", `Cannot start a serving thread: ${why}`),
    );
    // Nobody has to wait for its goodbye.
    thread.stopped.resolve();
    const begun = thread.begun;
    await this.#end(thread);
    // One that never listened is tried again by whoever started it.
    if (begun) await this.#replace();
  }

  /** Starts threads, with growing pauses, until one listens or all is stopped. */
  async #replace(): Promise<void> {
    while (!this.#stopping) {
      try {
        await this.#options.clock.sleep(this.#restartMs, this.#stop.signal);
      } catch {
        // All is stopped: there is nothing to replace.
        return;
      }
      this.#restartMs = Math.min(this.#restartMs * 2, MAX_RESTART_MS);
      const thread = this.#spawn();
      try {
        return await thread.listening.promise;
      } catch (thrown) {
        if (this.#stopping) return;
        const { message } = toCacheError(thrown, "serve.replace");
        this.#options.onNotice(`a serving thread could not be replaced, again soon: ${message}`);
        await this.#end(thread);
      }
    }
  }

  async #end(thread: Thread): Promise<void> {
    if (!this.#threads.delete(thread)) return;
    // Who waits for it to listen waits in vain; mostly nobody does any more.
    thread.listening.promise.catch(() => {});
    thread.listening.reject(new CacheError("unavailable", "Cannot serve: the thread was ended"));
    thread.worker.terminate();
    await thread.served[Symbol.asyncDispose]();
    // Whoever died in the middle of bodies would else narrow the others' room for good.
    this.#options.engine.counters.giveBack(thread.share);
  }
}

// In words that `deno compile` finds: the file is taken into the executable.
function createServeWorker(): Worker {
  return new Worker(new URL("./serve_worker.ts", import.meta.url), { type: "module" });
}

function tell(worker: Worker, message: ToWorker): void {
  worker.postMessage(message);
}
