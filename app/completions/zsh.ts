/** Completions for zsh. */
import type { CommandModel, WordKind } from "./command_model.ts";
import { FUNCTION, pathArms, quoted } from "./command_model.ts";
import { PROGRAM } from "../output.ts";

/** A script to be sourced, or put as `_vitte-remote-cache` into a folder of `fpath`. */
export function zshCompletions(models: readonly CommandModel[]): string {
  return `#compdef ${PROGRAM}
# ${PROGRAM} completions zsh: source this after compinit, or put it into a folder of fpath as
# _${PROGRAM}
${FUNCTION}() {
  local command=''
  local -a names
  integer i
  for ((i = 2; i < CURRENT; i++)); do
    case "$command \${words[i]}" in
${indented(pathArms(models, "command"), 6)}
    esac
  done
  case "$command:\${words[CURRENT-1]}" in
${indented(models.flatMap(valueArms), 4)}
  esac
  case "$command" in
${models.map(wordArm).join("\n")}
  esac
}
if [[ $zsh_eval_context[-1] == loadautofunc ]]; then
  ${FUNCTION} "$@"
else
  compdef ${FUNCTION} ${PROGRAM}
fi
`;
}

function valueArms({ path, options }: CommandModel): string[] {
  return options.flatMap(({ flags, value }) => {
    if (!value) return [];
    const patterns = flags.map((flag) => quoted(`${path}:${flag}`)).join("|");
    return [`${patterns}) ${offer(value)}return ;;`];
  });
}

function wordArm({ path, children, options, word }: CommandModel): string {
  const lines = [`    ${quoted(path)})`];
  if (children.length > 0) {
    const names = children.map(({ name, summary }) => described(name, summary));
    lines.push(`      names=(${names.join(" ")})`, "      _describe command names");
  }
  if (word.type !== "any") lines.push(`      ${offer(word).trim().replace(/;$/, "")}`);
  const flags = options.flatMap((option) =>
    option.flags.map((flag) => described(flag, option.description))
  );
  lines.push(`      names=(${flags.join(" ")})`, "      _describe option names");
  return [...lines, "      ;;"].join("\n");
}

function offer(kind: WordKind): string {
  if (kind.type === "any") return "";
  if (kind.type === "choices") {
    return `compadd -- ${kind.choices.map((one) => quoted(one)).join(" ")}; `;
  }
  return kind.type === "folder" ? "_files -/; " : "_files; ";
}

/** `name:description`; a colon in the name would end it. */
function described(name: string, text: string): string {
  return quoted(`${name.replaceAll(":", "\\:")}:${text}`);
}

function indented(lines: readonly string[], blanks: number): string {
  return lines.map((line) => " ".repeat(blanks) + line).join("\n");
}
