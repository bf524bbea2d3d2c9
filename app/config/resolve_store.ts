/**
 * Which store is meant, with what token, and who said so: the one place where flags, environment,
 * files and logins meet. Nothing is sent from here.
 */
import { parseServerUrl } from "../../client/server_url.ts";
import { Secret } from "../../core/secret.ts";
import type { Environment } from "../environment.ts";
import { shown } from "../output.ts";
import { readToken } from "../read_token.ts";
import { findRepositoryConfig } from "./find_repository_config.ts";
import type { FoundConfig } from "./find_repository_config.ts";
import { KnownServers } from "./known_servers.ts";
import type { Login } from "./known_servers.ts";

/** What flags and environment say. */
export interface StoreName {
  readonly dir?: string;
  readonly url?: string;
  readonly namespace: string;
  readonly tokenFile?: string;
  readonly insecure?: boolean;
  /** Milliseconds without a byte after which a request to a server is given up. Default 30 s. */
  readonly idleMs?: number;
}

/** Who said something: a flag, a variable, the repository, this user before, or nobody. */
export type Source = "flag" | "environment" | "repository" | "login" | "default";

/** A value, and where it comes from. */
export interface Sourced<T> {
  readonly value: T;
  readonly source: Source;
  /** In words: `--url`, `VITTE_CACHE_URL`, the path of a file. */
  readonly origin: string;
}

/** Everything that a command needs to open a store. */
export interface StoreSettings {
  /** A folder; then there is neither URL nor token. */
  readonly dir: Sourced<string> | undefined;
  readonly url: Sourced<string> | undefined;
  readonly token: Sourced<Secret<string>> | undefined;
  readonly namespace: Sourced<string>;
  /** What the server is expected to keep its store on. */
  readonly backend: Sourced<string> | undefined;
  readonly insecure: boolean;
  /**
   * Who named the URL's origin. Only what the user named is trusted with a token; a repository's
   * server has to prove first that it is the one which the token names.
   */
  readonly trust: "user" | "repository";
  /** The repository's configuration, if there is one. */
  readonly found: FoundConfig | undefined;
  readonly known: KnownServers;
  /** Servers that the user is logged in to; listed only where nothing else names one. */
  readonly logins: readonly Login[];
}

/**
 * Resolves in this order: `--dir`, `--url`, VITTE_CACHE_URL, the repository's configuration, the
 * one server that the user is logged in to. The token: `--token-file`, VITTE_TOKEN_FILE,
 * VITTE_TOKEN, the variable that the repository names, the login at that origin.
 * @throws {ConfigError} for everything that is wrong in the repository's configuration
 * @throws {CacheError} `invalid_argument` for a URL or token file that can not be one
 */
export async function resolveStore(
  environment: Environment,
  name: StoreName,
): Promise<StoreSettings> {
  const known = new KnownServers(environment);
  const { namespace, insecure = false } = name;
  const isDefault = namespace === "default";
  const base = {
    namespace: isDefault ? byDefault(namespace) : byFlag(namespace, "--namespace"),
    insecure,
    known,
    logins: [],
  };
  if (name.dir !== undefined) {
    const none = { url: undefined, token: undefined, backend: undefined, found: undefined };
    return { ...base, ...none, dir: byFlag(name.dir, "--dir"), trust: "user" };
  }
  const folder = workingFolder(environment);
  const found = folder === undefined ? undefined : await findRepositoryConfig(folder);
  const { url, logins } = resolveUrl(environment, { given: name.url, found, known });
  const backend = found?.config.backend;
  const foreign = url?.source === "repository" && !known.login(originOfUrl(url.value));
  return {
    ...base,
    dir: undefined,
    url,
    logins,
    token: await resolveToken(environment, { name, url, found, known }),
    backend: found && backend !== undefined ? byRepository(backend, found) : undefined,
    trust: foreign ? "repository" : "user",
    found,
  };
}

/** The working folder; `undefined` once it has been removed. */
function workingFolder(environment: Environment): string | undefined {
  try {
    return environment.cwd;
  } catch (thrown) {
    if (thrown instanceof Deno.errors.NotFound) return undefined;
    throw thrown;
  }
}

function byDefault<T>(value: T): Sourced<T> {
  return { value, source: "default", origin: "default" };
}

function byFlag<T>(value: T, origin: string): Sourced<T> {
  return { value, source: "flag", origin };
}

function byRepository<T>(value: T, { source: { file } }: FoundConfig): Sourced<T> {
  return { value, source: "repository", origin: file };
}

interface Sources {
  readonly found: FoundConfig | undefined;
  readonly known: KnownServers;
}

function resolveUrl(
  environment: Environment,
  { given, found, known }: Sources & { given: string | undefined },
): { url: Sourced<string> | undefined; logins: readonly Login[] } {
  if (given !== undefined) {
    const name = "VITTE_CACHE_URL";
    if (given !== environment.env(name)) return { url: byFlag(given, "--url"), logins: [] };
    return { url: { value: given, source: "environment", origin: name }, logins: [] };
  }
  if (found?.config.url !== undefined) {
    return { url: byRepository(found.config.url, found), logins: [] };
  }
  const logins = known.logins();
  const [only] = logins;
  if (logins.length !== 1 || !only) return { url: undefined, logins };
  return { url: { value: only.url, source: "login", origin: "login" }, logins };
}

async function resolveToken(
  environment: Environment,
  { name, url, found, known }: Sources & { name: StoreName; url: Sourced<string> | undefined },
): Promise<Sourced<Secret<string>> | undefined> {
  const { tokenFile } = name;
  const given = await readToken(environment, tokenFile);
  if (given !== undefined) {
    const value = new Secret(given);
    if (tokenFile === undefined) return { value, source: "environment", origin: "VITTE_TOKEN" };
    if (tokenFile !== environment.env("VITTE_TOKEN_FILE")) {
      return byFlag(value, `--token-file ${shown(tokenFile)}`);
    }
    return { value, source: "environment", origin: `VITTE_TOKEN_FILE ${shown(tokenFile)}` };
  }
  const variable = found?.config.tokenVariable;
  const named = variable === undefined ? "" : environment.env(variable)?.trim() ?? "";
  if (variable !== undefined && named !== "") {
    return { value: new Secret(named), source: "environment", origin: variable };
  }
  const login = url && known.login(originOfUrl(url.value));
  return login && { value: login.token, source: "login", origin: `login at ${login.origin}` };
}

/**
 * Scheme, host and port of a server's URL.
 * @throws {CacheError} `invalid_argument` for what is no such URL
 */
export function originOfUrl(url: string): string {
  return new URL(parseServerUrl(url).base).origin;
}
