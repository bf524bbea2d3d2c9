/** First start: there is always one administrator, and never a default password. */
import { join } from "node:path";
import { CacheError } from "../core/errors.ts";
import { Secret } from "../core/secret.ts";
import { readKeyFile, writeKeyFile } from "./key_file.ts";
import type { ServerKey } from "./server_key.ts";
import { issueToken } from "./token.ts";
import type { TokenStore } from "./token_store.ts";

/** Options of {@linkcode ensureAdminToken}. */
export interface AdminTokenOptions {
  readonly serverKey: ServerKey;
  /** A file with the token to take instead of making one; line ends around it are cut off. */
  readonly bringFile?: string | undefined;
}

/** Where the first administrator's token is. */
export interface AdminToken {
  /** The file that holds it: `<dir>/admin.token`, or the file it was brought in. */
  readonly path: string;
  /** Whether it was made or taken in by this call; if not, the file may be gone meanwhile. */
  readonly created: boolean;
}

const NAME = "admin";

/**
 * Makes the token "admin" (all verbs, every namespace, scope `main`) if there has never been any
 * token. Tells where it is, never what it is.
 * @throws {CacheError} `invalid_argument` for a brought token that is too short or not there
 */
export async function ensureAdminToken(
  dir: string,
  store: TokenStore,
  options: AdminTokenOptions,
): Promise<AdminToken> {
  const path = options.bringFile ?? join(dir, "admin.token");
  if (!store.isEmpty()) return { path, created: false };
  const text = options.bringFile === undefined
    ? make(path, options.serverKey)
    : bring(options.bringFile);
  await store.addBrought(text, NAME, { verbs: ["admin"], namespaces: ["*"], scope: "main" });
  return { path, created: true };
}

/** The file first: a crash in between makes a new one, the other way round would lock all out. */
function make(path: string, serverKey: ServerKey): Secret<string> {
  const { text } = issueToken(serverKey.publicKey);
  writeKeyFile(path, `${text.reveal()}\n`, "admin token");
  return text;
}

/** Of any mode: container runtimes mount secrets readable by all who are inside. */
function bring(path: string): Secret<string> {
  const text = readKeyFile(path, { what: "admin token", anyMode: true });
  if (text !== undefined) return new Secret(text.replace(/[\r\n]+$/, ""));
  throw new CacheError("invalid_argument", `Cannot read the admin token "${path}": no such file`, {
    operation: "admin_token.bring",
  });
}
