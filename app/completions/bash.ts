/** Completions for bash, also for the 3.2 of macOS. */
import type { CommandModel, WordKind } from "./command_model.ts";
import { FUNCTION, pathArms, quoted } from "./command_model.ts";
import { PROGRAM } from "../output.ts";

/** A script to be sourced. */
export function bashCompletions(models: readonly CommandModel[]): string {
  return `# ${PROGRAM} completions bash: source this, or put it into
# ~/.local/share/bash-completion/completions/${PROGRAM}
${FUNCTION}() {
  local cur=\${COMP_WORDS[COMP_CWORD]} prev=\${COMP_WORDS[COMP_CWORD-1]} command='' i IFS=$'\\n'
  for ((i = 1; i < COMP_CWORD; i++)); do
    case "$command \${COMP_WORDS[i]}" in
${indented(pathArms(models, "command"), 6)}
    esac
  done
  COMPREPLY=()
  case "$command:$prev" in
${indented(models.flatMap(valueArms), 4)}
  esac
  case "$command" in
${indented(models.map(wordArm), 4)}
  esac
}
complete -F ${FUNCTION} ${PROGRAM}
`;
}

function valueArms({ path, options }: CommandModel): string[] {
  return options.flatMap(({ flags, value }) => {
    if (!value) return [];
    const patterns = flags.map((flag) => quoted(`${path}:${flag}`)).join("|");
    return [`${patterns}) ${reply(value)} return ;;`];
  });
}

function wordArm({ path, children, options, word }: CommandModel): string {
  const flags = options.flatMap((option) => option.flags);
  const names = children.map(({ name }) => name);
  const choices = word.type === "choices" ? word.choices : [];
  const all = `COMPREPLY+=($(compgen -W ${list([...names, ...choices, ...flags])} -- "$cur"));`;
  const files = word.type === "file" || word.type === "folder" ? `${reply(word)} ` : "";
  return `${quoted(path)}) ${files}${all} ;;`;
}

function reply(kind: WordKind): string {
  if (kind.type === "any") return "";
  if (kind.type === "choices") return `COMPREPLY=($(compgen -W ${list(kind.choices)} -- "$cur"));`;
  const what = kind.type === "folder" ? "-d" : "-f";
  return `compopt -o filenames 2>/dev/null; COMPREPLY=($(compgen ${what} -- "$cur"));`;
}

/** `compgen -W` splits at IFS, which is the line's end here. */
function list(words: readonly string[]): string {
  return `$'${words.join("\\n")}'`;
}

function indented(lines: readonly string[], blanks: number): string {
  return lines.map((line) => " ".repeat(blanks) + line).join("\n");
}
