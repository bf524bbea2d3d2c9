import type { Command } from "commander";
import { resolve } from "node:path/posix";
import type { FoundTree } from "../../client/tree/find_tree.ts";
import { findTree } from "../../client/tree/find_tree.ts";
import type { RestoredTree } from "../../client/tree/restore_tree.ts";
import { restoreTree, savedPlaces } from "../../client/tree/restore_tree.ts";
import { TREE_PROTOCOL } from "../../client/tree/save_tree.ts";
import { placeBelow, placesOf } from "../../client/tree/tree_place.ts";
import type { TreePlace } from "../../client/tree/tree_place.ts";
import { formatSize } from "../../core/units.ts";
import type { ExitCode } from "../exit_codes.ts";
import { EXIT } from "../exit_codes.ts";
import { filesText, shown } from "../output.ts";
import { Progress } from "../progress.ts";
import { attemptToItsEnd } from "../tolerance.ts";
import { statFolder, warnNotKept } from "../user_cache.ts";
import type { CommandContext } from "./context.ts";
import { withStoreOptions } from "./context.ts";
import type { TolerantWork } from "./tolerant_store.ts";
import { onTolerantStore, withOnError } from "./tolerant_store.ts";

interface RestoreFlags {
  readonly to?: string;
  readonly fallback?: string[];
  readonly restoreKey?: string[];
  readonly failOnMiss?: boolean;
  readonly outsideLinks?: boolean;
}

/** Adds `restore KEY [PATH...]`. */
export function addRestore(program: Command, context: CommandContext): void {
  const fallbacks: string[] = [];
  const add = (prefix: string) => {
    fallbacks.push(prefix);
    return fallbacks;
  };
  const command = program.command("restore").argument("<key>").argument(
    "[path...]",
    "only these, as they were named to save; default: all that was saved",
  )
    .summary("bring back files and folders of a key")
    .description(
      "Writes what save stored to where it was, below the working folder. What is there and not " +
        "in the tree stays; links that stand in the way are replaced, never followed. A miss is no " +
        "failure.",
    )
    .option("--to <folder>", "write below this folder, each path with its name in the tree")
    .option(
      "--fallback <prefix>",
      "if there is no such key: the newest one that begins so; repeatable, tried in order",
      add,
    )
    .option("--restore-key <prefix>", "the same as --fallback", add)
    .option("--fail-on-miss", "exit 3 if there is neither")
    .option("--outside-links", "write links that lead out of the tree too")
    .addHelpText("after", EXAMPLES);
  withOnError(withStoreOptions(command)).action(
    (key: string, paths: string[], options: RestoreFlags) =>
      onTolerantStore(
        context,
        command,
        (work) => restore(context, { key, paths, options, fallbacks, work }),
      ),
  );
}

async function restore(
  { environment }: CommandContext,
  { key, paths, options, fallbacks, work }: {
    readonly key: string;
    readonly paths: readonly string[];
    readonly options: RestoreFlags;
    readonly fallbacks: readonly string[];
    readonly work: TolerantWork;
  },
): Promise<ExitCode> {
  const { flags: { namespace }, tolerance, output } = work;
  const { clock, cwd } = environment;
  const lookup = { namespace, scopes: ["main"], protocol: TREE_PROTOCOL, key };
  const found = await tolerance.attempt(
    "look for the tree",
    (signal, onList) => findTree(work.cache, lookup, { signal, fallbacks, onList }),
    { answers: 1 + fallbacks.length },
  );
  if (!found) return await missed();
  const bytes = found.entries.reduce((sum, e) => sum + (e.type === "file" ? e.size : 0), 0);
  using progress = new Progress(environment, found.entry.key, bytes);
  const restored = await attemptToItsEnd(
    tolerance,
    "restore the tree",
    (signal) =>
      restoreTree(work.cache.blobs(namespace), found.entries, placesFor(found), {
        statFolder: statFolder(environment),
        onNotKept: warnNotKept(output),
        clock,
        outsideLinks: options.outsideLinks,
        onDone: (done) => progress.add(done),
        signal,
      }),
    { bytes },
  );
  return restored ? await told(found, restored) : await missed();

  function placesFor({ entries }: FoundTree): TreePlace[] {
    const folder = options.to === undefined ? cwd : resolve(cwd, options.to);
    if (paths.length === 0) return savedPlaces(entries, folder);
    const named = placesOf(paths, cwd);
    return options.to === undefined ? named : named.map(({ name }) => placeBelow(folder, name));
  }

  async function told({ hit, entry }: FoundTree, tree: RestoredTree): Promise<ExitCode> {
    const { files, bytes, filesWritten, bytesFetched } = tree;
    const which = hit === "exact" ? "" : `  (fallback for ${shown(key)})`;
    await output.result(
      {
        key,
        hit,
        restored: entry.key,
        files,
        bytes,
        files_written: filesWritten,
        bytes_fetched: bytesFetched,
      },
      `${shown(entry.key)}  ${filesText(files)}, ${formatSize(bytes)}  ` +
        `(${filesWritten} written, ${formatSize(bytesFetched)} fetched)${which}`,
    );
    return EXIT.ok;
  }

  async function missed(): Promise<ExitCode> {
    if (!tolerance.failed) output.note(`no tree "${shown(key)}" in namespace "${namespace}"`);
    const nothing = { files: 0, bytes: 0, files_written: 0, bytes_fetched: 0 };
    await output.result({ key, hit: "miss", restored: null, ...nothing }, "");
    return options.failOnMiss ? EXIT.notFound : EXIT.ok;
  }
}

const EXAMPLES = `
Examples:
  vitte-remote-cache restore "deps-$(vitte-remote-cache hash package-lock.json)" --fallback deps-
  vitte-remote-cache restore build-42 dist --to /tmp/build-42

In scripts: --json tells "hit": "exact", "fallback" or "miss".
`;
