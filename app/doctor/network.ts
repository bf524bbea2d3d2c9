/** The way to a server below HTTP: its name, its port. */
import { lookup } from "node:dns/promises";
import { abortable } from "../../core/abort.ts";
import type { Verdict } from "./finding.ts";
import { failed, ok } from "./finding.ts";
import type { Target } from "./target.ts";
import { portOf, stepSignal } from "./target.ts";

/** What came of asking for a name. */
export type NameFacts =
  | { readonly addresses: readonly string[] }
  | { readonly code: string };

/** Asks the system's resolver, as every program does. */
export async function resolveName(hostname: string, signal: AbortSignal): Promise<NameFacts> {
  try {
    const found = await abortable(lookup(hostname, { all: true }), signal);
    return { addresses: found.map(({ address }) => address) };
  } catch (thrown) {
    const code = (thrown as { code?: unknown }).code;
    if (typeof code === "string") return { code };
    throw thrown;
  }
}

/** The verdict on a name. */
export function judgeName(hostname: string, facts: NameFacts): Verdict {
  if ("addresses" in facts && facts.addresses.length > 0) {
    return ok(`${hostname} is ${facts.addresses.slice(0, 3).join(", ")}`);
  }
  const code = "code" in facts ? facts.code : "no address";
  return failed(
    `nobody knows the name ${hostname} (${code})`,
    "is it spelled right? if it is a name inside of a company, is the VPN up?",
  );
}

/** What came of knocking at a port. */
export type PortFacts =
  | { readonly reached: true; readonly milliseconds: number }
  | { readonly reached: false; readonly why: "refused" | "silent" | "unreachable" };

/** Opens a connection and closes it. */
export async function knock(target: Target): Promise<PortFacts> {
  const { hostname, port } = nextHop(target);
  const began = target.clock.monotonic();
  const signal = stepSignal(target);
  try {
    (await Deno.connect({ hostname, port, signal })).close();
    return { reached: true, milliseconds: target.clock.monotonic() - began };
  } catch (thrown) {
    target.signal.throwIfAborted();
    if (thrown instanceof Deno.errors.ConnectionRefused) return { reached: false, why: "refused" };
    const silent = signal.aborted || thrown instanceof Deno.errors.TimedOut;
    return { reached: false, why: silent ? "silent" : "unreachable" };
  }
}

/** The verdict on a port. */
export function judgePort(target: Target, facts: PortFacts): Verdict {
  const { hostname, port } = nextHop(target);
  const place = `${hostname}, port ${port}`;
  if (facts.reached) return ok(`${place} answers in ${Math.round(facts.milliseconds)} ms`);
  if (target.proxy) {
    return failed(
      `nothing answers at the proxy ${place}`,
      `${target.proxy.variable} names it: correct it, or except this server with NO_PROXY`,
    );
  }
  if (facts.why === "refused") {
    return failed(
      `nothing listens at ${place}`,
      target.url.port === ""
        ? `no port is named, so ${port} was tried: serve listens on 8080 unless told otherwise`
        : "is the server running, and is the port the one that serve printed?",
    );
  }
  return failed(
    `${place} does not answer`,
    "a firewall may be in between, or the server listens on loopback only: serve --host",
  );
}

/** The machine that a connection is made to: the server, or the proxy in front of it. */
export function nextHop({ url, proxy }: Target): { hostname: string; port: number } {
  const next = proxy?.url ?? url;
  return { hostname: next.hostname.replace(/^\[(.*)\]$/, "$1"), port: portOf(next) };
}
