import type { Command } from "commander";
import type { ByteSource } from "../../core/bytes.ts";
import { streamSource } from "../../core/bytes.ts";
import { formatSize } from "../../core/units.ts";
import { fileSource } from "../../client/file_source.ts";
import { EXIT } from "../exit_codes.ts";
import { countedSource, Progress } from "../progress.ts";
import type { CommandContext } from "./context.ts";
import { onStore, withStoreOptions } from "./context.ts";

/** Adds `put KEY FILE|-`. */
export function addPut(program: Command, context: CommandContext): void {
  const command = program.command("put").argument("<key>").argument(
    "<file>",
    "a file, or - for standard input",
  )
    .summary("store a file under a key")
    .description("Stores a file under a key. What stood there before is replaced.")
    .option("--tag <tag...>", "tags, for invalidation later")
    .addHelpText("after", EXAMPLES);
  withStoreOptions(command).action((key: string, file: string, options: { tag?: string[] }) =>
    onStore(context, command, async (opened, output, flags) => {
      const source: ByteSource = file === "-"
        ? streamSource(context.environment.stdin())
        : await fileSource(file);
      using progress = new Progress(context.environment, key, source.size);
      const { entry, replaced } = await opened.cache.put(
        {
          namespace: flags.namespace,
          scope: "main",
          protocol: "kv",
          key,
          content: "opaque",
          blobs: [],
          tags: options.tag ?? [],
          writer: "local",
          created: context.environment.clock.now(),
          cost: 0,
          inputs: {},
          headers: {},
          mutability: "replaceable",
        },
        countedSource(source, progress),
        { signal: context.environment.interrupted },
      );
      const blob = entry.blobs[0];
      await output.result(
        { key, digest: blob?.digest, size: blob?.size, replaced: replaced !== undefined },
        `${key}  ${formatSize(blob?.size ?? 0)}  ${blob?.digest}`,
      );
      return EXIT.ok;
    })
  );
}

const EXAMPLES = `
Examples:
  vitte-remote-cache put app/main.o build/main.o --url http://cache:8080
  tar c dist | vitte-remote-cache put dist.tar -
`;
