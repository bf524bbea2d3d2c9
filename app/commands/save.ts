import type { Command } from "commander";
import type { SavedTree } from "../../client/tree/save_tree.ts";
import { bytesOf, saveScanned, scanPlaces, TREE_PROTOCOL } from "../../client/tree/save_tree.ts";
import { placesOf } from "../../client/tree/tree_place.ts";
import type { EntryDraft } from "../../core/entry.ts";
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

interface SaveFlags {
  readonly tag?: string[];
  readonly outsideLinks?: boolean;
}

/** Adds `save KEY PATH...`. */
export function addSave(program: Command, context: CommandContext): void {
  const command = program.command("save").argument("<key>").argument(
    "<path...>",
    "files and folders; one outside of the working folder is stored under its last name",
  )
    .summary("store files and folders under a key")
    .description(
      "Stores files and folders as they are: modes, links, empty folders. A key is written once: " +
        "if it is taken, nothing is changed. Only what the cache does not have is sent, and what " +
        "did not change since it was saved last is not even read.",
    )
    .option("--tag <tag...>", "tags, for invalidation later")
    .option("--outside-links", "take links that lead out of the tree too")
    .addHelpText("after", EXAMPLES);
  withOnError(withStoreOptions(command)).action(
    (key: string, paths: string[], options: SaveFlags) =>
      onTolerantStore(context, command, (work) => save(context, { key, paths, options, work })),
  );
}

async function save(
  { environment }: CommandContext,
  { key, paths, options, work }: {
    readonly key: string;
    readonly paths: readonly string[];
    readonly options: SaveFlags;
    readonly work: TolerantWork;
  },
): Promise<ExitCode> {
  const { flags: { namespace }, tolerance } = work;
  const { clock } = environment;
  const { outsideLinks, tag = [] } = options;
  const places = placesOf(paths, environment.cwd);
  const draft: EntryDraft = { ...treeDraft(key, namespace), tags: tag, created: clock.now() };
  const lookup = { ...draft, scopes: [draft.scope], bodyOnly: true };
  const found = await tolerance.attempt("look for the key", async (signal) => ({
    entry: await work.cache.find(lookup, { signal }),
  }));
  if (!found) return await tell("skipped");
  if (found.entry) return await tell("taken");
  const treeOptions = {
    statFolder: statFolder(environment),
    onNotKept: warnNotKept(work.output),
    clock,
    outsideLinks,
  };
  const scanned = scanPlaces(places, treeOptions);
  const bytes = bytesOf(scanned);
  using progress = new Progress(environment, key, bytes);
  const onDone = (done: number) => progress.add(done);
  const saved = await attemptToItsEnd(
    tolerance,
    "save the tree",
    (signal) => saveScanned(work.cache, draft, scanned, { ...treeOptions, signal, onDone }),
    { bytes },
  );
  return await tell(saved?.outcome ?? "skipped", saved);

  async function tell(outcome: "saved" | "taken" | "skipped", tree?: SavedTree): Promise<ExitCode> {
    const { output } = work;
    if (outcome === "taken") output.warn(`"${shown(key)}" is taken; nothing was changed`);
    const { files = 0, bytes = 0, filesRead = 0, bytesSent = 0 } = tree ?? {};
    const text = `${shown(key)}  ${filesText(files)}, ${formatSize(bytes)}  ` +
      `(${filesRead} read, ${formatSize(bytesSent)} sent)`;
    await output.result(
      { key, outcome, files, bytes, files_read: filesRead, bytes_sent: bytesSent },
      outcome === "saved" ? text : "",
    );
    return EXIT.ok;
  }
}

/** A draft of a tree that says nothing but its key. */
function treeDraft(key: string, namespace: string): EntryDraft {
  return {
    namespace,
    scope: "main",
    protocol: TREE_PROTOCOL,
    key,
    content: "tree",
    blobs: [],
    tags: [],
    writer: "local",
    created: 0,
    cost: 0,
    inputs: {},
    headers: {},
    mutability: "immutable",
  };
}

const EXAMPLES = `
Examples:
  vitte-remote-cache save "deps-$(vitte-remote-cache hash package-lock.json)" node_modules
  vitte-remote-cache save build-42 dist coverage ~/.cache/tool
`;
