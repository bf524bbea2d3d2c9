/** Work on tokens, for administrators; the same on a folder and over the wire. */
import type { Verb } from "./policy.ts";

/** What a token may do. */
export interface TokenRights {
  readonly verbs: readonly Verb[];
  /** Namespaces; `*` is every one. Default `["default"]`. */
  readonly namespaces: readonly string[];
  /** The one scope it writes. Default `main`. */
  readonly scope: string;
  /** Scopes it reads, first match wins. Default: its own scope, then `main`. */
  readonly readScopes: readonly string[];
  /** Milliseconds since 1970; `undefined` never. */
  readonly expires: number | undefined;
}

/** A token without its secret. */
export interface TokenInfo extends TokenRights {
  /** 16 hex digits. */
  readonly id: string;
  readonly name: string;
  readonly kind: "issued" | "brought";
  readonly created: number;
  /** Milliseconds since 1970, `undefined` while it is good. */
  readonly revoked: number | undefined;
  /** Coarse; `undefined` if never. */
  readonly lastUsed: number | undefined;
}

/** A token just made: the only time its text is seen. */
export interface NewToken {
  readonly token: string;
  readonly info: TokenInfo;
}

/** Options of changes of tokens. */
export interface TokenChangeOptions {
  /** Name of the token that makes the change, for the audit. Default `local`. */
  readonly by?: string | undefined;
}

/** Creates, lists and ends tokens. Names are unique, also among revoked ones. */
export interface TokenAdmin {
  /** @throws {CacheError} `conflict` when the name was ever used, `invalid_argument` */
  create(name: string, rights: TokenRights, options?: TokenChangeOptions): Promise<NewToken>;
  list(): Promise<TokenInfo[]>;
  /** Ends a token at once, on every thread. @throws {CacheError} `not_found` */
  revoke(name: string, options?: TokenChangeOptions): Promise<TokenInfo>;
  /** A new secret and id under the same name; the old one ends at once. @throws `not_found` */
  rotate(name: string, options?: TokenChangeOptions): Promise<NewToken>;
}
