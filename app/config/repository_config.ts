/**
 * `.vitte/config.toml`: what a repository says about its cache. Whoever can push to the repository
 * writes it, so it names an address and which variable the token is in, and nothing else:
 *
 * ```toml
 * [remote-cache]
 * url = "https://cache.vitte.dev"
 * token = "${VITTE_TOKEN}"
 * backend = "s3"
 * ```
 */
import { stringify } from "smol-toml";
import type { TomlTable } from "smol-toml";
import * as v from "valibot";
import { parseServerUrl } from "../../client/server_url.ts";
import { isKind } from "../../core/errors.ts";
import { checkTable, inOrder } from "./check_table.ts";
import { ConfigError } from "./problem.ts";
import type { TomlFile } from "./toml_file.ts";

/** Name of the file, below the folder of the repository. */
export const REPOSITORY_FILE = ".vitte/config.toml";
const TABLE = "remote-cache";

/** What a store may be kept on. */
export const BACKENDS = ["fs", "s3", "redis", "sftp", "http", "memory"] as const;

/** What a repository says; everything may be left out. */
export interface RepositoryConfig {
  readonly url?: string;
  /** Name of the environment variable that holds the token; begins with `VITTE_`. */
  readonly tokenVariable?: string;
  /** What the server is expected to keep its store on. */
  readonly backend?: typeof BACKENDS[number];
}

const VARIABLE = /^\$\{(VITTE_[A-Z0-9_]{1,64})\}$/;
const WANTED_URL = "a URL such as https://cache.example.com, without user, query or variables";

const url = v.pipe(
  v.string(WANTED_URL),
  v.rawCheck(({ dataset, addIssue }) => {
    if (!dataset.typed) return;
    const received = wrongUrl(dataset.value);
    if (received !== undefined) addIssue({ message: WANTED_URL, received });
  }),
);

const WANTED_TOKEN = '"${VITTE_TOKEN}" or another variable that begins with VITTE_';

const token = v.pipe(
  v.string(WANTED_TOKEN),
  v.rawCheck(({ dataset, addIssue }) => {
    if (!dataset.typed || VARIABLE.test(dataset.value)) return;
    const name = /^\$\{([A-Za-z_][A-Za-z0-9_]{0,80})\}$/.exec(dataset.value)?.[1];
    const received = name === undefined
      ? "another text; a token itself does not belong into a repository"
      : `the variable ${name}, which is not the cache's`;
    addIssue({ message: WANTED_TOKEN, received });
  }),
  v.transform((text) => VARIABLE.exec(text)![1]!),
);

const backend = v.picklist(BACKENDS, `one of ${BACKENDS.join(", ")}`);

const KEYS = { url, token, backend };

/**
 * What a file of a repository says.
 * @throws {ConfigError} with everything that is wrong in it
 */
export async function readRepositoryConfig(source: TomlFile): Promise<RepositoryConfig> {
  const top = await checkTable(source, source.table, {
    path: [],
    keys: { [TABLE]: v.custom<TomlTable>(isTable, `the table [${TABLE}]`) },
    hint: (key) => Object.hasOwn(KEYS, key) ? `put it below a line [${TABLE}]` : undefined,
  });
  const table = top.values[TABLE];
  const inner = table && await checkTable(source, table, {
    path: [TABLE],
    keys: KEYS,
    secret: ["token", "url"],
  });
  const problems = inOrder([...top.problems, ...inner?.problems ?? []]);
  if (problems.length > 0) throw new ConfigError(problems);
  const { token: tokenVariable, ...rest } = inner?.values ?? {};
  return { ...rest, ...(tokenVariable === undefined ? {} : { tokenVariable }) };
}

/** The text of a file that says this. */
export function printRepositoryConfig(config: RepositoryConfig): string {
  const { tokenVariable, ...rest } = config;
  const token = tokenVariable === undefined ? {} : { token: `\${${tokenVariable}}` };
  return stringify({ [TABLE]: { ...rest, ...token } });
}

/** The path of a key, as places are asked for it. */
export function repositoryKey(key: keyof typeof KEYS): string[] {
  return [TABLE, key];
}

function isTable(value: unknown): boolean {
  return typeof value === "object" && value !== null && Object.getPrototypeOf(value) === null &&
    !Array.isArray(value);
}

/** What is wrong with a URL, without repeating it: it may hold a password. */
function wrongUrl(text: string): string | undefined {
  // deno-lint-ignore no-control-regex
  if (/[\x00-\x20\x7f\\]/.test(text)) return "one with blanks, backslashes or control characters";
  if (text.includes("$")) return "one with a variable in it; nothing is filled in here";
  if (URL.canParse(text)) {
    const { protocol, username, password } = new URL(text);
    if (protocol !== "https:" && protocol !== "http:") return `one that begins with ${protocol}`;
    if (username !== "" || password !== "") return "one with a user or password in it";
  }
  try {
    parseServerUrl(text);
    return undefined;
  } catch (thrown) {
    if (!isKind(thrown, "invalid_argument")) throw thrown;
    return URL.canParse(text) ? "one with a query or fragment" : "another text";
  }
}
