/** Looks at a server: first the way there, then whom one meets, then what may be done. */
import * as v from "valibot";
import { parseServerUrl } from "../../client/server_url.ts";
import type { ServerUrl } from "../../client/server_url.ts";
import type { Verb } from "../../core/policy.ts";
import { parseToken } from "../../core/token.ts";
import { StatsSchema } from "../../protocol/json.ts";
import type { Stats, WhoAmI } from "../../protocol/json.ts";
import { nativePath } from "../../protocol/url_space.ts";
import { connectStore } from "../connect_store.ts";
import type { Environment } from "../environment.ts";
import { VERSION } from "../version.ts";
import type { Findings, Verdict } from "./finding.ts";
import { failed, failedBy, ok, warning } from "./finding.ts";
import { judgeName, judgePort, knock, nextHop, resolveName } from "./network.ts";
import { judgeClock, judgeServer, judgeVersion } from "./server_checks.ts";
import { checkRoundTrip, judgeBackend, judgeDisk, judgeTotals } from "./store_checks.ts";
import type { Target } from "./target.ts";
import { portOf, proxyFor, stepSignal } from "./target.ts";
import { inspectTls, judgeTls } from "./tls.ts";
import {
  askWho,
  checkIdentity,
  judgeExpiry,
  judgeMalformed,
  judgeNoToken,
  judgeRefusal,
  judgeRights,
  judgeUnproven,
} from "./token_checks.ts";
import { Visitor } from "./visitor.ts";
import { checkDownload, checkUpgrade, checkUpload } from "./way.ts";

/** What is to be examined. */
export interface ServerQuestion {
  readonly url: string;
  readonly namespace: string;
  readonly insecure: boolean;
  readonly need: readonly Verb[];
  readonly proxyEnv: Readonly<Record<string, string>>;
  readonly token: string | undefined;
  /** Who names the server, in words. */
  readonly urlFrom: string;
  /** Send the token only to who proves to be the server that it names. */
  readonly provenOnly: boolean;
  /** Whether the token is the administrator's of a server of this machine, that nobody gave. */
  readonly ownAdmin: boolean;
  /** What the server is expected to keep its store on, and who expects it. */
  readonly backend?: { readonly expected: string; readonly from: string };
}

/** Examines a server; stops where what follows could say nothing new. */
export async function examineServer(
  environment: Environment,
  question: ServerQuestion,
  findings: Findings,
): Promise<void> {
  const target = readTarget(environment, question, findings);
  if (!target) return;
  const { token = "", provenOnly, urlFrom } = question;
  if (provenOnly && parseToken(token)?.type === "brought") {
    return void findings.add("identity", judgeUnproven(target.url.origin, urlFrom));
  }
  if (!await examineWay(target, findings)) return;
  using visitor = new Visitor(target);
  if (!await examineAnswer(visitor, findings)) return;
  const who = await examineToken(visitor, question, findings);
  if (!who) return;
  const { signal } = target;
  findings.add("rights", ...judgeRights(who, { ...target, ownAdmin: question.ownAdmin }));
  await findings.look("32 MB there", signal, () => checkUpload(visitor));
  await findings.look("32 MB back", signal, () => checkDownload(visitor));
  await findings.look("upgrade", signal, () => checkUpgrade(visitor));
  await examineStore(visitor, { who, question }, findings);
}

function readTarget(
  environment: Environment,
  question: ServerQuestion,
  findings: Findings,
): Target | undefined {
  let address: ServerUrl;
  try {
    address = parseServerUrl(question.url);
  } catch (thrown) {
    findings.add("address", failedBy(thrown));
    return undefined;
  }
  const { base, host, exposed } = address;
  const url = new URL(base);
  findings.add("address", judgeAddress(base, { exposed, insecure: question.insecure }));
  return {
    url,
    base,
    host,
    port: portOf(url),
    namespace: question.namespace,
    need: question.need,
    proxy: proxyFor(url, question.proxyEnv),
    proxyEnv: question.proxyEnv,
    clock: environment.clock,
    signal: environment.interrupted,
  };
}

