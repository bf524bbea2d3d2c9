import type { Command } from "commander";
import { globFiles } from "../../client/tree/glob_files.ts";
import { hashFiles } from "../../client/tree/hash_files.ts";
import { StatCache } from "../../client/tree/stat_cache.ts";
import { digestHex } from "../../core/digest.ts";
import { EXIT } from "../exit_codes.ts";
import { Output } from "../output.ts";
import { statFolder, warnNotKept } from "../user_cache.ts";
import type { CommandContext } from "./context.ts";

/** Adds `hash GLOB...`. */
export function addHash(program: Command, context: CommandContext): void {
  program.command("hash").argument("<glob...>", "patterns; !PATTERN takes out what others found")
    .summary("print a digest of files, for keys")
    .description(
      "Prints one digest over the paths, contents and x bits of all files that match. A folder " +
        "stands for everything in it but .git. It asks no server.",
    )
    .option("--json", "print one line of JSON")
    .addHelpText("after", EXAMPLES)
    .action(async (patterns: string[], options: { json?: boolean }) => {
      const { environment } = context;
      const { cwd, clock, interrupted: signal } = environment;
      const output = new Output(environment, options);
      const statCache = StatCache.open(cwd, {
        folder: statFolder(environment),
        onNotKept: warnNotKept(output),
        clock,
      });
      const { digest, files } = await hashFiles(globFiles(patterns, cwd), {
        cwd,
        statCache,
        signal,
      });
      statCache.saveAll();
      await output.result({ digest, files: files.length }, digestHex(digest));
      context.end(EXIT.ok);
    });
}

const EXAMPLES = `
Examples:
  vitte-remote-cache hash package-lock.json
  vitte-remote-cache hash 'src/**/*.ts' tsconfig.json '!**/*_test.ts'
`;
