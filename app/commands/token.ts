import type { Command } from "commander";
import { InvalidArgumentError } from "commander";
import { isScope } from "../../core/entry.ts";
import type { Verb } from "../../core/policy.ts";
import { VERBS } from "../../core/policy.ts";
import type { NewToken, TokenInfo, TokenRights } from "../../core/token_admin.ts";
import { parseDuration } from "../../core/units.ts";
import { EXIT, UsageError } from "../exit_codes.ts";
import type { Output } from "../output.ts";
import { table } from "../output.ts";
import type { CommandContext } from "./context.ts";
import { onStore, withStoreOptions } from "./context.ts";

/** Adds `token create|list|revoke|rotate`. */
export function addToken(program: Command, context: CommandContext): void {
  const token = program.command("token").summary("make, list and end tokens");
  addCreate(token, context);
  addList(token, context);
  const revoke = token.command("revoke").argument("<name>").summary("end a token at once")
    .addHelpText("after", examples("revoke pr-7"));
  withStoreOptions(revoke).action((name: string) =>
    onStore(context, revoke, async (opened, output) => {
      const info = await opened.tokens.revoke(name);
      await output.result(asJson(info), `revoked ${name}`);
      return EXIT.ok;
    })
  );
  const rotate = token.command("rotate").argument("<name>")
    .summary("give a token a new secret; the old one ends at once")
    .addHelpText("after", examples("rotate ci > ci.token"));
  withStoreOptions(rotate).action((name: string) =>
    onStore(context, rotate, async (opened, output) => {
      await printNew(output, await opened.tokens.rotate(name));
      return EXIT.ok;
    })
  );
}

interface CreateOptions {
  readonly allow: string;
  readonly scope: string;
  readonly readScope?: string[];
  /** Milliseconds from now. */
  readonly expires?: number;
}

function addCreate(token: Command, context: CommandContext): void {
  const command = token.command("create").argument("<name>")
    .summary("make a token and print it")
    .description("Makes a token and prints it alone: nobody can show it again.")
    .requiredOption("--allow <verbs>", `comma-separated: ${VERBS.join(", ")}`)
    .option("--scope <scope>", "the scope it writes", "main")
    .option("--read-scope <scope...>", "scopes it reads, in order (default: its own, then main)")
    .option("--expires <time>", "when it ends, such as 30d or 12h (default: never)", duration)
    .addHelpText("after", EXAMPLES);
  withStoreOptions(command).action(async (name: string, options: CreateOptions) => {
    // Checked before the store is opened: words that are off must not make a folder.
    const rights = rightsOf(options);
    await onStore(context, command, async (opened, output, flags) => {
      const { expires } = options;
      const made = await opened.tokens.create(name, {
        ...rights,
        namespaces: rights.verbs.includes("admin") ? ["*"] : [flags.namespace],
        expires: expires === undefined ? undefined : context.environment.clock.now() + expires,
      });
      await printNew(output, made);
      return EXIT.ok;
    });
  });
}

function rightsOf(options: CreateOptions): Pick<TokenRights, "verbs" | "scope" | "readScopes"> {
  const { scope } = options;
  const readScopes = options.readScope ?? [...new Set([scope, "main"])];
  for (const one of [scope, ...readScopes]) {
    if (!isScope(one)) throw new UsageError(`"${one}" is no scope`, "such as main or pr/123");
  }
  return { verbs: parseVerbs(options.allow), scope, readScopes };
}

function duration(text: string): number {
  try {
    return parseDuration(text);
  } catch {
    // The parser's own message repeats the flag's text; commander prints it already.
    throw new InvalidArgumentError("Want a time with a unit, such as 30d or 12h.");
  }
}

function addList(token: Command, context: CommandContext): void {
  const command = token.command("list").summary("list tokens, also the revoked ones")
    .addHelpText("after", examples("list", "list --json"));
  withStoreOptions(command).action(() =>
    onStore(context, command, async (opened, output) => {
      const infos = await opened.tokens.list();
      const now = context.environment.clock.now();
      await output.result(
        infos.map(asJson),
        table(
          ["NAME", "ID", "ALLOW", "NAMESPACE", "SCOPE", "READS", "EXPIRES", "STATE"],
          infos.map((info) => [
            info.name,
            info.id,
            info.verbs.join(","),
            info.namespaces.join(","),
            info.scope,
            info.readScopes.join(","),
            info.expires === undefined ? "never" : new Date(info.expires).toISOString(),
            stateOf(info, now),
          ]),
        ),
      );
      return EXIT.ok;
    })
  );
}

function stateOf(info: TokenInfo, now: number): string {
  if (info.revoked !== undefined) return "revoked";
  return info.expires !== undefined && info.expires <= now ? "expired" : "good";
}

async function printNew(output: Output, made: NewToken): Promise<void> {
  await output.result({ token: made.token, ...asJson(made.info) }, made.token);
}

function asJson(info: TokenInfo): Record<string, unknown> {
  const time = (at: number | undefined) => at === undefined ? null : new Date(at).toISOString();
  return {
    name: info.name,
    id: info.id,
    kind: info.kind,
    allow: info.verbs,
    namespaces: info.namespaces,
    scope: info.scope,
    read_scopes: info.readScopes,
    created: time(info.created),
    expires: time(info.expires),
    revoked: time(info.revoked),
    last_used: time(info.lastUsed),
  };
}

/** @throws {UsageError} for a word that is no verb */
export function parseVerbs(text: string, option = "--allow"): Verb[] {
  const verbs = text.split(",").map((verb) => verb.trim()).filter((verb) => verb !== "");
  const wrong = verbs.filter((verb) => !(VERBS as readonly string[]).includes(verb));
  if (wrong.length > 0 || verbs.length === 0) {
    throw new UsageError(`${option} "${text}" is wrong`, `verbs are ${VERBS.join(", ")}`);
  }
  return [...new Set(verbs)] as Verb[];
}

function examples(...lines: readonly string[]): string {
  const all = lines.map((line) => `  vitte-remote-cache token ${line}\n`).join("");
  return `\nExamples:\n${all}`;
}

const EXAMPLES = `
Examples:
  vitte-remote-cache token create ci --allow read,write --dir /var/cache/vitte
  vitte-remote-cache token create pr-7 --allow read,write --scope pr/7 --expires 12h
`;
