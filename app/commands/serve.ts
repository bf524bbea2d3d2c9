import type { Command } from "commander";
import { InvalidArgumentError, Option } from "commander";
import { isNamespace } from "../../core/entry.ts";
import { MAX_BLOB_BYTES, SCRUB_BYTES_PER_SECOND } from "../../core/limits.ts";
import { parseSize } from "../../core/units.ts";
import { applyServerConfig } from "../config/server_config.ts";
import type { ServerConfig, ValueRules } from "../config/server_config.ts";
import { defaultFolder } from "../default_folder.ts";
import type { Environment } from "../environment.ts";
import { EXIT, UsageError } from "../exit_codes.ts";
import { Output } from "../output.ts";
import type { CommandContext } from "./context.ts";

interface ServeFlags {
  readonly dir?: string;
  readonly host: string;
  readonly port: number;
  readonly threads: number;
  readonly maxSize?: number | "none";
  readonly maxBlobSize: number;
  readonly durability: "strict" | "relaxed";
  readonly publicUrl?: string;
  readonly allowedHost?: string[];
  readonly publicRead?: string[];
  readonly tlsCert?: string;
  readonly tlsKey?: string;
  readonly accessLog: "errors" | "all" | "none";
  readonly scrubRate: number | "none";
  readonly json?: boolean;
}

/** Adds `serve`. */
export function addServe(program: Command, context: CommandContext): void {
  const command = program.command("serve");
  command
    .summary("run the cache server")
    .description("Runs the cache server on a folder of its own. Needs no configuration.")
    .option("--config <file>", "TOML file with these flags as keys, and quotas; flags win over it")
    .addOption(new Option("--dir <folder>", "where everything is kept (env: VITTE_CACHE_DIR)"))
    .option("--host <address>", "address to listen on", "127.0.0.1")
    .option("--port <number>", "port to listen on; 0 takes a free one", port, 8080)
    .addOption(
      new Option("--threads <number>", "serving threads").argParser(count)
        .default(Math.min(context.environment.cores, MAX_THREADS), "one for each core"),
    )
    .option("--max-size <size>", "such as 50GiB, or none (default: 80 % of what is free)", maxSize)
    .option("--max-blob-size <size>", "largest blob", size, MAX_BLOB_BYTES)
    .addOption(
      new Option("--durability <how>", "relaxed: a power cut may lose the last second of writes")
        .choices(["strict", "relaxed"]).default("strict"),
    )
    .option("--public-url <url>", "the address that clients use, behind a proxy")
    .option("--allowed-host <name...>", "further names by which clients may call this server")
    .option("--public-read <namespace...>", "anybody may read these with a build tool")
    .option("--tls-cert <file>", "certificate chain (PEM); reread when it changes")
    .option("--tls-key <file>", "its key (PEM)")
    .addOption(
      new Option("--access-log <what>", "which requests are logged")
        .choices(["errors", "all", "none"]).default("errors"),
    )
    .option(
      "--scrub-rate <size>",
      "bytes a second read in the background to find damage, or none",
      scrubRate,
      SCRUB_BYTES_PER_SECOND,
    )
    .option("--json", "print one line of JSON when it listens")
    .addHelpText("after", EXAMPLES)
    .action(async ({ config }: { config?: string }) => {
      const { environment } = context;
      const file = config === undefined
        ? undefined
        : await readServerConfig(environment, command, config);
      const flags = command.opts<ServeFlags>();
      check(flags);
      const output = new Output(environment, flags);
      if (file) output.note(`using config file ${file.source.file}`);
      // The whole server is loaded for this command alone.
      const { serve } = await import("../serve.ts");
      await serve(environment, output, {
        dir: flags.dir ?? (environment.env("VITTE_CACHE_DIR") || defaultFolder(environment)),
        host: flags.host,
        port: flags.port,
        threads: flags.threads,
        maxSize: flags.maxSize,
        maxBlobSize: flags.maxBlobSize,
        quotas: file?.quotas ?? [],
        durability: flags.durability,
        publicUrl: flags.publicUrl,
        allowedHosts: flags.allowedHost ?? [],
        publicRead: flags.publicRead ?? [],
        tls: flags.tlsCert && flags.tlsKey
          ? { certFile: flags.tlsCert, keyFile: flags.tlsKey }
          : undefined,
        accessLog: flags.accessLog,
        scrubRate: flags.scrubRate,
        adminTokenFile: environment.env("VITTE_ADMIN_TOKEN_FILE"),
      });
      context.end(EXIT.ok);
    });
}

