import type { Command } from "commander";
import type { Principal } from "../../core/policy.ts";
import { TOLERANT_STALL_MS } from "../../core/limits.ts";
import { runChild } from "../exec/child.ts";
import { EXIT, UsageError } from "../exit_codes.ts";
import { openResolved } from "../open_named_store.ts";
import { Output } from "../output.ts";
import type { OnError } from "../tolerance.ts";
import { Tolerance } from "../tolerance.ts";
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
  withOnError(withStoreOptions(command)).action(async ({ onError }: { onError: OnError }) => {
    const { environment } = context;
    const { interrupted, interactive, clock } = environment;
    const words = programWords(context);
    const store = storeFlags(context, command);
    const output = new Output(environment, { json: store.json, aside: true });
    const given = await variablesOf(context, { store, output, onError });
    const { status } = await runChild({
      words,
      cwd: environment.cwd,
      interrupted,
      interactive,
      clock,
      env: Object.fromEntries(given),
    });
    if (output.json) await output.result({ variables: [...given.keys()].sort(), status }, "");
    context.end(status === 0 && interrupted.aborted ? EXIT.interrupted : status);
  });
}

/** The variables for a cache that answers and knows our token; none, with a warning, otherwise. */
async function variablesOf(
  { environment }: CommandContext,
  { store, output, onError }: { store: StoreFlags; output: Output; onError: OnError },
): Promise<Map<string, string>> {
  if (store.dir !== undefined) {
    throw new UsageError("build tools can not be sent to a folder", "give --url of a server");
  }
  const { clock, interrupted } = environment;
  const tolerates = () => true;
  const tolerance = new Tolerance({ output, clock, interrupted, onError, tolerates });
  const none = new Map<string, string>();
  try {
    const { resolveStore } = await import("../config/resolve_store.ts");
    const settings = await resolveStore(environment, store);
    // A server that only the repository names proves first that it is the one of the token.
    await using opened = await openResolved(environment, settings, { idleMs: TOLERANT_STALL_MS });
    const who = await tolerance.attempt("ask the cache who we are", () => opened.whoami());
    const { namespace } = store;
    const [url, token] = [settings.url?.value, settings.token?.value.reveal()];
    if (!who || token === undefined || url === undefined) return none;
    const problem = problemOf(who, namespace);
    if (problem !== undefined) {
      output.warn(`the command runs without the cache: ${problem}`);
      return none;
    }
    const { everyToolsVariables } = await import("../tools/tool_table.ts");
    const write = who.verbs.includes("write");
    return everyToolsVariables({ url, namespace, token, write }, userFolders(environment));
  } catch (thrown) {
    interrupted.throwIfAborted();
    if (tolerance.failed) throw thrown;
    tolerance.give("use the cache", thrown);
    return none;
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
  "for a cache that is down. An administrator's token is not handed on. Ends with the command's " +
  "own status.";

const EXAMPLES = `
Examples:
  vitte-remote-cache with -- make -j8
  vitte-remote-cache with --url https://cache.example.com -- ./gradlew build
  vitte-remote-cache with -- sh -c 'mvn "-Dmaven.build.cache.remote.url=$VITTE_MAVEN_URL" verify'

Exit codes: the command's own (128 and more: a signal), 125 for a mistake in these options, 126 a
program that may not be run, 127 one that is not there.
`;