/** The verdict on plain HTTP to another machine. */
export function judgeAddress(
  base: string,
  { exposed, insecure }: { readonly exposed: boolean; readonly insecure: boolean },
): Verdict {
  if (!exposed) return ok(base);
  const detail = `${base} is plain HTTP to another machine: everybody on the way reads the token`;
  const hint = "give the server --tls-cert and --tls-key and use https://";
  return insecure
    ? warning(detail, hint)
    : failed(`${detail}, so it is not sent`, `${hint}, or --insecure in a network you trust`);
}

async function examineWay(target: Target, findings: Findings): Promise<boolean> {
  const { signal, proxy, url } = target;
  if (proxy) findings.add("proxy", ok(`${proxy.variable} leads through ${proxy.url.origin}`));
  const { hostname } = nextHop(target);
  const named = await findings.look("name", signal, async () => {
    return judgeName(hostname, await resolveName(hostname, stepSignal(target)));
  });
  if (!named) return false;
  if (!await findings.look("port", signal, async () => judgePort(target, await knock(target)))) {
    return false;
  }
  if (url.protocol !== "https:" || proxy) return true;
  return await findings.look("certificate", signal, async () => {
    return judgeTls(await inspectTls(target), url.hostname, target.clock.now());
  });
}

async function examineAnswer(visitor: Visitor, findings: Findings): Promise<boolean> {
  const { target } = visitor;
  const { signal, clock, base, url } = target;
  let date: string | null = null;
  const answered = await findings.look("server", signal, async () => {
    try {
      const visit = await visitor.ask("/healthz");
      date = visit.headers.get("date");
      return judgeServer(target, visit);
    } catch {
      // Nothing that is HTTP came back; the findings before this one say that somebody is there.
      signal.throwIfAborted();
      return failed(
        `what listens at ${base} does not speak HTTP`,
        url.protocol === "http:"
          ? "does it speak TLS? then the address begins with https://; else, is the port right?"
          : "is the port right?",
      );
    }
  });
  if (answered) findings.add("clock", judgeClock(date, clock.now()));
  return answered;
}

/** Who we are there; `undefined` when nothing more can be asked. */
async function examineToken(
  visitor: Visitor,
  question: ServerQuestion,
  findings: Findings,
): Promise<WhoAmI | undefined> {
  const { signal, clock, url } = visitor.target;
  const text = question.token;
  if (text === undefined) return void findings.add("token", judgeNoToken());
  const token = parseToken(text);
  if (!token) return void findings.add("token", judgeMalformed(text));
  const exposed = parseServerUrl(url.href).exposed;
  if (exposed && !question.insecure) return undefined;
  if (token.type === "issued") {
    const proved = await findings.look("identity", signal, () => checkIdentity(visitor, token));
    if (!proved) return undefined;
  }
  visitor.token = text;
  let who: WhoAmI | undefined;
  await findings.look("token", signal, async () => {
    const facts = await askWho(visitor);
    if ("refusal" in facts) return judgeRefusal(facts.refusal);
    who = facts.who;
    return judgeExpiry(facts.who, clock.now());
  });
  return who;
}

async function examineStore(
  visitor: Visitor,
  asked: { readonly who: WhoAmI; readonly question: ServerQuestion },
  findings: Findings,
): Promise<void> {
  const { target, token } = visitor;
  const { signal, namespace, clock, base, proxyEnv } = target;
  const { verbs, namespaces } = asked.who;
  if (!namespaces.includes("*") && !namespaces.includes(namespace)) return;
  if (verbs.includes("read") || verbs.includes("admin")) {
    let stats: Stats | undefined;
    await findings.look("totals", signal, async () => {
      stats = v.parse(StatsSchema, await visitor.askJson(nativePath(namespace, "stats")));
      return judgeTotals(stats);
    });
    if (stats) findings.add("version", judgeVersion(stats.version, VERSION));
    if (stats?.disk) findings.add("disk", judgeDisk(stats.disk));
  }
  const { who, question: { backend } } = asked;
  if (backend) findings.add("backend", judgeBackend(backend, who.backend));
  await using store = connectStore(base, {
    token,
    insecure: asked.question.insecure,
    proxyEnv,
    clock,
  });
  const { cache } = store;
  const trip = { cache, namespace, verbs, clock, signal };
  await findings.look("write and read back", signal, () => checkRoundTrip(trip));
}
