/** The token: whether it is one, whether this server made it, and what it may do. */
import * as v from "valibot";
import { createChallenge, verifyAnswer } from "../../core/identity.ts";
import { TOKEN_SOON_MS } from "../../core/limits.ts";
import type { Verb } from "../../core/policy.ts";
import type { IssuedToken } from "../../core/token.ts";
import { formatDuration } from "../../core/units.ts";
import { IdentityAnswerSchema, WhoAmISchema } from "../../protocol/json.ts";
import type { WhoAmI } from "../../protocol/json.ts";
import type { Verdict } from "./finding.ts";
import { failed, ok, warning } from "./finding.ts";
import type { Visit, Visitor } from "./visitor.ts";
import { refusalOf } from "./visitor.ts";

const CREATE = "vitte-remote-cache token create NAME --allow read,write";

/** The verdict where no token is named at all. */
export function judgeNoToken(): Verdict {
  return failed(
    "no token is named",
    `ask an administrator for one (${CREATE}) and put it into VITTE_TOKEN, or a file that ` +
      "--token-file or VITTE_TOKEN_FILE names",
  );
}

/** The verdict on text that can be no token. */
export function judgeMalformed(text: string): Verdict {
  const issued = text.startsWith("vrc_");
  return failed(
    issued
      ? `the token is damaged: it has ${text.length} characters, want 108`
      : `the token can be none: it has ${text.length} visible characters, want at least 32`,
    "copy it again, as a whole and on one line",
  );
}

/** Asks, without sending the token, whether this is the server that made it. */
export async function checkIdentity(visitor: Visitor, token: IssuedToken): Promise<Verdict> {
  const challenge = createChallenge(token.serverKey);
  const visit = await visitor.ask(`/v1/identity?nonce=${challenge.nonce}`);
  if (visit.status !== 200) {
    const { message, hint } = refusalOf(visit);
    return failed(message, hint);
  }
  const { host, base } = visitor.target;
  const answer = v.parse(IdentityAnswerSchema, JSON.parse(visit.text));
  if (verifyAnswer(challenge, host, answer)) {
    return ok("the server has proved that it made the token");
  }
  if (answer.host !== host) {
    return failed(
      `the server sees the name ${answer.host} instead of ${host}`,
      "let the proxy in between hand the Host header on unchanged " +
        "(nginx: proxy_set_header Host $http_host)",
    );
  }
  return failed(
    `another server made this token, not ${base}: it was not sent`,
    `is the address right? else get a token of this server: ${CREATE}`,
  );
}

/** The verdict on a token that names no server, for one that only the repository named. */
export function judgeUnproven(origin: string, urlFrom: string): Verdict {
  return failed(
    `only ${urlFrom} names the server, and the token names none: it was not sent`,
    `if you trust it: vitte-remote-cache login ${origin}, or set VITTE_CACHE_URL`,
  );
}

/** What the server says of the token. */
export type TokenFacts = { readonly who: WhoAmI } | { readonly refusal: Visit };

/** Sends the token for the first time. */
export async function askWho(visitor: Visitor): Promise<TokenFacts> {
  const visit = await visitor.ask("/v1/whoami", { withToken: true });
  return visit.status === 200
    ? { who: v.parse(WhoAmISchema, JSON.parse(visit.text)) }
    : { refusal: visit };
}

/** The verdict on a token that is refused. */
export function judgeRefusal(visit: Visit): Verdict {
  const error = refusalOf(visit);
  if (error.kind !== "unauthenticated") return failed(error.message, error.hint);
  if (error.context.reason === "expired") {
    return failed("the token has expired", "renew it: vitte-remote-cache token rotate NAME");
  }
  if (error.context.reason === "revoked") {
    return failed("the token was revoked", `ask why, and for a new one: ${CREATE}`);
  }
  return failed(
    "the server does not know this token",
    `was its store replaced, or the token cut off? get a new one: ${CREATE}`,
  );
}

/** The verdict on a token that is good. */
export function judgeExpiry({ name, expires, scope }: WhoAmI, now: number): Verdict {
  const said = `token "${name}", writes scope ${scope}`;
  if (expires === null) return ok(`${said}, never expires`);
  const left = expires - now;
  if (left >= TOKEN_SOON_MS) return ok(`${said}, expires in ${formatDuration(left)}`);
  return warning(
    `${said}, expires in ${formatDuration(Math.max(left, 0))}`,
    `renew it before: vitte-remote-cache token rotate ${name}`,
  );
}

/**
 * Verdicts on what a token may do: `need` is what whoever asks wants it for, `ownAdmin` says that
 * the administrator's token of this machine's own server was taken for want of another.
 */
export function judgeRights(
  { verbs, namespaces, name }: WhoAmI,
  asked: {
    readonly namespace: string;
    readonly need: readonly Verb[];
    readonly ownAdmin?: boolean;
  },
): Verdict[] {
  const { namespace, need, ownAdmin = false } = asked;
  if (verbs.includes("admin") && ownAdmin) {
    return [ok("this server's administrator, as nobody gave another token")];
  }
  if (verbs.includes("admin")) {
    return [warning(
      `"${name}" is an administrator's token: a build that has it could end every other token`,
      `make one for builds, and use that: ${CREATE}`,
    )];
  }
  const verdicts: Verdict[] = [];
  if (!namespaces.includes("*") && !namespaces.includes(namespace)) {
    verdicts.push(failed(
      `the token is not for the namespace ${namespace}, but for ${namespaces.join(", ")}`,
      `use --namespace ${namespaces[0] ?? "NAME"}, or get one: ${CREATE} --namespace ${namespace}`,
    ));
  }
  const missing = need.filter((verb) => !verbs.includes(verb));
  if (missing.length > 0) {
    verdicts.push(failed(
      `the token may not ${missing.join(", ")}, only ${verbs.join(", ")}`,
      `get one that may: vitte-remote-cache token create NAME --allow ${need.join(",")}`,
    ));
  } else if (need.length === 0 && !verbs.includes("read")) {
    verdicts.push(failed(
      `the token may not read, only ${verbs.join(", ")}`,
      `get one that may: ${CREATE}`,
    ));
  } else if (need.length === 0 && !verbs.includes("write")) {
    verdicts.push(warning(
      "the token may only read: builds take from the cache and add nothing to it",
      `right for pull requests (then say --need read); to write: ${CREATE}`,
    ));
  }
  return verdicts.length > 0 ? verdicts : [ok(`it may ${verbs.join(", ")} in ${namespace}`)];
}
