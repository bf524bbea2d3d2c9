import type { Command } from "commander";
import { Option } from "commander";
import { parseServerUrl } from "../../client/server_url.ts";
import { collect } from "../../core/bytes.ts";
import { CacheError } from "../../core/errors.ts";
import { MAX_TOKEN_CHARACTERS } from "../../core/limits.ts";
import { Secret } from "../../core/secret.ts";
import { KnownServers } from "../config/known_servers.ts";
import { originOfUrl } from "../config/resolve_store.ts";
import { connectStore } from "../connect_store.ts";
import type { Environment } from "../environment.ts";
import { EXIT, UsageError } from "../exit_codes.ts";
import { proxyVariables } from "../open_named_store.ts";
import { Output } from "../output.ts";
import { askForToken, readToken, tokenIn } from "../read_token.ts";
import type { CommandContext } from "./context.ts";
import { describeRights, warnOfExpiry } from "./whoami.ts";

interface LoginFlags {
  readonly tokenFile?: string;
  readonly tokenStdin?: boolean;
  readonly insecure?: boolean;
  readonly json?: boolean;
}

/** Adds `login URL` and `logout URL`. */
export function addLogin(program: Command, context: CommandContext): void {
  const { environment } = context;
  program.command("login").argument("<url>")
    .summary("trust a server, and keep a token for it")
    .description(
      "Asks the server who it is and what the token may do, then keeps both for this user alone. " +
        "From then on a repository may name this server. A token that is not given is asked for " +
        "at a terminal, and not shown.",
    )
    .addOption(
      new Option("--token-file <file>", "file that holds the token (env: VITTE_TOKEN_FILE)"),
    )
    .addOption(new Option("--token-stdin", "read the token from standard input"))
    .addOption(new Option("--insecure", "send the token over plain HTTP to another machine"))
    .addOption(new Option("--json", "print one line of JSON"))
    .addHelpText("after", LOGIN_EXAMPLES)
    .action(async (url: string, flags: LoginFlags) => {
      const output = new Output(environment, flags);
      await logIn(environment, output, { url, ...flags });
      context.end(EXIT.ok);
    });
  program.command("logout").argument("<url>")
    .summary("forget a server and the token for it")
    .description("Removes what login kept. The token itself stays good: token revoke ends it.")
    .option("--json", "print one line of JSON")
    .addHelpText("after", LOGOUT_EXAMPLES)
    .action(async (url: string, flags: { json?: boolean }) => {
      const output = new Output(environment, flags);
      const origin = originOfUrl(url);
      const removed = new KnownServers(environment).logOut(origin);
      if (!removed) output.error(`no login at ${origin}`);
      const text = removed ? `logged out of ${origin}` : "";
      if (removed || output.json) await output.result({ origin, removed }, text);
      context.end(removed ? EXIT.ok : EXIT.notFound);
    });
}

async function logIn(
  environment: Environment,
  output: Output,
  flags: LoginFlags & { url: string },
): Promise<void> {
  const { base } = parseServerUrl(flags.url);
  const origin = originOfUrl(base);
  const known = new KnownServers(environment);
  if (known.folder === undefined) {
    throw new UsageError("no folder to keep the login in", "set HOME or XDG_CONFIG_HOME");
  }
  const token = new Secret(await givenToken(environment, flags));
  await using store = connectStore(base, {
    token,
    insecure: flags.insecure ?? false,
    proxyEnv: proxyVariables(environment),
    clock: environment.clock,
    // A token that names another server stays here.
    checkIdentity: true,
  });
  const who = await store.whoami();
  const file = known.logIn({ origin, url: base, token, since: environment.clock.now() });
  const { name, verbs, namespaces, scope, readScopes, expires } = who;
  await output.result(
    {
      origin,
      url: base,
      name,
      verbs,
      namespaces,
      scope,
      read_scopes: readScopes,
      expires: expires === undefined ? null : new Date(expires).toISOString(),
      file,
    },
    `logged in to ${base} as ${describeRights(who)}`,
  );
  warnOfExpiry(output, { name, expires, now: environment.clock.now() });
  if (verbs.includes("admin")) {
    output.warn("this is an administrator's token; builds need only read and write");
  }
}

async function givenToken(
  environment: Environment,
  flags: LoginFlags & { url: string },
): Promise<string> {
  if (flags.tokenStdin) {
    if (flags.tokenFile !== undefined) {
      throw new UsageError("--token-file and --token-stdin name two tokens", "give one of them");
    }
    // A few blanks and the line's end more than the longest token.
    const bytes = await collect(environment.stdin(), MAX_TOKEN_CHARACTERS + 1024);
    return tokenIn(new TextDecoder().decode(bytes), "standard input");
  }
  const file = flags.tokenFile ?? (environment.env("VITTE_TOKEN_FILE") || undefined);
  const token = await readToken(environment, file) ?? await askForToken(environment, flags.url);
  if (token !== undefined) return token;
  throw new CacheError("invalid_argument", "Cannot log in: no token is given", {
    operation: "login",
    hint: "give --token-file FILE or --token-stdin, or set VITTE_TOKEN",
  });
}

const LOGIN_EXAMPLES = `
Examples:
  vitte-remote-cache login https://cache.example.com --token-file ci.token
  pass show cache | vitte-remote-cache login https://cache.example.com --token-stdin
`;

const LOGOUT_EXAMPLES = `
Examples:
  vitte-remote-cache logout https://cache.example.com
`;