/** Sets what the file says on `serve`, except what flags and environment say. */
export async function readServerConfig(
  environment: Environment,
  serve: Command,
  file: string,
): Promise<ServerConfig> {
  const overridden = environment.env("VITTE_CACHE_DIR") ? ["dir"] : [];
  return await applyServerConfig(serve, file, { rules: VALUE_RULES, overridden });
}

/** What a flag's text must be, beside what the parser of its option says. */
const VALUE_RULES: ValueRules = {
  "public-read": (text) => isNamespace(text) ? undefined : "a namespace",
  "public-url": (text) =>
    /^https?:$/.test(protocolOf(text)) ? undefined : "a URL that begins with http:// or https://",
};

function check(flags: ServeFlags): void {
  const problems: string[] = [];
  if ((flags.tlsCert === undefined) !== (flags.tlsKey === undefined)) {
    problems.push("--tls-cert and --tls-key go together");
  }
  const texts = { "public-read": flags.publicRead ?? [], "public-url": flags.publicUrl ?? [] };
  for (const [name, given] of Object.entries(texts)) {
    for (const text of [given].flat()) {
      const wanted = VALUE_RULES[name]!(text);
      if (wanted !== undefined) problems.push(`--${name} "${text}" is not ${wanted}`);
    }
  }
  if (problems.length > 0) throw new UsageError(problems.join("; "));
}

function protocolOf(url: string): string {
  // "cache.example.com:8080" can be parsed, as a URL without a host.
  return URL.parse(url)?.protocol ?? "";
}

function port(text: string): number {
  const value = Number(text);
  if (/^\d+$/.test(text) && value <= 65_535) return value;
  throw new InvalidArgumentError("Want 0 to 65535.");
}

function count(text: string): number {
  const value = Number(text);
  if (/^\d+$/.test(text) && value >= 1 && value <= MAX_THREADS) return value;
  throw new InvalidArgumentError(`Want 1 to ${MAX_THREADS}.`);
}

function size(text: string): number {
  try {
    return parseSize(text);
  } catch {
    // The parser's own message repeats the flag's text; commander prints it already.
    throw new InvalidArgumentError("Want a number with a unit, such as 10GiB.");
  }
}

/** Serving threads at most: each has its own heap, and one writer serves them all. */
const MAX_THREADS = 64;
const MIN_SIZE = 16 * 1024 * 1024;

function maxSize(text: string): number | "none" {
  if (text === "none") return "none";
  const value = size(text);
  if (value >= MIN_SIZE) return value;
  throw new InvalidArgumentError("Want at least 16MiB, or none.");
}

const MIN_SCRUB_RATE = 64 * 1024;

function scrubRate(text: string): number | "none" {
  if (text === "none") return "none";
  const value = size(text);
  if (value >= MIN_SCRUB_RATE) return value;
  throw new InvalidArgumentError("Want at least 64KiB, or none.");
}

const EXAMPLES = `
Examples:
  vitte-remote-cache serve                                on 127.0.0.1:8080, for this machine
  vitte-remote-cache serve --host 0.0.0.0 --allowed-host cache.example.com
  vitte-remote-cache serve --dir /srv/cache --max-size 200GiB --tls-cert c.pem --tls-key k.pem
  vitte-remote-cache serve --config /etc/vitte/server.toml
`;
