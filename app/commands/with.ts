import type { Command } from "commander";
import type { Principal } from "../../core/policy.ts";
import { TOLERANT_STALL_MS } from "../../core/build_limits.ts";
import type { Secret } from "../../core/secret.ts";
import { runChild } from "../exec/child.ts";
import { EXIT, UsageError } from "../exit_codes.ts";
import type { Environment } from "../environment.ts";
import { openResolved, proxyVariables } from "../open_named_store.ts";
import { Output, shown } from "../output.ts";
import type { Relay } from "../relay/relay.ts";
import type { OnError } from "../tolerance.ts";
import { Tolerance } from "../tolerance.ts";
import type { CacheAddress } from "../tools/build_tool.ts";
import { userFolders } from "../user_folders.ts";
import type { CommandContext, StoreFlags } from "./context.ts";
import { programWords, storeFlags, withStoreOptions } from "./context.ts";
import { withOnError } from "./tolerant_store.ts";

/** Adds `with … -- COMMAND…`. */
export function addWith(program: Command, context: CommandContext): void {
  const command = program.command("with")
    .usage("[options] -- COMMAND...")
    .summary("run a command whose build tools use the cache")
    .description(DESCRIPTION)
    .addHelpText("after", EXAMPLES);
  withOnError(withStoreOptions(command))
    .option("--no-relay", "give the tools the server's own address and token")
    .action(async ({ onError, relay: wanted }: WithOptions) => {
      const { environment } = context;
      const { interrupted, interactive, clock } = environment;
      const words = programWords(context);
      const store = storeFlags(context, command);
      const output = new Output(environment, { json: store.json, aside: true });
      const server = await serverOf(context, { store, output, onError });
      await using relay = server && wanted ? await relayOf(environment, server) : undefined;
      const given = server ? await variablesOf(environment, server, relay) : new Map();
      const { status } = await runChild({
        words,
        cwd: environment.cwd,
        interrupted,
        interactive,
        clock,
        env: Object.fromEntries(given),
      });
      const hidden = relay ? tell(relay, output) : 0;
      if (output.json) {
        await output.result({ variables: [...given.keys()].sort(), status, hidden }, "");
      }
      context.end(status === 0 && interrupted.aborted ? EXIT.interrupted : status);
    });
}

interface WithOptions {
  readonly onError: OnError;
  readonly relay: boolean;
}

/** A server that answers and knows our token. */
interface WellServer extends CacheAddress {
  readonly secret: Secret<string>;
}

async function relayOf(environment: Environment, { url, secret }: WellServer): Promise<Relay> {
  const { startRelay } = await import("../relay/relay.ts");
  const { clock } = environment;
  return startRelay({ url, token: secret, clock, proxyEnv: proxyVariables(environment) });
}

/** What the command is given. */
async function variablesOf(
  environment: Environment,
  server: WellServer,
  relay: Relay | undefined,
): Promise<Map<string, string>> {
  const { everyToolsVariables } = await import("../tools/tool_table.ts");
  const folders = userFolders(environment);
  if (!relay) return everyToolsVariables(server, folders);
  const near = { ...server, url: relay.url, token: relay.token.reveal() };
  const variables = everyToolsVariables(near, folders, server);
  if (Object.keys(proxyVariables(environment)).length > 0) {
    // No proxy leads to this machine, and none should hear of the token.
    for (const name of ["no_proxy", "NO_PROXY"]) {
      const before = environment.env(name);
      variables.set(name, before ? `${before},${new URL(relay.url).hostname}` : "127.0.0.1");
    }
  }
  return variables;
}

/** Says how often the cache was missed; tells it too. */
function tell(relay: Relay, output: Output): number {
  const { hidden, reason } = relay.report();
  if (hidden > 0) {
    const answers = hidden === 1 ? "1 answer" : `${hidden} answers`;
    output.warn(
      `the cache failed while the command ran: ${answers} became misses or dropped writes`,
      `the first time: ${shown(reason ?? "")}`,
    );
  }
  return hidden;
}

/** The server, if it is well; a warning otherwise. */
async function serverOf(
  { environment }: CommandContext,
  { store, output, onError }: { store: StoreFlags; output: Output; onError: OnError },
): Promise<WellServer | undefined> {
  if (store.dir !== undefined) {
    throw new UsageError("build tools can not be sent to a folder", "give --url of a server");
  }
  const { clock, interrupted } = environment;
  const tolerates = () => true;
  const tolerance = new Tolerance({ output, clock, interrupted, onError, tolerates });
  try {
    const { resolveStore } = await import("../config/resolve_store.ts");
    const settings = await resolveStore(environment, store);
    // A server that only the repository names proves first that it is the one of the token.
    await using opened = await openResolved(environment, settings, { idleMs: TOLERANT_STALL_MS });
    const who = await tolerance.attempt("ask the cache who we are", () => opened.whoami());
    const { namespace } = store;
    const [url, secret] = [settings.url?.value, settings.token?.value];
    if (!who || secret === undefined || url === undefined) return undefined;
    const problem = problemOf(who, namespace);
    if (problem !== undefined) {
      output.warn(`the command runs without the cache: ${problem}`);
      return undefined;
    }
    return { url, namespace, token: secret.reveal(), secret, write: who.verbs.includes("write") };
  } catch (thrown) {
    interrupted.throwIfAborted();
    if (tolerance.failed) throw thrown;
    tolerance.give("use the cache", thrown);
    return undefined;
  }
}

/** Why a token is not handed to whatever the command starts. */
function problemOf(who: Principal, namespace: string): string | undefined {
  if (who.verbs.includes("admin")) {
    return `the token "${who.name}" is an administrator's; make one for builds: ` +
      "token create NAME --allow read,write";
  }
  const { namespaces } = who;
  if (namespaces.includes("*") || namespaces.includes(namespace)) return undefined;
  return `the token "${who.name}" is not for the namespace "${namespace}"`;
}

const DESCRIPTION =
  "Runs a command with the variables that tell every build tool of the cache: addresses and the " +
  "token. The cache is asked first, for 2 seconds at most. If it does not answer or does not " +
  "know the token, that is a warning and the command gets no variable, so that no tool waits " +
  "for a cache that is down. While the command runs the tools ask a relay on this machine, which " +
  "tells them of a miss when the cache hangs or goes away. It has a token of its own; the real one " +
  "is handed to Rush alone, an administrator's to nobody. Ends with the command's own status.";

const EXAMPLES = `
Examples:
  vitte-remote-cache with -- make -j8
  vitte-remote-cache with --url https://cache.example.com -- ./gradlew build
  vitte-remote-cache with -- sh -c 'mvn "-Dmaven.build.cache.remote.url=$VITTE_MAVEN_URL" verify'

Exit codes: the command's own (128 and more: a signal), 125 for a mistake in these options, 126 a
program that may not be run, 127 one that is not there.
`;
