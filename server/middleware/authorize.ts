/** Who is it, and may he: everything that stands between a matched route and its action. */
import type { Authentication } from "../../auth/authenticate.ts";
import { CacheError } from "../../core/errors.ts";
import type { Principal } from "../../core/policy.ts";
import type { ServerDeps } from "../deps.ts";
import type { Action, Method, Route } from "../exchange.ts";

/**
 * The principal of a request.
 * @throws {CacheError} `unauthenticated` for anything but a good token. Which part of it is wrong
 * is told only to who knows the secret: expired and revoked tokens were good once.
 */
export function identify(authentication: Authentication): Principal {
  if ("principal" in authentication) return authentication.principal;
  const { failure } = authentication;
  throw new CacheError("unauthenticated", REASONS[failure], {
    operation: "auth.identify",
    context: {
      reason: failure === "malformed" ? "unknown" : failure,
      ...("name" in authentication ? { token: authentication.name, token_state: failure } : {}),
    },
    ...(failure === "missing" ? { hint: MISSING_HINT } : {}),
  });
}

const REASONS = {
  missing: "Cannot answer: no token was sent",
  malformed: "Cannot answer: the token is not valid",
  unknown: "Cannot answer: the token is not valid",
  expired: "Cannot answer: the token has expired",
  revoked: "Cannot answer: the token was revoked",
} as const;
const MISSING_HINT = "send it as Authorization: Bearer <token>, or as the password of Basic";

/** The anonymous reader of public namespaces. */
const PUBLIC: Principal = {
  id: "public",
  name: "public",
  verbs: ["read"],
  namespaces: [],
  scope: "main",
  readScopes: ["main"],
  expires: undefined,
};

/** The anonymous reader, where it may read this route; else `undefined`. */
export function publicReader(
  deps: ServerDeps,
  route: Route,
  asked: { readonly method: Method; readonly namespace: string },
): Principal | undefined {
  const { method, namespace } = asked;
  if (!route.publicRead || (method !== "GET" && method !== "HEAD")) return undefined;
  if (!deps.publicRead.has(namespace)) return undefined;
  return { ...PUBLIC, namespaces: [namespace] };
}

/** @throws {CacheError} as the policy decides, naming what is missing */
export function permit(
  deps: ServerDeps,
  action: Action,
  asked: { readonly principal: Principal; readonly namespace: string },
): void {
  if (action.verb === undefined) return;
  const { principal } = asked;
  const namespace = action.storeWide ? undefined : asked.namespace;
  const decision = deps.policy.decide({ principal, verb: action.verb, namespace });
  if (decision.allow) return;
  const readOnly = action.verb === "write" && !principal.verbs.includes("write") &&
    deps.policy.decide({ principal, verb: "read", namespace }).allow;
  throw new CacheError(decision.kind, decision.reason, {
    operation: "policy.decide",
    ...(readOnly ? { context: { token_state: "read_only" } } : {}),
  });
}
