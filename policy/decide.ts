/** Who may do what. */
import type {
  Decision,
  KeepFacts,
  Policy,
  PolicyRequest,
  Principal,
  Verb,
} from "../core/policy.ts";

import { evictionOrder } from "./eviction.ts";

const ALLOWED: Decision = { allow: true };
const DEED: Readonly<Record<Verb, string>> = {
  read: "read",
  write: "write",
  invalidate: "invalidate",
  metrics: "read metrics",
  replicate: "replicate",
  admin: "administer",
};
const MEBIBYTE = 1024 * 1024;

/** The default policy. Time is not asked: an expired token is no principal. */
export const policy: Policy = { decide, keepScore, evictionOrder };

/**
 * `admin` may do everything everywhere; everybody else what his verbs say, in his namespaces.
 * What concerns the whole store needs `*`, except metrics, which have no namespace. The answer for
 * a namespace that is not his is the same whether it exists or not.
 */
export function decide({ principal, verb, namespace }: PolicyRequest): Decision {
  if (!principal) {
    return {
      allow: false,
      kind: "unauthenticated",
      reason: `Cannot ${DEED[verb]}: no valid token, want one with the verb "${verb}"`,
    };
  }
  if (principal.verbs.includes("admin")) return ALLOWED;
  if (!principal.verbs.includes(verb)) {
    return refuse(principal, `Cannot ${DEED[verb]}`, `may only ${list(principal.verbs)}`);
  }
  if (verb === "admin" || verb === "metrics") return ALLOWED;
  if (principal.namespaces.includes("*")) return ALLOWED;
  if (namespace === undefined) {
    return refuse(
      principal,
      `Cannot ${DEED[verb]} the whole store`,
      `is for ${list(principal.namespaces)}, want "*"`,
    );
  }
  if (principal.namespaces.includes(namespace)) return ALLOWED;
  return refuse(
    principal,
    `Cannot ${DEED[verb]} in namespace "${namespace}"`,
    `is for ${list(principal.namespaces)}`,
  );
}

/**
 * Minus the milliseconds since the last use, weighed by size: a blob of 1 MiB goes after half the
 * time that a small one may lie unused, one of 1 GiB after an eleventh. 0 is the best there is.
 */
export function keepScore(facts: KeepFacts, now: number): number {
  // A use in the future (a clock that jumped) counts as now.
  const unused = Math.max(0, now - Math.max(facts.used, facts.created));
  return 0 - unused * (1 + Math.log2(1 + facts.size / MEBIBYTE));
}

function refuse(principal: Principal, deed: string, state: string): Decision {
  return {
    allow: false,
    kind: "permission_denied",
    reason: `${deed}: token "${principal.name}" ${state}`,
  };
}

function list(words: readonly string[]): string {
  return words.map((word) => `"${word}"`).join(", ");
}
