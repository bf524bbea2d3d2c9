/** Work on a server far away: tokens, verification, collection, and what it says of itself. */
import type { SignalOptions } from "../core/bytes.ts";
import { bytesSource } from "../core/bytes.ts";
import type { GcOptions, GcReport, Maintenance, VerifyReport } from "../core/cache.ts";
import { CacheError } from "../core/errors.ts";
import { createChallenge, verifyAnswer } from "../core/identity.ts";
import type { Principal } from "../core/policy.ts";
import type { NewToken, TokenAdmin, TokenInfo, TokenRights } from "../core/token_admin.ts";
import type { IssuedToken } from "../core/token.ts";
import { newTokenOf, tokenInfoOf } from "../protocol/convert.ts";
import {
  IdentityAnswerSchema,
  NewTokenSchema,
  StatsSchema,
  TokenAnswerSchema,
  TokenListSchema,
  VerifyReportSchema,
  WhoAmISchema,
} from "../protocol/json.ts";
import type { Stats } from "../protocol/json.ts";
import { GcReportSchema } from "../protocol/room_json.ts";
import { nativePath } from "../protocol/url_space.ts";
import { answerOf } from "./answer.ts";
import type { HttpClient } from "./http.ts";

/** Administration over HTTP. Tokens and maintenance need the verb `admin`. */
export class RemoteAdmin implements TokenAdmin, Maintenance {
  readonly #http: HttpClient;

  /** Use `connectCache(…).admin`. */
  constructor(http: HttpClient) {
    this.#http = http;
  }

  async create(name: string, rights: TokenRights): Promise<NewToken> {
    const { verbs, namespaces, scope, readScopes, expires } = rights;
    const json = await this.#post(nativePath("default", "tokens"), {
      name,
      verbs,
      namespaces,
      scope,
      read_scopes: readScopes,
      expires: expires ?? null,
    });
    return newTokenOf(answerOf(NewTokenSchema, json));
  }

  async list(): Promise<TokenInfo[]> {
    const json = await this.#get(nativePath("default", "tokens"));
    return answerOf(TokenListSchema, json).tokens.map(tokenInfoOf);
  }

  async revoke(name: string): Promise<TokenInfo> {
    const path = nativePath("default", "tokens", name);
    const json = await this.#http.askJson({ method: "DELETE", path, idempotent: true });
    return tokenInfoOf(answerOf(TokenAnswerSchema, json).info);
  }

  async rotate(name: string): Promise<NewToken> {
    const json = await this.#post(nativePath("default", "tokens", name, "rotate"), {});
    return newTokenOf(answerOf(NewTokenSchema, json));
  }

  async verify(options: { repair?: boolean } & SignalOptions = {}): Promise<VerifyReport> {
    const body = { repair: options.repair ?? false };
    const json = await this.#post(nativePath("default", "admin", "verify"), body, options);
    return answerOf(VerifyReportSchema, json);
  }

  async gc({ dryRun = false, signal }: GcOptions = {}): Promise<GcReport> {
    // Only where it is wanted: a server that does not know the word must not collect instead.
    const body = dryRun ? { dry_run: true } : {};
    const json = await this.#post(nativePath("default", "admin", "gc"), body, { signal });
    return answerOf(GcReportSchema, json);
  }

  /** Totals and the server's own counters. */
  async stats(): Promise<Stats> {
    return answerOf(StatsSchema, await this.#get(nativePath("default", "stats")));
  }

  /** Who the server says we are. */
  async whoami(): Promise<Principal & { readonly backend?: string | undefined }> {
    const { read_scopes, expires, ...rest } = answerOf(
      WhoAmISchema,
      await this.#get(nativePath("default", "whoami")),
    );
    return { ...rest, readScopes: read_scopes, expires: expires ?? undefined };
  }

  /**
   * Asks the server, without sending the token, to prove that it is the one the token names.
   * @throws {CacheError} `permission_denied` when it can not
   */
  async requireIdentity(token: IssuedToken): Promise<void> {
    const challenge = createChallenge(token.serverKey);
    const json = await this.#http.askJson({
      method: "GET",
      path: `${nativePath("default", "identity")}?nonce=${challenge.nonce}`,
      idempotent: true,
      withToken: false,
    });
    const { base, host } = this.#http.url;
    if (verifyAnswer(challenge, host, answerOf(IdentityAnswerSchema, json))) return;
    throw new CacheError(
      "permission_denied",
      `Cannot trust ${base}: it is not the server that made the token`,
      {
        operation: "client.identity",
        hint: "is the address right? a proxy in between must hand the Host header on unchanged",
      },
    );
  }

  async #get(path: string): Promise<unknown> {
    return await this.#http.askJson({ method: "GET", path, idempotent: true });
  }

  async #post(path: string, value: unknown, options: SignalOptions = {}): Promise<unknown> {
    return await this.#http.askJson({
      method: "POST",
      path,
      headers: { "content-type": "application/json" },
      body: bytesSource(new TextEncoder().encode(JSON.stringify(value))),
      idempotent: false,
      signal: options.signal,
    });
  }
}
