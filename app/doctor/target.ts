/** Which server is examined, as whom, and from where. */
import type { Verb } from "../../core/policy.ts";
import type { Clock } from "../../core/clock.ts";

/** What every check of a server is given. */
export interface Target {
  readonly url: URL;
  /** Without a slash at its end. */
  readonly base: string;
  /** As the Host header has it. */
  readonly host: string;
  readonly port: number;
  readonly namespace: string;
  /** Verbs that whoever asks needs; empty if he did not say. */
  readonly need: readonly Verb[];
  /** The proxy of the environment that requests go through. */
  readonly proxy: ProxySetting | undefined;
  /** Variables that name proxies. */
  readonly proxyEnv: Readonly<Record<string, string>>;
  readonly clock: Clock;
  readonly signal: AbortSignal;
}

/** A proxy, and the variable that names it. */
export interface ProxySetting {
  readonly variable: string;
  /** Without user and password. */
  readonly url: URL;
}

/** Milliseconds for one step on the way: a name, a connection, a short answer. */
export const STEP_MS = 10_000;

/** A signal for one step: the command's own, or the time is over. */
export function stepSignal({ signal }: Target, ms = STEP_MS): AbortSignal {
  return AbortSignal.any([signal, AbortSignal.timeout(ms)]);
}

/** The proxy for an address; `undefined` when requests go there straight. */
export function proxyFor(
  url: URL,
  env: Readonly<Record<string, string>>,
): ProxySetting | undefined {
  const names = url.protocol === "https:"
    ? ["https_proxy", "HTTPS_PROXY"]
    : ["http_proxy", "HTTP_PROXY"];
  const variable = names.find((name) => env[name]);
  const text = variable && env[variable];
  if (!text || isExempt(url.hostname, env["no_proxy"] ?? env["NO_PROXY"] ?? "")) return undefined;
  const full = text.includes("://") ? text : `http://${text}`;
  if (!URL.canParse(full)) return undefined;
  const proxy = new URL(full);
  proxy.username = proxy.password = "";
  return { variable, url: proxy };
}

function isExempt(hostname: string, list: string): boolean {
  return list.split(/[\s,]+/).filter((one) => one !== "").some((one) => {
    const name = one.toLowerCase().replace(/^\*?\./, "").replace(/:\d+$/, "");
    return one === "*" || hostname === name || hostname.endsWith(`.${name}`);
  });
}

/** The port of a URL, also where it goes without saying. */
export function portOf(url: URL): number {
  return url.port !== "" ? Number(url.port) : url.protocol === "https:" ? 443 : 80;
}
