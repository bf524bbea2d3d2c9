/** Settings of tools for compiled languages: Bazel, moon, ccache, Please, Go. */
import type { BuildTool, UserFolders } from "./build_tool.ts";
import { namespaceUrl, NO_SETTINGS, toolUrl, withPassword } from "./build_tool.ts";

/** A remark that runs to the end of the line. */
const HASH = ["# ", ""] as const;

/** Bazel over HTTP. It reads no environment variables. */
export const BAZEL: BuildTool = {
  name: "bazel",
  title: "Bazel",
  marks: ["MODULE.bazel", "WORKSPACE", "WORKSPACE.bazel"],
  programs: [],
  verbs: ["read", "write"],
  tokenBy: "Authorization: Bearer, by --remote_header",
  settings: (address, { home }) => ({
    ...NO_SETTINGS,
    files: [{
      path: `${home}/.bazelrc`,
      remark: HASH,
      lines: [
        `build --remote_cache=${toolUrl("bazel", address)}`,
        `build --remote_header=Authorization="Bearer ${address.token}"`,
        ...(address.write ? [] : ["build --remote_upload_local_results=false"]),
      ],
    }],
  }),
};

/** moon over its HTTP API, which is Bazel's with JSON. Its token is the name of a variable. */
export const MOON: BuildTool = {
  name: "moon",
  title: "moon",
  marks: [".moon"],
  programs: [],
  verbs: ["read", "write"],
  tokenBy: "Authorization: Bearer, from the variable that MOON_REMOTE_AUTH_TOKEN names",
  settings: (address) => ({
    ...NO_SETTINGS,
    variables: [
      { name: "MOON_REMOTE_API", value: "http" },
      { name: "MOON_REMOTE_HOST", value: toolUrl("bazel", address) },
      { name: "MOON_REMOTE_AUTH_TOKEN", value: "VITTE_MOON_TOKEN" },
      { name: "VITTE_MOON_TOKEN", value: address.token, secret: true },
    ],
  }),
};

/** ccache 4.7 and later, with its built-in HTTP client. */
export const CCACHE: BuildTool = {
  name: "ccache",
  title: "ccache",
  marks: [],
  programs: ["ccache"],
  verbs: ["read", "write"],
  tokenBy: "Authorization: Bearer, by the attribute bearer-token",
  settings: (address, user) => {
    const { token, write, url } = address;
    // Its default of 100 ms to connect is for a server in the same room.
    const storage = `${toolUrl("ccache", address)}|bearer-token=${token}|connect-timeout=2000` +
      (write ? "" : "|read-only=true");
    return {
      ...NO_SETTINGS,
      variables: [{ name: "CCACHE_REMOTE_STORAGE", value: storage, secret: true }],
      files: [{ path: ccacheFile(user), remark: HASH, lines: [`remote_storage = ${storage}`] }],
      notes: url.startsWith("https:")
        ? ["ccache itself speaks plain HTTP only: it needs its helper ccache-storage-https"]
        : [],
    };
  },
};

function ccacheFile({ home, config, env, exists }: UserFolders): string {
  const named = env("CCACHE_CONFIGPATH");
  if (named) return named;
  const folder = env("CCACHE_DIR");
  if (folder) return `${folder}/ccache.conf`;
  // A folder of older days is still the one in use.
  return exists(`${home}/.ccache`) ? `${home}/.ccache/ccache.conf` : `${config}/ccache/ccache.conf`;
}

/** Please: it sends a token only as the password in the address. */
export const PLEASE: BuildTool = {
  name: "please",
  title: "Please",
  marks: [".plzconfig"],
  programs: [],
  verbs: ["read", "write"],
  tokenBy: "Authorization: Basic, from the address",
  settings: (address, { home }) => ({
    ...NO_SETTINGS,
    files: [{
      path: `${home}/.config/please/plzconfig`,
      remark: ["; ", ""],
      lines: [
        "[cache]",
        `httpurl = ${withPassword(toolUrl("please", address), address.token)}`,
        `httpwriteable = ${address.write}`,
      ],
    }],
  }),
};

/** Go 1.24 and later, through the helper that is part of this program. */
export const GO: BuildTool = {
  name: "go",
  title: "Go",
  marks: ["go.mod", "go.work"],
  programs: [],
  verbs: ["read", "write"],
  tokenBy: "the variable VITTE_TOKEN of go-cacheprog",
  settings: ({ url, namespace, token }) => ({
    ...NO_SETTINGS,
    variables: [
      {
        name: "GOCACHEPROG",
        value: "vitte-remote-cache go-cacheprog" +
          (namespace === "default" ? "" : ` --namespace ${namespace}`),
      },
      { name: "VITTE_CACHE_URL", value: namespaceUrl(url, "default") },
      { name: "VITTE_TOKEN", value: token, secret: true },
    ],
    notes: ["go looks for the program vitte-remote-cache on the PATH"],
  }),
};
