/** Completions for fish. */
import type { CommandModel, OptionModel, WordKind } from "./command_model.ts";
import { quoted } from "./command_model.ts";
import { PROGRAM } from "../output.ts";

const AT = "__vitte_remote_cache_at";

/** A script for `~/.config/fish/completions/vitte-remote-cache.fish`, or to be sourced. */
export function fishCompletions(models: readonly CommandModel[]): string {
  const paths = models.filter(({ path }) => path !== "").map(({ path }) => quote(path)).join(" ");
  return `# ${PROGRAM} completions fish: source this, or put it into
# ~/.config/fish/completions/${PROGRAM}.fish
function ${AT}
    set -l known ${paths}
    set -l path
    set -l words (commandline -opc)
    for word in $words[2..-1]
        set -l longer (string trim -- "$path $word")
        if contains -- $longer $known
            set path $longer
        end
    end
    test "$path" = "$argv[1]"
end
complete -c ${PROGRAM} -f
${models.flatMap(linesOf).join("\n")}
`;
}

function linesOf({ path, children, options, word }: CommandModel): string[] {
  const start = `complete -c ${PROGRAM} -n ${quote(`${AT} "${path}"`)}`;
  return [
    ...children.map(({ name, summary }) => `${start} -a ${quote(name)} -d ${quote(summary)}`),
    ...(word.type === "any" ? [] : [`${start} ${offer(word)}`]),
    ...options.map((option) => `${start} ${flagsOf(option)} -d ${quote(option.description)}`),
  ];
}

function flagsOf({ flags, value }: OptionModel): string {
  const names = flags.map((flag) =>
    flag.startsWith("--") ? `-l ${flag.slice(2)}` : `-s ${flag.slice(1)}`
  ).join(" ");
  if (!value) return names;
  return value.type === "any" ? `${names} -x` : `${names} -r ${offer(value)}`;
}

function offer(kind: WordKind): string {
  if (kind.type === "choices") return `-f -a ${quote(kind.choices.join(" "))}`;
  return kind.type === "folder" ? `-f -a '(__fish_complete_directories)'` : "-F";
}

function quote(text: string): string {
  return quoted(text.replaceAll("\\", "\\\\"), "\\'");
}
