/** What is known of a build tool: how it is told of the cache, and by what one sees that it is used. */
import type { Verb } from "../../core/policy.ts";

/** Names of the tools, as `setup` takes them; also their first path segment on the server. */
export const TOOL_NAMES = [
  "bazel",
  "moon",
  "ccache",
  "gradle",
  "maven",
  "turborepo",
  "nx",
  "metro",
  "rush",
  "please",
  "go",
] as const;
/** One of {@linkcode TOOL_NAMES}. */
export type ToolName = typeof TOOL_NAMES[number];

/** Where the cache is, and what a tool may do there. */
export interface CacheAddress {
  /** Address of the server, without a slash at the end. */
  readonly url: string;
  readonly namespace: string;
  /** The token as it is to stand in settings: a real one, or `${NAME}` for a shell to fill in. */
  readonly token: string;
  /** Whether the tool is to store what it built; a tool that may not is told so where it can be. */
  readonly write: boolean;
}

/** One environment variable. */
export interface ToolVariable {
  readonly name: string;
  readonly value: string;
  /** Whether the value holds the token. */
  readonly secret?: true;
  /** Put in front of a value that is set already, with this between them; else it replaces it. */
  readonly join?: string;
}

/** Lines for a file of the user, outside of any repository. */
export interface ToolFile {
  /** Absolute path. */
  readonly path: string;
  readonly lines: readonly string[];
  /** How a remark of one line begins and ends there; both mark which lines are ours. */
  readonly remark: readonly [open: string, close: string];
  /**
   * What stands around the lines in a file that does not exist yet. A file with `around` that is
   * there, without our marks in it, is left alone: the lines are to be put in by hand.
   */
  readonly around?: readonly [before: string, after: string];
}

/** Lines to commit to the repository; never with a token in them. */
export interface RepositoryFile {
  /** Path below the repository's root. */
  readonly path: string;
  readonly lines: readonly string[];
}

/** Everything that makes one tool use the cache. */
export interface ToolSettings {
  readonly variables: readonly ToolVariable[];
  readonly files: readonly ToolFile[];
  /** Whether variables and files say the same, so that one of them is enough. */
  readonly eitherWay?: true;
  readonly repository: readonly RepositoryFile[];
  /** What a person should know, in a sentence each. */
  readonly notes: readonly string[];
}

/** Folders of the user, as the tools look for them. */
export interface UserFolders {
  readonly home: string;
  /** `$XDG_CONFIG_HOME`, else `~/.config`. */
  readonly config: string;
  env(name: string): string | undefined;
  /** Whether a folder or file is there. */
  exists(path: string): boolean;
}

/** One line of the table of tools. */
export interface BuildTool {
  readonly name: ToolName;
  /** As its makers write it. */
  readonly title: string;
  /** Files and folders below the root of a repository that uses it. */
  readonly marks: readonly string[];
  /** Programs that, on the PATH, say that it is used. */
  readonly programs: readonly string[];
  /** What its token must be allowed. */
  readonly verbs: readonly Verb[];
  /** How the token travels. */
  readonly tokenBy: string;
  /**
   * Whether address or token always stand in a file: then the other one, in a variable, has to be
   * the server's own, also where a relay stands in front of it. Default false.
   */
  readonly direct?: true;
  settings(address: CacheAddress, user: UserFolders): ToolSettings;
}

/** The address that a tool is given: `<url>[/ns/<namespace>]/<tool>`. */
export function toolUrl(tool: ToolName, { url, namespace }: CacheAddress): string {
  return `${namespaceUrl(url, namespace)}/${tool}`;
}

/** The server's address with the namespace behind it. */
export function namespaceUrl(url: string, namespace: string): string {
  return `${url.replace(/\/+$/, "")}${namespace === "default" ? "" : `/ns/${namespace}`}`;
}

/** Name and token in front of the host, for tools that know no other way. */
export function withPassword(url: string, token: string): string {
  return url.replace("://", `://vitte:${token}@`);
}

/** Settings without a part. */
export const NO_SETTINGS: ToolSettings = { variables: [], files: [], repository: [], notes: [] };
