/** Which servers this user named, and which ones have proved who they are. */
import { join } from "node:path";
import * as v from "valibot";
import { Secret } from "../../core/secret.ts";
import type { Environment } from "../environment.ts";
import { OriginFiles, userFolder } from "./user_folder.ts";

const time = v.pipe(v.number(), v.safeInteger(), v.minValue(0));

const LoginSchema = v.object({
  origin: v.string(),
  /** As it was given: with a path, where there is one. */
  url: v.string(),
  token: v.string(),
  /** Milliseconds since 1970. */
  since: time,
});

const ProofSchema = v.object({
  origin: v.string(),
  /** The server's static key, base64url, as tokens name it. */
  server_key: v.string(),
  /** Milliseconds since 1970. */
  proved: time,
});

/** A server that this user logged in to. */
export interface Login {
  readonly origin: string;
  readonly url: string;
  readonly token: Secret<string>;
  readonly since: number;
}

/** Logins and proofs of this user; without a home folder nothing is known and nothing kept. */
export class KnownServers {
  readonly #logins: OriginFiles<v.InferOutput<typeof LoginSchema>> | undefined;
  readonly #proofs: OriginFiles<v.InferOutput<typeof ProofSchema>> | undefined;
  /** Where they are kept. */
  readonly folder: string | undefined;

  constructor(environment: Environment) {
    this.folder = userFolder(environment);
    if (this.folder === undefined) return;
    this.#logins = new OriginFiles(join(this.folder, "logins"), {
      schema: LoginSchema,
      what: "login",
    });
    this.#proofs = new OriginFiles(join(this.folder, "proofs"), {
      schema: ProofSchema,
      what: "proof",
    });
  }

  login(origin: string): Login | undefined {
    const known = this.#logins?.get(origin);
    return known && { ...known, token: new Secret(known.token) };
  }
  logins(): Login[] {
    return (this.#logins?.list() ?? []).map((known) => ({
      ...known,
      token: new Secret(known.token),
    }));
  }
  /** Keeps a login; tells the file. `undefined` without a home folder. */
  logIn(login: Login): string | undefined {
    this.#logins?.put({ ...login, token: login.token.reveal() });
    return this.#logins?.pathOf(login.origin);
  }
  /** Forgets an origin's login and its proof; tells whether there was a login. */
  logOut(origin: string): boolean {
    this.#proofs?.delete(origin);
    return this.#logins?.delete(origin) ?? false;
  }
  /** When the server at this origin proved that it holds this key; `undefined` if it has not. */
  proved(origin: string, serverKey: string): number | undefined {
    const known = this.#proofs?.get(origin);
    return known?.server_key === serverKey ? known.proved : undefined;
  }
  remember(origin: string, serverKey: string, now: number): void {
    this.#proofs?.put({ origin, server_key: serverKey, proved: now });
  }
}
