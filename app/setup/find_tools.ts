/** Which build tools a repository uses. */
import { statSync } from "node:fs";
import { dirname, join } from "node:path";
import { MAX_FOLDER_DEPTH } from "../../core/limits.ts";
import type { ToolName } from "../tools/build_tool.ts";
import { TOOL_NAMES } from "../tools/build_tool.ts";
import { TOOLS } from "../tools/tool_table.ts";

/** A tool, and by what it was seen. */
export interface FoundTool {
  readonly name: ToolName;
  /** A file or folder of the repository, or a program on the PATH. */
  readonly by: string;
}

/**
 * Looks in `from` and in the folders above it, up to the root of the repository; programs are
 * looked for on `path`. Where there is no repository, only `from` itself counts.
 */
export function findTools(from: string, path: string): FoundTool[] {
  const folders = foldersUpToRoot(from);
  const found: FoundTool[] = [];
  for (const name of TOOL_NAMES) {
    const { marks, programs } = TOOLS[name];
    const by = marks.find((mark) => folders.some((folder) => isThere(join(folder, mark)))) ??
      programs.find((program) =>
        path.split(":").some((folder) => folder !== "" && isThere(join(folder, program)))
      );
    if (by !== undefined) found.push({ name, by });
  }
  return found;
}

function foldersUpToRoot(from: string): string[] {
  const folders: string[] = [];
  for (let at = from; folders.length < MAX_FOLDER_DEPTH; at = dirname(at)) {
    folders.push(at);
    if (isThere(join(at, ".git"))) return folders;
    if (dirname(at) === at) break;
  }
  return [from];
}

function isThere(path: string): boolean {
  try {
    return statSync(path, { throwIfNoEntry: false }) !== undefined;
  } catch {
    return false; // a folder that may not be read shows nothing
  }
}
