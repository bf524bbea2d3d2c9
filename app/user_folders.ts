/** The folders of the user, from the environment. */
import { statSync } from "node:fs";
import type { Environment } from "./environment.ts";
import { UsageError } from "./exit_codes.ts";
import type { UserFolders } from "./tools/build_tool.ts";

/**
 * Where the user's settings are.
 * @throws {UsageError} without HOME
 */
export function userFolders(environment: Environment): UserFolders {
  const home = environment.env("HOME");
  if (!home) throw new UsageError("it is not known where your settings are", "set HOME");
  return {
    home,
    config: environment.env("XDG_CONFIG_HOME") || `${home}/.config`,
    env: (name) => environment.env(name),
    exists: (path) => statSync(path, { throwIfNoEntry: false }) !== undefined,
  };
}
