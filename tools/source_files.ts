/** Finds the files that the checks look at. */
import { ROOT } from "./run_steps.ts";

/** Folders that hold nothing of ours, or nothing written by hand. */
const SKIPPED: ReadonlySet<string> = new Set([
  ".git",
  ".cache",
  "build",
  "coverage",
  "node_modules",
  "server/adapters/generated",
  "test/data",
]);

/** Every file below the top whose name `matches`, as sorted relative paths. */
export function filesWhere(matches: (path: string) => boolean): string[] {
  const found: string[] = [];
  const visit = (folder: string) => {
    for (const entry of Deno.readDirSync(`${ROOT}/${folder}`)) {
      const path = folder === "" ? entry.name : `${folder}/${entry.name}`;
      if (SKIPPED.has(path) || SKIPPED.has(entry.name)) continue;
      if (entry.isDirectory) visit(path);
      else if (entry.isFile && matches(path)) found.push(path);
    }
  };
  visit("");
  return found.sort();
}

/** All TypeScript of the project, generated code apart. */
export function typescriptFiles(): string[] {
  return filesWhere((path) => /\.tsx?$/.test(path));
}
