/** Sets tools up: a token for each, then its settings, printed or written. */
import { CacheError } from "../../core/errors.ts";
import type { Verb } from "../../core/policy.ts";
import { identityOptions } from "../config/repository_trust.ts";
import type { StoreSettings } from "../config/resolve_store.ts";
import { connectStore } from "../connect_store.ts";
import type { Environment } from "../environment.ts";
import { proxyVariables } from "../open_named_store.ts";
import { askForToken } from "../read_token.ts";
import type { BuildTool, ToolFile } from "../tools/build_tool.ts";
import { userFolders } from "../user_folders.ts";
import type { Plan } from "./plan.ts";
import { planOf } from "./plan.ts";
import type { FileOutcome } from "./settings_file.ts";
import { readMarked, writeMarked } from "./settings_file.ts";
import type { TokenSource, ToolToken } from "./tool_token.ts";
import { tokenFor } from "./tool_token.ts";

/** What is to be set up. */
export interface SetUpWish {
  readonly tools: readonly BuildTool[];
  /** Without a slash at its end. */
  readonly url: string;
  readonly settings: StoreSettings;
  readonly namespace: string;
  readonly write: boolean;
  readonly dryRun: boolean;
  readonly readOnly: boolean;
  readonly expires: number | undefined;
}

/** One tool that was set up. */
export interface ToolDone {
  readonly plan: Plan;
  /** `undefined` in a dry run. */
  readonly token: ToolToken | undefined;
  /** Empty when the settings are only printed. */
  readonly files: readonly { readonly file: ToolFile; readonly outcome: FileOutcome }[];
  readonly dryRun: boolean;
}

/** Stands where a token will be. */
const PLACEHOLDER = "TOKEN";

/**
 * Sets them up one after another.
 * @throws {CacheError} `unauthenticated` without a token, and what the server says
 */
export async function setUp(environment: Environment, wish: SetUpWish): Promise<ToolDone[]> {
  const { tools, dryRun } = wish;
  if (dryRun) {
    return await Promise.all(tools.map((tool) => apply(environment, { tool, wish })));
  }
  const { settings, url } = wish;
  const given = settings.token?.value.reveal() ?? await askForToken(environment, url);
  if (given === undefined) throw noToken(wish);
  const { insecure } = settings;
  await using store = connectStore(url, {
    token: given,
    insecure,
    proxyEnv: proxyVariables(environment),
    clock: environment.clock,
    ...identityOptions(environment, settings),
    // Whatever else listens there gets no administrator's token.
    checkIdentity: true,
  });
  const source = { environment, url, insecure, store, who: await store.whoami(), given };
  const done: ToolDone[] = [];
  for (const tool of tools) done.push(await apply(environment, { tool, wish, source }));
  return done;
}

interface Step {
  readonly tool: BuildTool;
  readonly wish: SetUpWish;
  readonly source?: TokenSource;
}

async function apply(environment: Environment, { tool, wish, source }: Step): Promise<ToolDone> {
  const { url, namespace, readOnly, expires, write, dryRun } = wish;
  const user = userFolders(environment);
  const verbs: Verb[] = tool.verbs.filter((verb) => !readOnly || verb !== "write");
  const address = { url, namespace, token: PLACEHOLDER, write: !readOnly };
  const present = await presentSettings(planOf(tool, address, user));
  const token = source &&
    await tokenFor(source, { tool: tool.name, verbs, namespace, expires, present });
  const plan = token
    ? planOf(tool, { ...address, token: token.text, write: token.write }, user)
    : planOf(tool, address, user);
  if (!write) return { plan, token, files: [], dryRun };
  const files = [];
  for (const file of plan.files) {
    files.push({ file, outcome: await writeMarked(tool.name, file, { dryRun }) });
  }
  return { plan, token, files, dryRun };
}

async function presentSettings({ tool, files }: Plan): Promise<string> {
  const parts = [];
  for (const file of files) parts.push(await readMarked(tool.name, file) ?? "");
  return parts.join("\n");
}

function noToken({ url, namespace }: SetUpWish): CacheError {
  const more = namespace === "default" ? "" : ` --namespace ${namespace}`;
  return new CacheError("unauthenticated", `Cannot set up: no token for ${url}`, {
    operation: "setup.token",
    hint:
      `ask an administrator of it: vitte-remote-cache token create NAME --allow read,write${more}\n` +
      "then give it with --token-file, VITTE_TOKEN_FILE or VITTE_TOKEN, or keep it: " +
      `vitte-remote-cache login ${url}`,
  });
}
