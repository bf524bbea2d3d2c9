/** Our lines in a file of the user: between two marks, mode 0600, replaced the next time. */
import { dirname } from "node:path";
import { toCacheError } from "../../core/errors.ts";
import type { ToolFile, ToolName } from "../tools/build_tool.ts";
import { trackingOf } from "./in_repository.ts";

/** What became of a file, or would. */
export type FileOutcome =
  | "written"
  | "unchanged"
  /** It is there and its format has one place for our lines: a person has to put them in. */
  | "by hand"
  /** Git tracks it, or would: it gets no secret. */
  | "refused";

/** The lines of a file with the marks around them. */
export function markedLines(tool: ToolName, file: ToolFile): string[] {
  const [begin, end] = marksOf(tool, file);
  return [begin, ...file.lines, end];
}

/** What a file holds of ours, without the marks; `undefined` if nothing. */
export async function readMarked(tool: ToolName, file: ToolFile): Promise<string | undefined> {
  const text = await readText(file.path);
  const range = text === undefined ? undefined : findMarked(text, marksOf(tool, file));
  return range && text!.slice(range.from, range.to);
}

/** Puts our lines into a file; with `dryRun` only tells what would be done. */
export async function writeMarked(
  tool: ToolName,
  file: ToolFile,
  { dryRun }: { readonly dryRun: boolean },
): Promise<FileOutcome> {
  try {
    const before = await readText(file.path);
    const after = withLines(before, tool, file);
    if (after === undefined) return "by hand";
    if (after === before) {
      if (!dryRun) await Deno.chmod(file.path, 0o600);
      return "unchanged";
    }
    if (dryRun) return await refuses(file.path) ? "refused" : "written";
    await Deno.mkdir(dirname(file.path), { recursive: true });
    if (await refuses(file.path)) return "refused";
    await replace(file.path, after);
    return "written";
  } catch (thrown) {
    throw toCacheError(thrown, "setup.write");
  }
}

/** The text with our lines in it; `undefined` where they have no place of their own. */
function withLines(before: string | undefined, tool: ToolName, file: ToolFile): string | undefined {
  const block = `${markedLines(tool, file).join("\n")}\n`;
  const [head, foot] = file.around ?? ["", ""];
  if (before === undefined || before.trim() === "") return head + block + foot;
  const range = findMarked(before, marksOf(tool, file));
  if (range) return before.slice(0, range.from) + block + before.slice(range.to);
  if (file.around) return undefined;
  return `${before}${before.endsWith("\n") ? "" : "\n"}${block}`;
}

function marksOf(tool: ToolName, { remark: [open, close] }: ToolFile): [string, string] {
  const mark = (word: string) => `${open}vitte-remote-cache ${tool}: ${word}${close}`;
  return [mark("begin"), mark("end")];
}

function findMarked(text: string, [begin, end]: [string, string]) {
  const from = text.split("\n").indexOf(begin) < 0 ? -1 : text.indexOf(begin);
  if (from < 0) return undefined;
  const at = text.indexOf(end, from);
  if (at < 0) return undefined;
  const to = at + end.length;
  return { from, to: text[to] === "\n" ? to + 1 : to };
}

async function readText(path: string): Promise<string | undefined> {
  try {
    return await Deno.readTextFile(path);
  } catch (thrown) {
    if (thrown instanceof Deno.errors.NotFound) return undefined;
    throw thrown;
  }
}

/** A link leads to the file that is really written: it may stand in a repository of settings. */
async function refuses(path: string): Promise<boolean> {
  try {
    return await trackingOf(await realPathOf(path)) !== "outside";
  } catch (thrown) {
    // Only a dry run comes here: the folder is yet to be made.
    if (thrown instanceof Deno.errors.NotFound) return false;
    throw thrown;
  }
}

async function realPathOf(path: string): Promise<string> {
  try {
    return await Deno.realPath(path);
  } catch (thrown) {
    if (thrown instanceof Deno.errors.NotFound) return path;
    throw thrown;
  }
}

/** Whole or not at all, and never readable by others, not even for a moment. */
async function replace(path: string, text: string): Promise<void> {
  const target = await realPathOf(path);
  const temporary = `${target}.${crypto.randomUUID()}.tmp`;
  try {
    await Deno.writeTextFile(temporary, text, { createNew: true, mode: 0o600 });
    await Deno.rename(temporary, target);
  } catch (thrown) {
    try {
      await Deno.remove(temporary);
    } catch (second) {
      if (!(second instanceof Deno.errors.NotFound)) throw second;
    }
    throw thrown;
  }
}
