import type { Command } from "commander";
import { EXIT } from "../exit_codes.ts";
import type { CommandContext } from "./context.ts";
import { onStore, withStoreOptions } from "./context.ts";

/** Adds `has KEY`. */
export function addHas(program: Command, context: CommandContext): void {
  const command = program.command("has").argument("<key>")
    .summary("ask whether a key is there")
    .description("Exit 0: the key is there and whole. Exit 3: it is not.")
    .addHelpText("after", EXAMPLES);
  withStoreOptions(command).action((key: string) =>
    onStore(context, command, async (opened, output, flags) => {
      const lookup = { namespace: flags.namespace, scopes: ["main"], protocol: "kv", key };
      const entry = await opened.cache.find(lookup, { signal: context.environment.interrupted });
      const found = entry !== undefined;
      await output.result({ key, hit: found }, found ? "yes" : "no");
      return found ? EXIT.ok : EXIT.notFound;
    })
  );
}

const EXAMPLES = `
Examples:
  vitte-remote-cache has app/main.o
  vitte-remote-cache has app/main.o --json --dir /var/cache/vitte
`;
