import type { Command } from "commander";
import { ConfigError, problemLine } from "../config/problem.ts";
import type { ConfigProblem } from "../config/problem.ts";
import { resolveStore } from "../config/resolve_store.ts";
import type { StoreSettings } from "../config/resolve_store.ts";
import { agreement, judgeSources, judgeToolVariables } from "../doctor/environment_checks.ts";
import { examineFolder } from "../doctor/examine_folder.ts";
import { examineServer } from "../doctor/examine_server.ts";
import type { Finding, Verdict } from "../doctor/finding.ts";
import { failed, failedBy, Findings, ok } from "../doctor/finding.ts";
import { EXIT } from "../exit_codes.ts";
import { noStore, proxyVariables } from "../open_named_store.ts";
import { Output, shown } from "../output.ts";
import { localServer } from "../setup/local_server.ts";
import { userFolders } from "../user_folders.ts";
import type { CommandContext, StoreFlags } from "./context.ts";
import { storeFlags, withStoreOptions } from "./context.ts";
import { parseVerbs } from "./token.ts";

/** Adds `doctor`. */
export function addDoctor(program: Command, context: CommandContext): void {
  const command = program.command("doctor")
    .summary("find out what is wrong and what to do about it")
    .description(
      "Looks at the way to the server, at the token and at the store, and says what to do.\n" +
        "It leaves nothing behind. Exit 1: something failed; warnings alone are exit 0.",
    )
    .option("--need <verbs>", "what the token has to be allowed, such as read or read,write");
  withStoreOptions(command).addHelpText("after", EXAMPLES)
    .action(async (options: { need?: string }) => {
      const flags = storeFlags(context, command);
      const need = options.need === undefined ? [] : parseVerbs(options.need, "--need");
      const output = new Output(context.environment, flags);
      const { stderr, interactive } = context.environment;
      // A line that says what is waited for, and goes when there is something to say.
      const draw = (text: string) => void (interactive && stderr(`\r\x1b[K${text}`));
      const findings = new Findings((check) => draw(`looking at: ${check}`));
      try {
        await examine(context, { flags, need, command }, findings);
      } finally {
        draw("");
      }
      await output.result(findings.all, findings.all.map(line).join("\n"));
      const bad = findings.all.some(({ state }) => state === "failed");
      context.end(bad ? EXIT.failed : EXIT.ok);
    });
}

interface Asked {
  readonly flags: StoreFlags;
  readonly need: ReturnType<typeof parseVerbs>;
  readonly command: Command;
}

async function examine(
  { environment }: CommandContext,
  { flags, need, command }: Asked,
  findings: Findings,
): Promise<void> {
  const { namespace } = flags;
  let settings: StoreSettings;
  try {
    settings = await resolveStore(environment, flags);
    if (!settings.dir && !settings.url) settings = localServer(environment, settings);
  } catch (thrown) {
    if (thrown instanceof ConfigError) {
      findings.add("config file", ...thrown.problems.map(judgeProblem));
    } else findings.add("settings", failedBy(thrown));
    return;
  }
  const { dir, url, token, found, backend, insecure } = settings;
  if (dir) return await examineFolder(environment, { dir: dir.value, namespace }, findings);
  if (!url) throw noStore(settings);
  if (found) findings.add("config file", ok(found.source.file));
  findings.add("settings", ...contradictions(environment, command, url.value));
  await examineServer(environment, {
    url: url.value,
    urlFrom: url.origin,
    namespace,
    insecure,
    need,
    proxyEnv: proxyVariables(environment),
    token: token?.value.reveal(),
    // The user has not named the server: only one that proves to be the token's may see it.
    provenOnly: settings.trust === "repository",
    ownAdmin: token?.source === "default",
    ...(backend ? { backend: { expected: backend.value, from: backend.origin } } : {}),
  }, findings);
}

function judgeProblem(problem: ConfigProblem): Verdict {
  return failed(
    problemLine(problem),
    problem.hint ?? "correct the line, then: config show --origin",
  );
}

function contradictions(
  environment: CommandContext["environment"],
  command: Command,
  url: string,
): Verdict[] {
  const typed = (name: string) =>
    command.getOptionValueSource(name) === "cli" ? command.getOptionValue(name) : undefined;
  const found = [
    judgeSources("the server", [
      { source: "--url", value: typed("url") },
      { source: "VITTE_CACHE_URL", value: environment.env("VITTE_CACHE_URL") },
    ]),
    judgeSources("the token", [
      { source: "--token-file", value: typed("tokenFile") },
      { source: "VITTE_TOKEN_FILE", value: environment.env("VITTE_TOKEN_FILE") },
      { source: "VITTE_TOKEN", value: environment.env("VITTE_TOKEN") },
    ], { secret: true }),
  ].filter((verdict) => verdict !== undefined);
  if (URL.canParse(url) && environment.env("HOME")) {
    found.push(...judgeToolVariables(new URL(url).origin, userFolders(environment)));
  }
  return found.length > 0 ? found : [agreement()];
}

function line({ check, state, detail, hint }: Finding): string {
  const more = hint === undefined ? "" : `\n         hint: ${shown(hint)}`;
  return `${state.padEnd(8)} ${check}: ${shown(detail)}${more}`;
}

const EXAMPLES = `
Examples:
  vitte-remote-cache doctor --url https://cache.example.com --token-file ci.token
  vitte-remote-cache doctor --need read,write   fails if the token may not write
  vitte-remote-cache doctor --dir /var/cache/vitte
`;
