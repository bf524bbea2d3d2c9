/** The tree of commands as completions see it. */
import type { Command } from "commander";

/** What a word may be: one of a few, a file, a folder, or anything. */
export type WordKind =
  | { readonly type: "choices"; readonly choices: readonly string[] }
  | { readonly type: "file" | "folder" | "any" };

/** An option. */
export interface OptionModel {
  /** As they are typed: `-o`, `--output`. */
  readonly flags: readonly string[];
  readonly description: string;
  /** `undefined` for a switch. */
  readonly value: WordKind | undefined;
}

/** A command. */
export interface CommandModel {
  /** Words that lead to it, without the program: `token create`, empty for the program itself. */
  readonly path: string;
  readonly children: readonly { readonly name: string; readonly summary: string }[];
  readonly options: readonly OptionModel[];
  /** What the words that are no options may be; the first that is more than anything. */
  readonly word: WordKind;
}

/** Every command, the program first. */
export function commandModels(program: Command): CommandModel[] {
  return modelsBelow(program, []);
}

function modelsBelow(command: Command, path: readonly string[]): CommandModel[] {
  const help = command.createHelp();
  const children = help.visibleCommands(command);
  const own: CommandModel = {
    path: path.join(" "),
    children: children.map((child) => ({
      name: child.name(),
      summary: help.subcommandDescription(child),
    })),
    options: help.visibleOptions(command).map((option) => ({
      flags: [option.short, option.long].filter((flag) => flag !== undefined),
      description: option.description,
      value: option.required || option.optional
        ? kindOf(option.argChoices, /[<[]([\w-]+)/.exec(option.flags)?.[1] ?? "")
        : undefined,
    })),
    word: command.registeredArguments
      .map((argument) => kindOf(argument.argChoices, argument.name()))
      .find(({ type }) => type !== "any") ?? { type: "any" },
  };
  // "help" is one of commander's own: it takes the names of the others.
  const real = children.filter((child) => command.commands.includes(child));
  return [own, ...real.flatMap((child) => modelsBelow(child, [...path, child.name()]))];
}

function kindOf(choices: readonly string[] | undefined, name: string): WordKind {
  if (choices && choices.length > 0) return { type: "choices", choices };
  if (/^(folder|dir)$/i.test(name)) return { type: "folder" };
  return /^(file|files|path|paths|glob)$/i.test(name) ? { type: "file" } : { type: "any" };
}

/** Text between single quotes, for any POSIX shell and for fish. */
export function quoted(text: string, escape = `'\\''`): string {
  return `'${text.replaceAll("'", escape)}'`;
}

/** The name of a function, of the program's name. */
export const FUNCTION = "_vitte_remote_cache";

/** Arms of a `case` that find out which command the words so far lead to: `path word) path=…`. */
export function pathArms(models: readonly CommandModel[], variable: string): string[] {
  return models.filter(({ path }) => path !== "").map(({ path }) => {
    const at = path.lastIndexOf(" ");
    const [before, word] = at < 0 ? ["", path] : [path.slice(0, at), path.slice(at + 1)];
    return `${quoted(`${before} ${word}`)}) ${variable}=${quoted(path)} ;;`;
  });
}
