import type { Command } from "commander";
import { parseServerUrl } from "../../client/server_url.ts";
import { parseToken, toBase64Url } from "../../core/token.ts";
import { REPOSITORY_FILE, repositoryKey } from "../config/repository_config.ts";
import { originOfUrl, resolveStore } from "../config/resolve_store.ts";
import type { Sourced, StoreSettings } from "../config/resolve_store.ts";
import { serverKeys } from "../config/server_config.ts";
import { tomlPlaces } from "../config/toml_places.ts";
import type { Environment } from "../environment.ts";
import { EXIT } from "../exit_codes.ts";
import { Output, PROGRAM, shown } from "../output.ts";
import type { CommandContext } from "./context.ts";
import { storeFlags, withStoreOptions } from "./context.ts";
import type { Holds } from "../../core/quota.ts";
import { QUOTA_TABLE } from "../config/namespace_quotas.ts";
import { readServerConfig } from "./serve.ts";

/** One line of what is in effect. */
interface Row {
  readonly key: string;
  /** A text, number, truth value or list; `null` where nothing is set. */
  readonly value: unknown;
  /** Who said so: a flag, a variable, a file with its line, `login`, `default`. */
  readonly origin: string;
}

/** As wide as the longest key, `max-blob-size`. */
const KEY_WIDTH = 13;

/** Adds `config show`. */
export function addConfig(program: Command, context: CommandContext): void {
  const config = program.command("config").summary("show the settings that are in effect");
  const show = config.command("show")
    .summary("print every setting, secrets as ***")
    .description(
      `Prints the settings that a command run here would use: flags over environment over files ` +
        `(the nearest ${REPOSITORY_FILE}) over logins. Nothing is sent.`,
    )
    .option("--origin", "print where each one comes from")
    .option("--config <file>", "the settings of serve with this file instead")
    .addHelpText("after", EXAMPLES);
  withStoreOptions(show).action(async (flags: { origin?: boolean; config?: string }) => {
    const { environment } = context;
    const named = storeFlags(context, show);
    const output = new Output(environment, named);
    const [rows, file] = flags.config === undefined
      ? await clientRows(await resolveStore(environment, named), environment)
      : await serverRows(program, environment, flags.config);
    if (file !== undefined) output.note(`using config file ${file}`);
    const line = ({ key, value, origin }: Row) =>
      `${key.padEnd(KEY_WIDTH)} ${value === null ? "-" : shown(String(value))}` +
      (flags.origin ? `  (${origin})` : "");
    await output.result({ file: file ?? null, settings: rows }, rows.map(line).join("\n"));
    context.end(EXIT.ok);
  });
}

async function clientRows(
  settings: StoreSettings,
  environment: Environment,
): Promise<[Row[], string | undefined]> {
  const { dir, url, token, namespace, backend, insecure, found, known } = settings;
  const places = found && await tomlPlaces(found.source.text);
  const row = (key: string, given: Sourced<unknown> | undefined, none = "not set"): Row => {
    if (!given) return { key, value: null, origin: none };
    const place = given.source === "repository" && (key === "url" || key === "backend")
      ? places?.value(repositoryKey(key))
      : undefined;
    const origin = place ? `${given.origin}:${place.line}` : given.origin;
    return { key, value: String(given.value), origin };
  };
  const variable = found?.config.tokenVariable;
  const rows = dir ? [row("dir", dir)] : [
    row("url", url),
    // A secret prints itself as ***.
    row("token", token, variable === undefined ? "not set" : `${variable} is not set`),
    row("backend", backend),
  ];
  rows.push(row("namespace", namespace));
  rows.push({ key: "insecure", value: insecure, origin: insecure ? "--insecure" : "default" });
  if (!dir) {
    rows.push({ key: "trust", ...trustOf(settings) });
    const { folder = null } = known;
    rows.push({ key: "user folder", value: folder, origin: folderOrigin(environment, folder) });
  }
  return [rows, found?.source.file];
}

/** Whether the token goes to the server, in words. */
function trustOf({ url, token, trust, known }: StoreSettings): Omit<Row, "key"> {
  if (!url || !token) return { value: null, origin: "no token to send" };
  if (trust === "user") {
    const origin = url.source === "repository" ? "login" : url.origin;
    return { value: "the token is sent", origin };
  }
  const server = originOfUrl(url.value);
  const parsed = parseToken(token.value.reveal());
  if (parsed?.type !== "issued") {
    return { value: "no token is sent", origin: `before ${PROGRAM} login ${server}` };
  }
  const encrypted = parseServerUrl(url.value).base.startsWith("https:");
  const proved = encrypted ? known.proved(server, toBase64Url(parsed.serverKey)) : undefined;
  return proved === undefined
    ? { value: "the server must prove that it made the token", origin: "default" }
    : { value: "the token is sent", origin: `proof of ${new Date(proved).toISOString()}` };
}

function folderOrigin(environment: Environment, folder: string | null): string {
  if (folder === null) return "neither HOME nor XDG_CONFIG_HOME is set";
  return environment.env("XDG_CONFIG_HOME") ? "XDG_CONFIG_HOME" : "HOME";
}

async function serverRows(
  program: Command,
  environment: Environment,
  file: string,
): Promise<[Row[], string | undefined]> {
  const serve = program.commands.find((command) => command.name() === "serve")!;
  const { source, quotas } = await readServerConfig(environment, serve, file);
  const places = await tomlPlaces(source.text);
  const rows = [...serverKeys(serve)].map(([key, option]): Row => {
    const attribute = option.attributeName();
    const value: unknown = serve.getOptionValue(attribute);
    if (serve.getOptionValueSource(attribute) === "config") {
      const line = places.key([key])?.line;
      return { key, value, origin: `${source.file}:${line}` };
    }
    const variable = key === "dir" ? environment.env("VITTE_CACHE_DIR") : undefined;
    if (variable) return { key, value: variable, origin: "VITTE_CACHE_DIR" };
    return { key, value: value ?? null, origin: "default" };
  });
  for (const quota of quotas) {
    const path = [QUOTA_TABLE, quota.namespace];
    const all = [{ path, limits: quota as Partial<Holds> }].concat(
      quota.scopes.map((share) => ({ path: [...path, "scopes", share.pattern], limits: share })),
    );
    for (const { path, limits: { bytes, entries } } of all) {
      const origin = `${source.file}:${places.key(path)?.line ?? 1}`;
      const row = (key: string, value: number) => {
        rows.push({ key: [...path, key].join("."), value, origin });
      };
      if (bytes !== undefined) row("max-size", bytes);
      if (entries !== undefined) row("max-entries", entries);
    }
  }
  return [rows, source.file];
}

const EXAMPLES = `
Examples:
  vitte-remote-cache config show --origin
  vitte-remote-cache config show --json
  vitte-remote-cache config show --origin --config /etc/vitte/server.toml
`;
