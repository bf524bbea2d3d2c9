/** Settings for real build tools, made by `setup` itself: a wrong line there turns a build red. */
import assert from "node:assert/strict";
import { planOf } from "../../app/setup/plan.ts";
import { writeMarked } from "../../app/setup/settings_file.ts";
import type { RepositoryFile, ToolName } from "../../app/tools/build_tool.ts";
import { TOOLS } from "../../app/tools/tool_table.ts";
import type { BuildCache } from "./ill_server.ts";
import { run, runtimeFolder, SOURCE_PROGRAM } from "./real_server.ts";

/** A user whose tool is set up. */
export interface SetUpTool {
  /** Her home folder, beside the workspace: no repository holds what is written there. */
  readonly user: string;
  /** Words in front of the tool's own: a shell with the variables that it is told to read. */
  readonly words: readonly string[];
  /** What `setup` says is to be committed, by path. */
  readonly repository: Readonly<Record<string, string>>;
}

/**
 * Sets a tool up for the workspace in `home`. With an administrator's token by the command
 * `setup TOOL --write`, which makes a token of its own; else with the same lines and the token as
 * it is, since a token that has ended is nothing that `setup` takes. Under `with` only what is
 * committed.
 */
export async function setUpTool(
  name: ToolName,
  home: string,
  cache: BuildCache,
): Promise<SetUpTool> {
  const user = `${home}-user`;
  await Deno.mkdir(user);
  const env = (path: string) => `${user}/.config/vitte-remote-cache/${path}`;
  const repository = cache.admin
    ? await byCommand(name, user, cache)
    : await byTable(name, user, cache);
  const written = await Deno.stat(env("env.sh")).catch(() => undefined);
  const shell = written ? ["sh", "-c", '. "$0" && exec "$@"', env("env.sh")] : [];
  return {
    user,
    words: cache.under ?? shell,
    repository: Object.fromEntries(
      repository.map(({ path, lines }) => [path, `${lines.join("\n")}\n`]),
    ),
  };
}

async function byCommand(
  name: ToolName,
  user: string,
  { url, token }: BuildCache,
): Promise<readonly RepositoryFile[]> {
  const ran = await run(
    [...SOURCE_PROGRAM, "setup", name, "--write", "--json", "--url", url],
    {
      cwd: user,
      env: {
        HOME: user,
        DENO_DIR: runtimeFolder(),
        XDG_CONFIG_HOME: "",
        GRADLE_USER_HOME: "",
        VITTE_TOKEN: token,
      },
    },
  );
  assert.equal(ran.code, 0, ran.stderr);
  const [tool] = JSON.parse(ran.stdout).tools;
  assert.equal(tool.token.state === "made" || tool.token.state === "renewed", true, ran.stdout);
  for (const { path, state } of tool.files) {
    assert.equal(state, "written", path);
    assert.ok(!(await Deno.readTextFile(path)).includes(token), `${path} holds the token of admin`);
  }
  return tool.repository;
}

async function byTable(
  name: ToolName,
  user: string,
  { url, token, under }: BuildCache,
): Promise<readonly RepositoryFile[]> {
  const address = { url, namespace: "default", token, write: true };
  const { files, repository } = planOf(TOOLS[name], address, {
    home: user,
    config: `${user}/.config`,
    env: () => undefined,
    exists: () => false,
  });
  if (under) return repository;
  for (const file of files) {
    assert.equal(await writeMarked(name, file, { dryRun: false }), "written", file.path);
  }
  return repository;
}
