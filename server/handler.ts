/** The server as a plain function: Request in, Response out. */
import { CacheError, isKind, toCacheError } from "../core/errors.ts";
import { toHex } from "../core/digest.ts";
import { authorityOf, parsePath } from "../protocol/path.ts";
import type { ParsedPath } from "../protocol/path.ts";
import type { Answer } from "./answer.ts";
import { emptyAnswer, missing } from "./answer.ts";
import type { Handler, ServerDeps } from "./deps.ts";
import type { Action, Match, Method, Route } from "./exchange.ts";
import { METHODS } from "./exchange.ts";
import { identify, permit, publicReader } from "./middleware/authorize.ts";
import { foreignHost, foreignOrigin } from "./middleware/host.ts";
import { isPreflight, preflightAnswer } from "./middleware/preflight.ts";
import type { ReadyAnswer } from "./ready_answers.ts";
import { fits, ReadyAnswers } from "./ready_answers.ts";
import { Reply } from "./reply.ts";
import { findRoute } from "./routes/find_route.ts";

/** Makes the handler of one thread. Nothing happens before the first request. */
export function createHandler(deps: ServerDeps): Handler {
  const prefix = toHex(crypto.getRandomValues(new Uint8Array(4)));
  const ready = new ReadyAnswers();
  let count = 0;

  return (request, origin) => {
    count++;
    origin.stranger = true;
    const reply = new Reply(deps, request, { id: `${prefix}-${count}`, origin });
    try {
      const known = knownAnswer(deps, ready, { request, reply });
      if (known) return reply.sendReady(known);
      const answer = answerTo(deps, request, reply);
      if (!(answer instanceof Promise)) return send(ready, answer, { request, reply });
      return answer.then((given) => send(ready, given, { request, reply }))
        .catch((thrown) => failed(reply, thrown));
    } catch (thrown) {
      return failed(reply, thrown);
    }
  };
}

/** A request and what becomes of it. */
interface Turn {
  readonly request: Request;
  readonly reply: Reply;
}

function send(ready: ReadyAnswers, answer: Answer, { request, reply }: Turn): Response {
  if (answer.miss) return reply.sendMiss(answer.miss);
  const kept = answer.again && reply.makeReady(answer, answer.again, request.headers);
  if (!kept) return reply.send(answer);
  ready.keep(request.method === "HEAD" ? "HEAD" : "GET", request.url, kept);
  return reply.sendReady(kept);
}

/**
 * The answer that was given before, if it is still one to this question of who asks now. The host
 * is in the URL, so it was allowed.
 */
function knownAnswer(
  deps: ServerDeps,
  ready: ReadyAnswers,
  { request, reply }: Turn,
): ReadyAnswer | undefined {
  const { method, url } = request;
  const known = ready.find(method, url);
  if (!known) return undefined;
  const { headers } = request;
  const authentication = deps.authenticate(headers.get("authorization"));
  if (!("principal" in authentication)) return undefined;
  const { principal } = authentication;
  if (!fits(known, { headers, scopes: principal.readScopes })) return undefined;
  const { namespace, route } = known;
  if (!deps.policy.decide({ principal, verb: "read", namespace }).allow) return undefined;
  if (!known.holds(reply.started)) {
    ready.drop(method === "HEAD" ? "HEAD" : "GET", url);
    return undefined;
  }
  reply.know(principal);
  reply.aim(namespace, route);
  return known;
}

function answerTo(deps: ServerDeps, request: Request, reply: Reply): Answer | Promise<Answer> {
  const { url, headers } = request;
  // Before everything else, so that a rebound name learns nothing, not even what is open to all.
  const authority = authorityOf(url);
  if (!deps.allowsHost(authority)) throw foreignHost(authority);
  const origin = headers.get("origin");
  if (origin !== null) {
    const refusal = foreignOrigin(origin, deps.allowsHost);
    if (refusal) throw refusal;
    reply.allowOrigin(origin);
  }
  if (isPreflight(request)) return preflightAnswer();

  const { path, problem } = tryParse(url);
  const match = path && findRoute(path, headers);
  if (path) reply.aim(path.namespace, match?.route);
  const method = knownMethod(request.method);
  const open = match && method && openAction(match.route, method);
  if (match && path && open) {
    const principal = PASSER_BY;
    const { namespace } = path;
    const { subject } = match;
    return open.run({ request, deps, path, namespace, principal, subject, tally: reply.tally });
  }

  const authorization = headers.get("authorization");
  const anonymous = authorization === null && match && path && method
    ? publicReader(deps, match.route, { method, namespace: path.namespace })
    : undefined;
  const authentication = anonymous ? { principal: anonymous } : deps.authenticate(authorization);
  // An ended token still says whose build it is.
  if ("name" in authentication) reply.principal = authentication.name;
  const principal = identify(authentication);
  reply.know(principal);
  if (!path) throw problem;
  if (!match) throw missing("anything at", `/${path.tool ? `${path.tool}/` : ""}${path.key}`);
  const action = method && match.route.methods[method];
  if (!action) return wrongMethod(match, method);
  const { namespace } = path;
  permit(deps, action, { principal, namespace });
  const { subject } = match;
  return action.run({ request, deps, path, namespace, principal, subject, tally: reply.tally });
}

/** Stands in for the principal where none is asked for. */
const PASSER_BY = {
  id: "",
  name: "",
  verbs: [],
  namespaces: [],
  scope: "main",
  readScopes: [],
  expires: undefined,
} as const;

function openAction(route: Route, method: Method): Action | undefined {
  return route.open ? route.methods[method] : undefined;
}

function tryParse(url: string): { path?: ParsedPath; problem?: CacheError } {
  try {
    return { path: parsePath(url) };
  } catch (thrown) {
    // Not thrown yet: without a token even a bad path is only a 401.
    if (isKind(thrown, "invalid_argument")) return { problem: thrown };
    throw thrown;
  }
}

function knownMethod(method: string): Method | undefined {
  return METHODS.find((known) => known === method);
}

function wrongMethod({ route }: Match, method: Method | undefined): Answer {
  const allow = [...Object.keys(route.methods), "OPTIONS"].join(", ");
  if (method === "OPTIONS") return emptyAnswer(204, { allow });
  throw new CacheError("unsupported", `Cannot do this here, want one of ${allow}`, {
    operation: "server.method",
    context: { status: 405, allow },
  });
}

function failed(reply: Reply, thrown: unknown): Response {
  return reply.sendError(toCacheError(thrown, "server.handle"));
}
