/**
 * `serve --config server.toml`: the flags of `serve` as keys, so that a new flag is a key by
 * itself, and the quotas of namespaces. The operator names the file, so it is trusted like a flag. Paths in it begin at its folder.
 */
import { dirname, resolve } from "node:path";
import type { Command, Option } from "commander";
import { InvalidArgumentError } from "commander";
import * as v from "valibot";
import type { NamespaceQuota } from "../../core/quota.ts";
import { checkTable, described, inOrder } from "./check_table.ts";
import type { KeySchemas } from "./check_table.ts";
import { closest } from "./closest.ts";
import { checkQuotas, QUOTA_TABLE } from "./namespace_quotas.ts";
import { ConfigError } from "./problem.ts";
import { readTomlFile } from "./toml_file.ts";
import type { TomlFile } from "./toml_file.ts";

/** Flags that make no sense in a file. */
const NO_KEYS: readonly string[] = ["config", "json", "help", "version"];

/** Further rules for single values, by the key's name: what is wanted, if it is not that. */
export type ValueRules = Readonly<Record<string, (text: string) => string | undefined>>;

/** Options of {@linkcode applyServerConfig}. */
export interface ServerConfigOptions {
  readonly rules: ValueRules;
  /** Names of keys that something stronger than a file has set, beside flags. */
  readonly overridden: readonly string[];
}

/** A file that was read. */
export interface ServerConfig {
  readonly source: TomlFile;
  /** What no flag can say. */
  readonly quotas: readonly NamespaceQuota[];
}

/** The keys that a server's configuration may have, with the option behind each. */
export function serverKeys(command: Command): Map<string, Option> {
  const named = command.options.map((option) => [option.long?.slice(2) ?? "", option] as const);
  return new Map(named.filter(([name]) => name !== "" && !NO_KEYS.includes(name)));
}

/**
 * Sets what the file says on the command, except what flags have set.
 * @throws {ConfigError} with everything that is wrong in it
 */
export async function applyServerConfig(
  command: Command,
  file: string,
  { rules, overridden }: ServerConfigOptions,
): Promise<ServerConfig> {
  const source = await readTomlFile(file);
  if (!source) throw new ConfigError([{ file, expected: "a file", found: "none" }]);
  const options = serverKeys(command);
  const folder = dirname(resolve(file));
  const keys: KeySchemas = Object.fromEntries(
    [...options].map(([name, option]) => [name, schemaOf(option, { folder, rule: rules[name] })]),
  );
  const { [QUOTA_TABLE]: _, ...flags } = source.table;
  const { values, problems: wrong } = await checkTable(source, flags, {
    path: [],
    keys,
    hint: (key) => closest(key, [QUOTA_TABLE]) ? `did you mean [${QUOTA_TABLE}.NAME]?` : undefined,
  });
  const { quotas, problems: wrongQuotas } = await checkQuotas(source);
  const problems = inOrder([...wrong, ...wrongQuotas]);
  if (problems.length > 0) throw new ConfigError(problems);
  for (const [name, value] of Object.entries(values)) {
    const attribute = options.get(name)!.attributeName();
    if (command.getOptionValueSource(attribute) === "cli" || overridden.includes(name)) continue;
    command.setOptionValueWithSource(attribute, value, "config");
  }
  return { source, quotas };
}

interface ValueContext {
  readonly folder: string;
  readonly rule: ((text: string) => string | undefined) | undefined;
}

/** What an option takes, read from a file: a number may be written as one. */
function schemaOf(option: Option, context: ValueContext): v.GenericSchema {
  if (option.isBoolean()) return v.boolean("true or false");
  const wanted = wantedOf(option);
  return v.pipe(
    v.unknown(),
    v.rawTransform(({ dataset: { value }, addIssue, NEVER }) => {
      const several = option.variadic && Array.isArray(value);
      const read: unknown[] = [];
      for (const one of several ? value : [value]) {
        const wrong = isText(one) ? wrongText(option, String(one), context) : wanted;
        if (wrong === undefined) read.push(valueOf(option, String(one), context.folder));
        else {
          addIssue({ message: wrong, received: described(one) });
          return NEVER;
        }
      }
      return option.variadic ? read : read[0];
    }),
  );
}

function isText(value: unknown): boolean {
  return typeof value === "string" || Number.isSafeInteger(value);
}

/** What is wanted instead of a text; `undefined` if it does. */
function wrongText(option: Option, text: string, { folder, rule }: ValueContext) {
  try {
    valueOf(option, text, folder);
  } catch (thrown) {
    if (!(thrown instanceof InvalidArgumentError)) throw thrown;
    return wantedIn(thrown.message);
  }
  return rule?.(text);
}

const PATH = /<(?:file|folder)>/;

function valueOf(option: Option, text: string, folder: string): unknown {
  if (PATH.test(option.flags)) return resolve(folder, text);
  return !option.variadic && option.parseArg ? option.parseArg(text, undefined) : text;
}

/** What to write there, as far as the flag's own text says it. */
function wantedOf(option: Option): string {
  if (option.argChoices) return `one of ${option.argChoices.join(", ")}`;
  if (PATH.test(option.flags)) return "a path";
  const name = /<([a-z]+)(?:\.\.\.)?>/.exec(option.flags)?.[1] ?? "text";
  return `${/^[aeiou]/.test(name) ? "an" : "a"} ${name}`;
}

/** From `Want 0 to 65535.` to `0 to 65535`. */
function wantedIn(message: string): string {
  return message.replace(/^Want /, "").replace(/^Allowed choices are /, "one of ")
    .replace(/\.$/, "");
}
