/** The tokens of a server, in `<dir>/auth.sqlite`. Every thread opens its own. */
import type { DatabaseSync, StatementSync } from "node:sqlite";
import type { Clock } from "../core/clock.ts";
import type { Counters } from "../core/counters.ts";
import type { Bytes } from "../core/digest.ts";
import { CacheError } from "../core/errors.ts";
import { equalBytes } from "../core/bytes.ts";
import type { Secret } from "../core/secret.ts";
import type {
  NewToken,
  TokenAdmin,
  TokenChangeOptions,
  TokenInfo,
  TokenRights,
} from "../core/token_admin.ts";
import type { TokenChange } from "../core/audit.ts";
import { parseToken } from "../core/token.ts";
import type { BroughtToken, IssuedToken } from "../core/token.ts";
import { checkName, checkRights } from "./rights.ts";
import type { RightsDraft } from "./rights.ts";
import { createRowMac } from "./row_mac.ts";
import { createSealer } from "./seal.ts";
import type { Sealer } from "./seal.ts";
import type { ServerKey } from "./server_key.ts";
import { changesAfter, noteChange } from "./token_changes.ts";
import type { NumberedChange } from "./token_changes.ts";
import { latestOf, refuseKnown, RowGuard } from "./token_names.ts";
import { issueToken, secretHash, sessionPsk } from "./token.ts";
import {
  damagedToken,
  insertToken,
  openDatabase,
  rowToToken,
  transaction,
  translate,
  vouch,
} from "./token_rows.ts";
import type { StoredToken } from "./token_rows.ts";

export type { StoredToken } from "./token_rows.ts";

/** Who changes tokens where no token does: a command on the folder itself. */
const LOCAL = "local";

/** What a token store is opened with. */
export interface TokenStoreOptions {
  readonly serverKey: ServerKey;
  readonly clock: Clock;
  /** `revocation_generation` grows with each token that ends; shared by all threads. */
  readonly counters: Counters;
  /** Hears of a row that is not as it was written, once. Default: nobody does. */
  readonly onDamage?: ((error: CacheError) => void) | undefined;
}

/**
 * Opens the tokens at `path`. Safe to open by many threads at a time; not by two processes, as
 * the other one would not hear of a revocation.
 * @throws {CacheError} `invalid_argument` when they belong to another server key, `corrupt`
 */
export function openTokenStore(path: string, options: TokenStoreOptions): TokenStore {
  const mac = createRowMac(options.serverKey);
  const database = openDatabase(path, { serverKey: options.serverKey.publicKey, mac });
  return new TokenStore(path, database, options);
}

/** Creates, lists, ends and finds tokens. Only hashes and sealed keys are on the disk. */
export class TokenStore implements TokenAdmin, Disposable {
  readonly #path: string;
  readonly #database: DatabaseSync;
  readonly #options: TokenStoreOptions;
  readonly #sealer: Sealer;
  readonly #guard: RowGuard;
  readonly #find: StatementSync;

  /** Use {@linkcode openTokenStore}. */
  constructor(path: string, database: DatabaseSync, options: TokenStoreOptions) {
    this.#path = path;
    this.#database = database;
    this.#options = options;
    this.#sealer = createSealer(options.serverKey);
    this.#guard = new RowGuard(createRowMac(options.serverKey), options.onDamage);
    this.#find = database.prepare("SELECT * FROM tokens WHERE id = ?");
  }

  /** Makes a token. Its text is in the answer and nowhere else. */
  async create(
    name: string,
    rights: RightsDraft,
    options: TokenChangeOptions = {},
  ): Promise<NewToken> {
    const token = issueToken(this.#options.serverKey.publicKey);
    return { token: token.text.reveal(), info: this.#insert(token, { name, rights, ...options }) };
  }

  /**
   * Takes in a token that was made elsewhere, or by this server before `auth.sqlite` was lost.
   * @throws {CacheError} `invalid_argument` for less than 32 characters, blanks, or a token of
   * another server; `conflict` when the name or the token is known
   */
  async addBrought(text: Secret<string>, name: string, rights: RightsDraft): Promise<TokenInfo> {
    const token = parseToken(text.reveal());
    const refuse = (state: string, hint: string) =>
      new CacheError("invalid_argument", `Cannot take the token "${name}": ${state}`, {
        operation: "token_store.add",
        hint,
      });
    if (!token) {
      throw refuse(
        "it can not be one, want 32 to 4096 visible ASCII characters without blanks",
        "make one with: openssl rand -hex 32",
      );
    }
    const own = this.#options.serverKey.publicKey;
    if (token.type === "issued" && !equalBytes(token.serverKey, own)) {
      throw refuse(
        "another server made it",
        "bring a token that does not begin with vrc_, or let this server make one",
      );
    }
    return this.#insert(token, { name, rights });
  }

  /** Looks at every row, so that `onDamage` hears of those that are not as they were written. */
  check(): void {
    translate("check", this.#path, () => {
      for (const row of this.#database.prepare("SELECT * FROM tokens").iterate()) {
        this.#guard.isRight(row);
      }
    });
  }

  /**
   * Every token that ever was, in order of names, the latest of a name first. One whose row is not as
   * it was written has no verbs.
   */
  async list(): Promise<TokenInfo[]> {
    return translate("list", this.#path, () => {
      const rows = this.#database.prepare("SELECT * FROM tokens ORDER BY name, turn DESC").all();
      return rows.map((row) => this.#guard.isRight(row) ? rowToToken(row).info : damagedToken(row));
    });
  }

  /** Ends a token, whatever its row says: from the next request on, on every thread. Safe to call twice. */
  async revoke(name: string, { by = LOCAL }: TokenChangeOptions = {}): Promise<TokenInfo> {
    return this.#ending("revoke", () => {
      const { info } = latestOf(this.#database, name, this.#guard);
      const ended = this.#end(info);
      if (ended !== info) this.#note("revoke", ended, by);
      return ended;
    });
  }

