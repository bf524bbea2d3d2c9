import type { Command } from "commander";
import { Argument } from "commander";
import { bashCompletions } from "../completions/bash.ts";
import { commandModels } from "../completions/command_model.ts";
import type { CommandModel } from "../completions/command_model.ts";
import { fishCompletions } from "../completions/fish.ts";
import { zshCompletions } from "../completions/zsh.ts";
import { EXIT } from "../exit_codes.ts";
import { Output } from "../output.ts";
import type { CommandContext } from "./context.ts";

const SHELLS: Readonly<Record<string, (models: readonly CommandModel[]) => string>> = {
  bash: bashCompletions,
  zsh: zshCompletions,
  fish: fishCompletions,
};

/** Adds `completions SHELL`. */
export function addCompletions(program: Command, context: CommandContext): void {
  program.command("completions")
    .addArgument(new Argument("<shell>", "which shell").choices(Object.keys(SHELLS)))
    .summary("print what completes these commands in a shell")
    .description("Prints a script that completes commands, options and their values.")
    .option("--json", "print one line of JSON")
    .addHelpText("after", EXAMPLES)
    .action(async (shell: string, flags: { json?: boolean }) => {
      const script = SHELLS[shell]!(commandModels(program));
      await new Output(context.environment, flags).result({ shell, script }, script);
      context.end(EXIT.ok);
    });
}

const EXAMPLES = `
Examples:
  source <(vitte-remote-cache completions bash)
  vitte-remote-cache completions zsh > ~/.zfunc/_vitte-remote-cache
  vitte-remote-cache completions fish | source
`;
