/** Rights of a token: defaults, and what is refused before it is stored. */
import { isNamespace, isScope } from "../core/entry.ts";
import { CacheError } from "../core/errors.ts";
import { VERBS } from "../core/policy.ts";
import type { Verb } from "../core/policy.ts";
import type { TokenRights } from "../core/token_admin.ts";

/** Rights as somebody asks for them; what is left out gets its default. */
export type RightsDraft = { readonly verbs: readonly Verb[] } & Partial<TokenRights>;

/** The name of the anonymous reader, which no token may take. */
export const PUBLIC_NAME = "public";

const NAME = /^[A-Za-z0-9][A-Za-z0-9._@-]{0,63}$/;
const MAX_LIST = 64;

/**
 * Fills in what is left out: namespace `default`, scope `main`, reading its own scope and then
 * `main`, no end. `admin` is for every namespace, whatever else was asked.
 */
export function defaultRights(draft: RightsDraft): TokenRights {
  const scope = draft.scope ?? "main";
  const admin = draft.verbs.includes("admin");
  return {
    verbs: draft.verbs,
    namespaces: admin ? ["*"] : draft.namespaces ?? ["default"],
    scope,
    readScopes: draft.readScopes ?? (scope === "main" ? ["main"] : [scope, "main"]),
    expires: draft.expires,
  };
}

/**
 * Rights without repetitions, checked.
 * @throws {CacheError} `invalid_argument` with the first thing that is wrong
 */
export function checkRights(rights: TokenRights, now: number): TokenRights {
  const { verbs, namespaces, scope, readScopes, expires } = defaultRights(rights);
  checkList("verbs", verbs, (verb) => (VERBS as readonly string[]).includes(verb));
  checkList("namespaces", namespaces, (name) => name === "*" || isNamespace(name));
  checkList("scopes", [scope], isScope);
  checkList("read scopes", readScopes, isScope);
  if (expires !== undefined && !(Number.isSafeInteger(expires) && expires > now)) {
    throw refuse(`expiry ${expires} is not in the future`, "milliseconds since 1970");
  }
  return {
    verbs: [...new Set(verbs)],
    namespaces: [...new Set(namespaces)],
    scope,
    readScopes: [...new Set(readScopes)],
    expires,
  };
}

/** Refuses what cannot be a token's name. @throws {CacheError} `invalid_argument` */
export function checkName(name: string): void {
  if (NAME.test(name) && name !== PUBLIC_NAME) return;
  throw refuse(
    `name "${name.slice(0, 80)}"`,
    `1 to 64 letters, digits or ._@-, and not "${PUBLIC_NAME}"`,
  );
}

function checkList(
  what: string,
  values: readonly string[],
  isGood: (value: string) => boolean,
): void {
  if (values.length === 0 || values.length > MAX_LIST) {
    throw refuse(`${values.length} ${what}`, `1 to ${MAX_LIST}`);
  }
  for (const value of values) {
    if (!isGood(value)) throw refuse(`"${value.slice(0, 80)}" among its ${what}`, wanted(what));
  }
}

function wanted(what: string): string {
  if (what === "verbs") return `some of ${VERBS.join(", ")}`;
  return what === "namespaces" ? "[a-z0-9][a-z0-9._-]{0,63} or *" : "a scope such as main or pr/12";
}

function refuse(state: string, want: string): CacheError {
  return new CacheError("invalid_argument", `Cannot make the token: ${state}, want ${want}`, {
    operation: "token.create",
  });
}