  /**
   * A new secret and a new id under the same name and with the same rights; the old one ends at
   * once. A token with an expiry gets as long a life as it had before. Also revives a revoked name.
   * @throws {CacheError} `not_found`, or `corrupt` where nothing vouches for its rights
   */
  async rotate(name: string, { by = LOCAL }: TokenChangeOptions = {}): Promise<NewToken> {
    const token = issueToken(this.#options.serverKey.publicKey);
    const info = this.#ending("rotate", () => {
      const { info: old, turn, damaged } = latestOf(this.#database, name, this.#guard);
      if (damaged) throw damaged;
      this.#end(old);
      const created = this.#options.clock.now();
      const life = old.expires === undefined ? undefined : old.expires - old.created;
      const expires = life === undefined ? undefined : created + life;
      const next = this.#add(token, { ...old, expires }, { name, created, turn: turn + 1 });
      this.#note("rotate", next, by);
      return next;
    });
    return { token: token.text.reveal(), info };
  }

  /** What happened to tokens, behind a number of an earlier answer; the oldest first. */
  changes(after: number, limit: number): NumberedChange[] {
    return translate("list", this.#path, () => changesAfter(this.#database, after, limit));
  }

  /**
   * The token with this id, ended or not; none where its row is not as it was written. Waits for
   * nothing.
   */
  find(id: string): StoredToken | undefined {
    return translate("find", this.#path, () => {
      const row = this.#find.get(id);
      return row && this.#guard.isRight(row) ? rowToToken(row) : undefined;
    });
  }

  /** The pre-shared key of a token's sync session. @throws {CacheError} `corrupt` */
  psk(id: string): Bytes | undefined {
    return translate("find", this.#path, () => {
      const row = this.#database.prepare("SELECT psk FROM tokens WHERE id = ?").get(id);
      return row && this.#sealer.open(row.psk as Uint8Array, id);
    });
  }

  /** Whether there has never been a token. */
  isEmpty(): boolean {
    return translate("find", this.#path, () => {
      return this.#database.prepare("SELECT 1 FROM tokens LIMIT 1").get() === undefined;
    });
  }

  /**
   * Notes that a token was used. Does not wait for the disk to sync, and never fails: that nobody
   * can write down a use (a full disk) must not close the cache; it is counted.
   */
  touch(id: string, at: number): void {
    try {
      this.#database.exec("PRAGMA synchronous = NORMAL");
      try {
        this.#database.prepare(
          "UPDATE tokens SET last_used = ?2 WHERE id = ?1 AND coalesce(last_used, 0) < ?2",
        ).run(id, at);
      } finally {
        this.#database.exec("PRAGMA synchronous = FULL");
      }
    } catch {
      // Whatever it was, the next change of a token meets it too and reports it.
      this.#options.counters.add("masked_errors");
    }
  }

  [Symbol.dispose](): void {
    if (this.#database.isOpen) this.#database.close();
  }

  #insert(
    token: IssuedToken | BroughtToken,
    { name, rights, by = LOCAL }: { name: string; rights: RightsDraft } & TokenChangeOptions,
  ): TokenInfo {
    checkName(name);
    const created = this.#options.clock.now();
    const checked = checkRights(rights as TokenRights, created);
    return translate("create", this.#path, () =>
      transaction(this.#database, () => {
        refuseKnown(this.#database, name, token.id);
        const info = this.#add(token, checked, { name, created, turn: 1 });
        this.#note("create", info, by);
        return info;
      }));
  }

  #add(
    token: IssuedToken | BroughtToken,
    rights: TokenRights,
    { name, created, turn }: { name: string; created: number; turn: number },
  ): TokenInfo {
    const info: TokenInfo = {
      id: token.id,
      name,
      kind: token.type,
      verbs: rights.verbs,
      namespaces: rights.namespaces,
      scope: rights.scope,
      readScopes: rights.readScopes,
      created,
      expires: rights.expires,
      revoked: undefined,
      lastUsed: undefined,
    };
    const psk = this.#sealer.seal(sessionPsk(token.secret), token.id);
    const hash = secretHash(token.secret);
    insertToken(this.#database, info, { hash, psk, turn, mac: this.#guard.mac });
    return info;
  }

  #end(info: TokenInfo): TokenInfo {
    if (info.revoked !== undefined) return info;
    const revoked = this.#options.clock.now();
    const row = this.#find.get(info.id);
    this.#database.prepare("UPDATE tokens SET revoked = ? WHERE id = ?").run(revoked, info.id);
    // What nothing vouched for before is not vouched for now.
    if (row && this.#guard.mac.isRight(row)) vouch(this.#database, info.id, this.#guard.mac);
    return { ...info, revoked };
  }

  #note(action: TokenChange["action"], info: TokenInfo, writer: string): void {
    noteChange(this.#database, info, { action, writer, at: this.#options.clock.now() });
  }

  /** The generation grows after the commit, so that nobody looks before there is something to see. */
  #ending<T>(verb: string, work: () => T): T {
    const result = translate(verb, this.#path, () => transaction(this.#database, work));
    this.#options.counters.add("revocation_generation");
    return result;
  }
}
