import type { Command } from "commander";
import type { ObjectBody } from "../../core/bytes.ts";
import { throwIfAborted } from "../../core/abort.ts";
import { CacheError } from "../../core/errors.ts";
import type { Environment } from "../environment.ts";
import { EXIT } from "../exit_codes.ts";
import { Progress } from "../progress.ts";
import type { CommandContext } from "./context.ts";
import { onStore, withStoreOptions } from "./context.ts";

/** Adds `get KEY [-o FILE]`. */
export function addGet(program: Command, context: CommandContext): void {
  const command = program.command("get").argument("<key>")
    .summary("fetch what a key holds")
    .description("Writes what a key holds to standard output or to a file. Exit 3: no such key.")
    .option("-o, --output <file>", "write there; a failed download leaves the old file alone")
    .addHelpText("after", EXAMPLES);
  withStoreOptions(command).action((key: string, options: { output?: string }) =>
    onStore(context, command, async (opened, output, flags) => {
      const signal = context.environment.interrupted;
      const { namespace } = flags;
      const lookup = { namespace, scopes: ["main"], protocol: "kv", key };
      const entry = await opened.cache.find(lookup, { signal });
      const body = entry && await opened.cache.body(entry, { signal });
      if (!entry || !body) {
        output.error(`no entry "${key}" in namespace "${namespace}"`);
        if (flags.json) await output.result({ key, hit: false }, "");
        return EXIT.notFound;
      }
      using progress = new Progress(context.environment, key, body.size);
      if (options.output === undefined) {
        await drain(body, progress, signal, (part) => output.data(part));
        return EXIT.ok;
      }
      try {
        await toFile(options.output, body, progress, context.environment);
      } finally {
        // Safe for one that was read; one that was never opened would wait for a reader.
        await body.cancel();
      }
      await output.result(
        { key, hit: true, size: body.size, digest: entry.blobs[0]?.digest, file: options.output },
        `${options.output}  ${body.size} bytes`,
      );
      return EXIT.ok;
    })
  );
}

async function toFile(
  path: string,
  body: ObjectBody,
  progress: Progress,
  environment: Environment,
): Promise<void> {
  const temporary = `${path}.${crypto.randomUUID()}.part`;
  const file = await create(temporary, path);
  try {
    try {
      await drain(body, progress, environment.interrupted, async (part) => {
        let offset = 0;
        while (offset < part.length) offset += await file.write(part.subarray(offset));
      });
    } finally {
      file.close();
    }
    await replace(temporary, path);
  } catch (thrown) {
    await removeIfThere(temporary);
    throw thrown;
  }
}

async function replace(temporary: string, path: string): Promise<void> {
  try {
    await Deno.rename(temporary, path);
  } catch (cause) {
    if (!(cause instanceof Deno.errors.IsADirectory)) throw cause;
    throw new CacheError("invalid_argument", `Cannot write "${path}": it is a folder`, { cause });
  }
}

async function create(temporary: string, path: string): Promise<Deno.FsFile> {
  try {
    return await Deno.open(temporary, { write: true, createNew: true });
  } catch (cause) {
    if (!(cause instanceof Deno.errors.NotFound || cause instanceof Deno.errors.NotADirectory)) {
      throw cause;
    }
    throw new CacheError("invalid_argument", `Cannot write "${path}": no such folder`, { cause });
  }
}

async function removeIfThere(path: string): Promise<void> {
  try {
    await Deno.remove(path);
  } catch (thrown) {
    if (!(thrown instanceof Deno.errors.NotFound)) throw thrown;
  }
}

async function drain(
  body: ObjectBody,
  progress: Progress,
  signal: AbortSignal,
  write: (part: Uint8Array) => Promise<void>,
): Promise<void> {
  for await (const part of body.stream()) {
    throwIfAborted(signal);
    await write(part);
    progress.add(part.length);
  }
}

const EXAMPLES = `
Examples:
  vitte-remote-cache get app/main.o -o build/main.o
  vitte-remote-cache get dist.tar | tar x
`;
