/** All build tools, and what of them a command gets. */
import type { BuildTool, CacheAddress, ToolName, ToolVariable, UserFolders } from "./build_tool.ts";
import { namespaceUrl, TOOL_NAMES, toolUrl } from "./build_tool.ts";
import { METRO, NX, RUSH, TURBOREPO } from "./javascript_tools.ts";
import { GRADLE, MAVEN } from "./jvm_tools.ts";
import { BAZEL, CCACHE, GO, MOON, PLEASE } from "./native_tools.ts";

/** The table of tools, by name. */
export const TOOLS: Readonly<Record<ToolName, BuildTool>> = {
  bazel: BAZEL,
  moon: MOON,
  ccache: CCACHE,
  gradle: GRADLE,
  maven: MAVEN,
  turborepo: TURBOREPO,
  nx: NX,
  metro: METRO,
  rush: RUSH,
  please: PLEASE,
  go: GO,
};

/** Whether a word is the name of a tool. */
export function isToolName(word: string): word is ToolName {
  return (TOOL_NAMES as readonly string[]).includes(word);
}

/**
 * Variables that tell every tool of the cache at once, for a child that may start any of them:
 * each tool's own, `VITTE_<TOOL>_URL` for those whose settings are files, `VITTE_CACHE_URL` and
 * `VITTE_TOKEN`. `env` gives what is set already, for values that are put in front of others.
 * `server` is the server itself where `address` is that of a relay. Default: they are the same.
 */
export function everyToolsVariables(
  address: CacheAddress,
  user: UserFolders,
  server: CacheAddress = address,
): Map<string, string> {
  const all = new Map<string, string>([
    ["VITTE_CACHE_URL", namespaceUrl(address.url, "default")],
    ["VITTE_TOKEN", address.token],
  ]);
  for (const name of TOOL_NAMES) {
    const tool = name === "moon" ? "bazel" : name;
    const where = TOOLS[name].direct ? server : address;
    all.set(`VITTE_${name.toUpperCase()}_URL`, toolUrl(tool, where));
    for (const variable of TOOLS[name].settings(where, user).variables) {
      all.set(variable.name, joined(variable, user));
    }
  }
  return all;
}

function joined({ name, value, join }: ToolVariable, user: UserFolders): string {
  const before = join === undefined ? undefined : user.env(name);
  return before ? `${before}${join}${value}` : value;
}
