/** The access log: one line a request that matters, and a summary a minute. */
import { formatSize } from "../core/units.ts";
import type { AccessEvent } from "../server/deps.ts";

/** Which requests get a line. */
export type AccessLogMode = "errors" | "all" | "none";

/** Milliseconds above which a request is slow; large bodies get a second per 10 MB more. */
const SLOW_MS = 1000;
const SLOW_BYTES_PER_MS = 10_000;

/** What happened since the last time it was asked. */
export interface AccessSummary {
  requests: number;
  hits: number;
  misses: number;
  errors: number;
  bytes: number;
}

/** Decides and writes lines; never a header, query or token, since events hold none. */
export class AccessLog {
  readonly #mode: AccessLogMode;
  readonly #write: (line: string) => void;
  #summary = emptySummary();

  constructor(mode: AccessLogMode, write: (line: string) => void) {
    this.#mode = mode;
    this.#write = write;
  }
  log(event: AccessEvent): void {
    const summary = this.#summary;
    summary.requests++;
    if (event.outcome === "hit") summary.hits++;
    if (event.outcome === "miss") summary.misses++;
    if (isError(event)) summary.errors++;
    summary.bytes += event.bytesReceived + event.bytesSent;
    if (this.#mode === "all" || (this.#mode === "errors" && (isError(event) || isSlow(event)))) {
      this.#write(accessLine(event));
    }
  }
  /** What happened since the last call, `undefined` if nothing did. */
  take(): AccessSummary | undefined {
    const summary = this.#summary;
    if (summary.requests === 0) return undefined;
    this.#summary = emptySummary();
    return summary;
  }
}

/** Nothing happened. */
export function emptySummary(): AccessSummary {
  return { requests: 0, hits: 0, misses: 0, errors: 0, bytes: 0 };
}

/** Adds `more` to `sum`. */
export function addSummary(sum: AccessSummary, more: AccessSummary): void {
  for (const name of Object.keys(sum) as (keyof AccessSummary)[]) sum[name] += more[name];
}

/** The line a minute. */
export function summaryLine(summary: AccessSummary): string {
  const { requests, hits, misses, errors, bytes } = summary;
  return `last minute: ${requests} requests, ${hits} hits, ${misses} misses, ${errors} errors, ` +
    formatSize(bytes);
}

/** One request as `name=value` pairs. */
export function accessLine(event: AccessEvent): string {
  const { error } = event;
  const pairs: [string, string | number][] = [
    ["id", event.id],
    ["method", event.method],
    ["route", event.route],
    ["tool", event.tool],
    ["ns", event.namespace],
    ["who", event.principal],
    ["digest", event.digest],
    ["status", event.status],
    ["outcome", event.outcome],
    ["in", event.bytesReceived],
    ["out", event.bytesSent],
    ["ms", Math.round(event.milliseconds * 10) / 10],
  ];
  if (error) pairs.push(["error", error.kind], ["message", error.message]);
  return pairs.filter(([, value]) => value !== "").map(([name, value]) => `${name}=${quote(value)}`)
    .join(" ");
}

function quote(value: string | number): string {
  const text = String(value);
  // What a client sent may stand here: no line breaks, no escape sequences reach the terminal.
  return /^[\w./:@+-]*$/.test(text) ? text : JSON.stringify(text).replace(/[^\x20-\x7e]/g, "?");
}

function isError(event: AccessEvent): boolean {
  return event.outcome === "error" || event.outcome === "masked" || event.outcome === "denied";
}

function isSlow(event: AccessEvent): boolean {
  const bytes = event.bytesReceived + event.bytesSent;
  return event.milliseconds > SLOW_MS + bytes / SLOW_BYTES_PER_MS;
}
