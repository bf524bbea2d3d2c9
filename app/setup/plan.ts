/** What `setup` writes or prints for one tool. */
import type {
  BuildTool,
  CacheAddress,
  RepositoryFile,
  ToolFile,
  ToolVariable,
  UserFolders,
} from "../tools/build_tool.ts";

/** Settings of one tool, with its variables as a file of the shell. */
export interface Plan {
  readonly tool: BuildTool;
  /** Variables that are needed besides the files. */
  readonly variables: readonly ToolVariable[];
  /** Files of the tool itself, and the one with the variables if there are any. */
  readonly files: readonly ToolFile[];
  /** The file with the variables, which a shell has to read. */
  readonly shellFile: string | undefined;
  readonly repository: readonly RepositoryFile[];
  readonly notes: readonly string[];
}

/** Plans one tool. */
export function planOf(tool: BuildTool, address: CacheAddress, user: UserFolders): Plan {
  const settings = tool.settings(address, user);
  // Where a file says the same, it is enough: a variable has to be in every shell.
  const variables = settings.eitherWay ? [] : settings.variables;
  const path = `${user.config}/vitte-remote-cache/env.sh`;
  const shell: ToolFile = { path, lines: variables.map(exportLine), remark: ["# ", ""] };
  return {
    tool,
    variables,
    files: variables.length > 0 ? [...settings.files, shell] : settings.files,
    shellFile: variables.length > 0 ? path : undefined,
    repository: settings.repository,
    notes: settings.notes,
  };
}

/** A line that sets a variable in any POSIX shell. */
export function exportLine({ name, value, join }: ToolVariable): string {
  const before = join === undefined ? "" : `"\${${name}:+$${name}${join}}"`;
  return `export ${name}=${before}'${value.replaceAll("'", `'\\''`)}'`;
}
