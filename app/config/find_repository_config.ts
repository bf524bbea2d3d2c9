/** Looks for the repository's configuration: here, then in every folder above. */
import { dirname, join } from "node:path";
import { MAX_FOLDER_DEPTH } from "../../core/limits.ts";
import { ConfigError } from "./problem.ts";
import { readRepositoryConfig, REPOSITORY_FILE } from "./repository_config.ts";
import type { RepositoryConfig } from "./repository_config.ts";
import { readTomlFile } from "./toml_file.ts";
import type { TomlFile } from "./toml_file.ts";

/** A repository's configuration, and the file it stands in. */
export interface FoundConfig {
  readonly source: TomlFile;
  readonly config: RepositoryConfig;
}

/**
 * The nearest `.vitte/config.toml` at or above `folder`; `undefined` if there is none.
 * @throws {ConfigError} for everything that is wrong with it, also when it belongs to somebody
 * else than this user, the administrator, or the owner of `folder`: in a folder that all may write,
 * such as /tmp, anybody could put one above us
 */
export async function findRepositoryConfig(folder: string): Promise<FoundConfig | undefined> {
  let at = folder;
  for (let depth = 0; depth < MAX_FOLDER_DEPTH; depth++) {
    const source = await readTomlFile(join(at, REPOSITORY_FILE));
    if (source) {
      await refuseStranger(source, folder);
      return { source, config: await readRepositoryConfig(source) };
    }
    const above = dirname(at);
    if (above === at) return undefined;
    at = above;
  }
  return undefined;
}

async function refuseStranger(source: TomlFile, folder: string): Promise<void> {
  const { owner, file } = source;
  if (owner === null || owner === 0 || owner === Deno.uid()) return;
  if (owner === (await Deno.stat(folder)).uid) return;
  throw new ConfigError([{
    file,
    expected: "a file of this user or of the working folder's owner",
    found: `one of user ${owner}`,
    hint: "if it is yours: chown it; else work in a folder that is not below it",
  }]);
}
