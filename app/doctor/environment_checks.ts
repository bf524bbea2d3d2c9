/** Settings that contradict each other: two that name the server, or two that name the token. */
import { TOOL_NAMES } from "../tools/build_tool.ts";
import type { UserFolders } from "../tools/build_tool.ts";
import { TOOLS } from "../tools/tool_table.ts";
import type { Verdict } from "./finding.ts";
import { ok, warning } from "./finding.ts";

/** One place where a setting may stand, strongest first. */
export interface NamedSetting {
  readonly source: string;
  readonly value: string | undefined;
}

/** The verdict on places that name the same thing; `secret` values are not shown. */
export function judgeSources(
  what: string,
  settings: readonly NamedSetting[],
  options: { readonly secret?: boolean } = {},
): Verdict | undefined {
  const given = settings.filter(({ value }) => value !== undefined && value !== "");
  const [first, ...others] = given;
  const other = others.find(({ value }) => value !== first?.value);
  if (!first || !other) return undefined;
  const said = ({ source, value }: NamedSetting) =>
    options.secret ? source : `${source} (${value})`;
  return warning(
    `two places name ${what}: ${said(first)} is used, ${said(other)} is not`,
    `take one of them away: unset ${other.source}`,
  );
}

/** Verdicts on variables of build tools that are set and point to another server than `base`. */
export function judgeToolVariables(base: string, user: UserFolders): Verdict[] {
  const address = { url: base, namespace: "default", token: "", write: true };
  const verdicts: Verdict[] = [];
  for (const name of TOOL_NAMES) {
    for (const variable of TOOLS[name].settings(address, user).variables) {
      const wanted = originIn(variable.value);
      const found = originIn(user.env(variable.name) ?? "");
      if (!wanted || !found || found === wanted || name === "go") continue;
      verdicts.push(warning(
        `${variable.name} sends ${TOOLS[name].title} to ${found}, not to ${wanted}`,
        `set it anew (vitte-remote-cache setup ${name}), or unset it`,
      ));
    }
  }
  return verdicts;
}

function originIn(value: string): string | undefined {
  const url = /https?:\/\/[^/\s|]+/.exec(value)?.[0];
  return url !== undefined && URL.canParse(url) ? new URL(url).origin : undefined;
}

/** The verdict where nothing contradicts. */
export function agreement(): Verdict {
  return ok("nothing is named twice");
}
