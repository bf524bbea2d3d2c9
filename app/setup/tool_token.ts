/** A token for one tool on this machine: kept, made, or the one that was given. */
import { hostname } from "node:os";
import { TOKEN_SOON_MS } from "../../core/limits.ts";
import type { Verb } from "../../core/policy.ts";
import { CacheError, isKind } from "../../core/errors.ts";
import { parseToken } from "../../core/token.ts";
import type { Principal } from "../../core/policy.ts";
import { connectStore } from "../connect_store.ts";
import type { Environment } from "../environment.ts";
import type { Opened } from "../opened.ts";
import { proxyVariables } from "../open_named_store.ts";
import type { ToolName } from "../tools/build_tool.ts";

/** A token, and where it comes from. */
export interface ToolToken {
  readonly text: string;
  /** Its name at the server. */
  readonly name: string;
  readonly origin: "given" | "kept" | "made" | "renewed";
  /** Whether it may write. */
  readonly write: boolean;
}

/** What a token is wanted for. */
export interface TokenWish {
  readonly tool: ToolName;
  readonly verbs: readonly Verb[];
  readonly namespace: string;
  /** Milliseconds since 1970; `undefined` never. */
  readonly expires: number | undefined;
  /** What stands in the tool's settings now. */
  readonly present: string | undefined;
}

/** A server, and as whom we are there. */
export interface TokenSource {
  readonly environment: Environment;
  readonly url: string;
  readonly insecure: boolean;
  readonly store: Opened;
  readonly who: Principal;
  /** The token that `who` came by. */
  readonly given: string;
}

/**
 * The token to put into a tool's settings. An administrator's never is: one is made from it, with
 * just the tool's verbs, unless the settings hold a good one already.
 * @throws {CacheError} `permission_denied` for a given token that does not do
 */
export async function tokenFor(source: TokenSource, wish: TokenWish): Promise<ToolToken> {
  const { who, given } = source;
  if (!who.verbs.includes("admin")) {
    const missing = wish.verbs.filter((verb) => verb !== "write" && !who.verbs.includes(verb));
    if (missing.length > 0 || !covers(who, wish.namespace)) throw doesNotDo(who, wish);
    const write = wish.verbs.includes("write") && who.verbs.includes("write");
    return { text: given, name: who.name, origin: "given", write };
  }
  return await keptToken(source, wish) ?? await madeToken(source, wish);
}

function doesNotDo(who: Principal, wish: TokenWish): CacheError {
  return new CacheError(
    "permission_denied",
    `Cannot set up ${wish.tool} with the token "${who.name}": it may ${who.verbs.join(", ")} in ` +
      `${who.namespaces.join(", ")}, want ${wish.verbs.join(", ")} in ${wish.namespace}`,
    {
      operation: "setup.token",
      hint: `ask an administrator: ${createCommand(nameFor(wish.tool, undefined), wish)}`,
    },
  );
}

function covers({ namespaces }: Principal, namespace: string): boolean {
  return namespaces.includes("*") || namespaces.includes(namespace);
}

/** A token of ours that the settings hold, if it still does what it should. */
async function keptToken(source: TokenSource, wish: TokenWish): Promise<ToolToken | undefined> {
  const { environment, url, insecure } = source;
  const text = /vrc_[0-9a-f]{16}_[\w-]{87}/.exec(wish.present ?? "")?.[0];
  if (text === undefined || parseToken(text) === undefined) return undefined;
  await using store = connectStore(url, {
    token: text,
    insecure,
    proxyEnv: proxyVariables(environment),
    clock: environment.clock,
    checkIdentity: true,
  });
  try {
    const who = await store.whoami();
    const same = [...who.verbs].sort().join() === [...wish.verbs].sort().join();
    const soon = who.expires !== undefined && who.expires < environment.clock.now() + TOKEN_SOON_MS;
    if (!same || soon || !covers(who, wish.namespace)) return undefined;
    return { text, name: who.name, origin: "kept", write: wish.verbs.includes("write") };
  } catch (thrown) {
    // Ended, or of another server: then there is none to keep.
    if (isKind(thrown, "unauthenticated") || isKind(thrown, "permission_denied")) return undefined;
    throw thrown;
  }
}

async function madeToken(source: TokenSource, wish: TokenWish): Promise<ToolToken> {
  const { store: { tokens }, environment } = source;
  const write = wish.verbs.includes("write");
  const own = nameFor(wish.tool, environment);
  const more = [wish.namespace === "default" ? "" : wish.namespace, write ? "" : "read"];
  const name = [own, ...more].filter((part) => part !== "").join("-").slice(0, 64);
  const rights = {
    verbs: wish.verbs,
    namespaces: [wish.namespace],
    scope: "main",
    readScopes: ["main"],
    expires: wish.expires,
  };
  const old = (await tokens.list()).find((one) => one.name === name);
  if (!old) {
    return { text: (await tokens.create(name, rights)).token, name, origin: "made", write };
  }
  if (
    [...old.verbs].sort().join() === [...wish.verbs].sort().join() && covers(old, wish.namespace)
  ) {
    return { text: (await tokens.rotate(name)).token, name, origin: "renewed", write };
  }
  // Somebody has changed what it may do, and had a reason.
  const other = `${name.slice(0, 55)}-${crypto.randomUUID().slice(0, 8)}`;
  return { text: (await tokens.create(other, rights)).token, name: other, origin: "made", write };
}

/** `gradle-ada@laptop`: whose it is shows in lists, logs and statistics. */
export function nameFor(tool: ToolName, environment: Environment | undefined): string {
  const user = environment?.env("USER") || environment?.env("LOGNAME") || "user";
  const plain = (text: string) => text.replace(/[^A-Za-z0-9._-]/g, "-");
  return `${tool}-${plain(user)}@${plain(hostname())}`.slice(0, 64);
}

/** The command by which an administrator makes such a token. */
export function createCommand(
  name: string,
  { verbs, namespace }: Pick<TokenWish, "verbs" | "namespace">,
): string {
  return `vitte-remote-cache token create ${name} --allow ${verbs.join(",")}` +
    (namespace === "default" ? "" : ` --namespace ${namespace}`);
}
