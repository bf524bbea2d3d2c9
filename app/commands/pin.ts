import type { Command } from "commander";
import { MAX_PIN_KEYS } from "../../core/limits.ts";
import type { PinnedEntry } from "../../core/pins.ts";
import { formatSize } from "../../core/units.ts";
import { KEY_VALUE_PROTOCOL } from "../../protocol/url_space.ts";
import { EXIT, UsageError } from "../exit_codes.ts";
import { shown, table } from "../output.ts";
import type { CommandContext } from "./context.ts";
import { onStore, withStoreOptions } from "./context.ts";

interface PinFlags {
  readonly tag?: string;
  readonly protocol?: string;
}

/** Adds `pin KEY…|--tag T`, `unpin` and `pins`. */
export function addPin(program: Command, context: CommandContext): void {
  addChange(program, context, {
    name: "pin",
    summary: "keep entries whatever room is needed",
    description: "Pins entries: those with these keys, or with a tag. Nothing evicts them until " +
      "unpin or rm. On a server a token pins in the scope that it writes, an administrator's in " +
      "every scope. All pins together may take half of --max-size.\n" +
      "Exit 3: none of them was there.",
    examples: PIN_EXAMPLES,
  });
  addChange(program, context, {
    name: "unpin",
    summary: "let pinned entries go again",
    description: "Unpins entries: those with these keys, or with a tag. They stay until room is " +
      "needed.\nExit 3: none of them was pinned.",
    examples: UNPIN_EXAMPLES,
  });
  const list = program.command("pins")
    .summary("list pinned entries")
    .description("Lists the pinned entries of the namespace, who pinned them, and when.");
  withStoreOptions(list).addHelpText("after", PINS_EXAMPLES).action(() =>
    onStore(context, list, async (opened, output, { namespace }) => {
      const entries = await opened.pinning.pins(namespace);
      await output.result({ entries }, entries.length === 0 ? "" : describe(entries));
      return EXIT.ok;
    })
  );
}

interface Change {
  readonly name: "pin" | "unpin";
  readonly summary: string;
  readonly description: string;
  readonly examples: string;
}

function addChange(program: Command, context: CommandContext, change: Change): void {
  const { name } = change;
  const command = program.command(name).argument("[keys...]")
    .summary(change.summary)
    .description(change.description)
    .option("--tag <tag>", "entries that have this tag")
    .option(
      "--protocol <name>",
      `only entries of this tool (default for keys: ${KEY_VALUE_PROTOCOL})`,
    );
  withStoreOptions(command).addHelpText("after", change.examples).action(
    async (keys: string[], { tag, protocol }: PinFlags) => {
      if (keys.length === 0 && tag === undefined) throw new UsageError("name keys, or --tag");
      if (keys.length > MAX_PIN_KEYS) {
        throw new UsageError(`these are ${keys.length} keys, want at most ${MAX_PIN_KEYS}`);
      }
      await onStore(context, command, async (opened, output, { namespace }) => {
        const entries = await opened.pinning[name]({
          namespace,
          keys: keys.length > 0 ? keys : undefined,
          tag,
          protocol: protocol ?? (keys.length > 0 ? KEY_VALUE_PROTOCOL : undefined),
          scopes: undefined,
          by: "local",
          signal: context.environment.interrupted,
        });
        await output.result(
          { entries },
          entries.map(({ key, bytes }) => `${name}ned ${shown(key)}  ${formatSize(bytes)}`).join(
            "\n",
          ),
        );
        const there = new Set(entries.map(({ key }) => key));
        for (const key of keys) {
          if (!there.has(key)) {
            output.warn(`"${key}" ${name === "pin" ? "is no entry" : "is not pinned"}`);
          }
        }
        return entries.length > 0 ? EXIT.ok : EXIT.notFound;
      });
    },
  );
}

function describe(entries: readonly PinnedEntry[]): string {
  return table(
    ["KEY", "TOOL", "SCOPE", "SIZE", "PINNED BY", "SINCE"],
    entries.map(({ key, protocol, scope, bytes, by, at }) => [
      shown(key),
      protocol,
      scope,
      formatSize(bytes),
      by,
      new Date(at).toISOString().slice(0, 16) + "Z",
    ]),
  );
}

const PIN_EXAMPLES = `
Examples:
  vitte-remote-cache pin toolchain-v3
  vitte-remote-cache pin --tag release-2.0
`;
const UNPIN_EXAMPLES = `
Examples:
  vitte-remote-cache unpin toolchain-v2
  vitte-remote-cache unpin --tag release-1.0
`;
const PINS_EXAMPLES = `
Examples:
  vitte-remote-cache pins
  vitte-remote-cache pins --namespace team-a --json
`;
