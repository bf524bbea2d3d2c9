/** A serving thread: listener and handler; reads by itself, writes through the writer's port. */
/// <reference lib="deno.worker" />
import { CacheError, toCacheError } from "../core/errors.ts";
import type { Listener, ListenerEvent } from "../server/listener/listen.ts";
import { listen } from "../server/listener/listen.ts";
import type { AccessLog } from "./access_log.ts";
import type { ThreadMetrics } from "./metrics.ts";
import { openServingThread } from "./compose_thread.ts";
import type { ServingThread } from "./compose_thread.ts";
import type { FromWorker, ToWorker } from "./worker_messages.ts";

const SUMMARY_MS = 1000;

interface Running {
  readonly thread: ServingThread;
  readonly listener: Listener;
  readonly log: AccessLog;
  readonly metrics: ThreadMetrics;
  readonly timer: ReturnType<typeof setInterval>;
}

let running: Running | undefined;

self.onmessage = (event: MessageEvent<ToWorker>) => {
  handle(event.data).catch((thrown) => {
    const error = toCacheError(thrown, "serve.thread");
    tell({ type: "failed", message: error.message, hint: error.hint });
  });
};

async function handle(message: ToWorker): Promise<void> {
  switch (message.type) {
    case "start":
      running = await start(message);
      return tell({ type: "listening" });
    case "metrics": {
      const json = running ? running.metrics.json() : [];
      return tell({ type: "metrics", call: message.call, json });
    }
    case "stop":
      await stop(message.graceMs);
      return tell({ type: "stopped" });
    default:
      message satisfies never;
  }
}

async function start(message: Extract<ToWorker, { type: "start" }>): Promise<Running> {
  if (running) throw new CacheError("internal", "Cannot start: this thread serves already");
  const { config } = message;
  const thread = await openServingThread({
    ...message,
    notice: (text) => tell({ type: "notice", text }),
  });
  const { hostname, port, tls } = config;
  const listener = await listen(thread.handler, {
    hostname,
    port,
    tls,
    reusePort: true,
    peers: message.peers,
    onEvent: (event) => tell({ type: "notice", text: describe(event) }),
  });
  const timer = setInterval(() => {
    const summary = thread.log.take();
    if (summary) tell({ type: "summary", summary });
    tellUsage(thread);
  }, SUMMARY_MS);
  return { thread, listener, log: thread.log, metrics: thread.metrics, timer };
}

async function stop(graceMs: number): Promise<void> {
  if (!running) return;
  clearInterval(running.timer);
  await running.listener.shutdown(graceMs);
  tellUsage(running.thread);
  await running.thread[Symbol.asyncDispose]();
  running = undefined;
}

function tellUsage({ usage }: ServingThread): void {
  const deltas = usage.take();
  if (deltas.length > 0) tell({ type: "usage", deltas });
}

function describe(event: ListenerEvent): string {
  switch (event.type) {
    case "accept_failed":
      return `cannot accept connections, again in ${event.retryInMs} ms: ${event.error.message}`;
    case "listening_again":
      return "listening again";
    case "cut":
      return `ended connections that held a place for nothing: ${event.silent} silent, ` +
        `${event.idle} idle, ${event.crowded} over the limit; ${event.open} are open`;
    case "rotated":
      return `ended all idle connections: ${event.descriptors} descriptors were open`;
    case "unprotected":
      return "this system does not show connections: silent ones are only ended all together";
    case "tls_reloaded":
      return "the certificate changed and is in use";
    case "tls_refused":
      return `the certificate changed but is no good, the old one stays: ${event.error.message}`;
    case "failed":
      return `${event.what}: ${event.error.message}`;
    default:
      return event satisfies never;
  }
}

function tell(message: FromWorker): void {
  self.postMessage(message);
}
