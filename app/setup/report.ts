/** What `setup` says: to people, to machines, and on the side. */
import type { ToolFile } from "../tools/build_tool.ts";
import { exportLine } from "./plan.ts";
import type { ToolDone } from "./set_up.ts";
import { markedLines } from "./settings_file.ts";

/** What goes to standard error. */
export interface SetupReport {
  readonly notes: readonly string[];
  readonly refusals: readonly { readonly text: string; readonly hint: string }[];
}

/** Remarks on what was done. */
export function reportOf(done: readonly ToolDone[]): SetupReport {
  const notes: string[] = [];
  const refusals: { text: string; hint: string }[] = [];
  for (const { plan, token, files, dryRun } of done) {
    const { name, title } = plan.tool;
    if (token?.origin === "made") notes.push(`made the token ${token.name} for ${title}`);
    if (token?.origin === "renewed") {
      notes.push(`renewed the token ${token.name}: what it was before has ended`);
    }
    if (token && !token.write) notes.push(`${title} may only take from the cache`);
    for (const { file, outcome } of files) {
      if (outcome === "by hand") {
        refusals.push({
          text: `${file.path} is there already, and it is not changed by a program`,
          hint: `put in by hand, in the place for it:\n${markedLines(name, file).join("\n")}`,
        });
      }
      if (outcome === "refused") {
        refusals.push({
          text: `${file.path} is in a Git repository that would keep the token`,
          hint: "let Git ignore it, or put the lines of setup without --write where they are safe",
        });
      }
    }
    const written = files.some(({ outcome }) => outcome === "written");
    if (plan.shellFile && written && !dryRun) {
      notes.push(`let your shell read them: . ${plan.shellFile} (also in ~/.profile)`);
    }
    for (const { path } of plan.repository) {
      if (files.length > 0) {
        notes.push(`${title} also needs ${path} in the repository: see setup ${name}`);
      }
    }
    notes.push(...plan.notes);
  }
  return { notes: [...new Set(notes)], refusals };
}

/** The settings as text, or what became of the files. */
export function linesToPrint(done: readonly ToolDone[]): string {
  return done.map(({ plan, files, dryRun }) => {
    if (files.length > 0) {
      return files.map(({ file, outcome }) => {
        const word = dryRun && outcome === "written" ? "would be written" : outcome;
        return `${plan.tool.name}: ${file.path} ${word}`;
      }).join("\n");
    }
    const parts = plan.files.filter(({ path }) => path !== plan.shellFile).map(fileText);
    if (plan.variables.length > 0) {
      parts.push(
        `# ${plan.tool.title}: in the environment\n${plan.variables.map(exportLine).join("\n")}`,
      );
    }
    for (const { path, lines } of plan.repository) {
      parts.push(`# ${plan.tool.title}: ${path}, to be committed\n${lines.join("\n")}`);
    }
    return parts.join("\n\n");
  }).join(done.some(({ files }) => files.length === 0) ? "\n\n" : "\n");
}

function fileText({ path, lines, around }: ToolFile): string {
  const [head, foot] = around ?? ["", ""];
  return `# ${path}\n${head}${lines.join("\n")}\n${foot}`.trimEnd();
}

/** The same for machines. What was written is not repeated: it holds tokens. */
export function jsonOf(done: readonly ToolDone[], url: string, namespace: string): unknown {
  return {
    url,
    namespace,
    dry_run: done.some(({ dryRun }) => dryRun),
    tools: done.map(({ plan, token, files }) => ({
      tool: plan.tool.name,
      token: token ? { name: token.name, state: token.origin, write: token.write } : null,
      ...(files.length > 0
        ? { files: files.map(({ file, outcome }) => ({ path: file.path, state: outcome })) }
        : {
          files: plan.files.filter(({ path }) => path !== plan.shellFile)
            .map(({ path, lines }) => ({ path, lines })),
          variables: Object.fromEntries(plan.variables.map(({ name, value }) => [name, value])),
        }),
      repository: plan.repository,
    })),
  };
}
