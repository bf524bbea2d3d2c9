/** Settings of tools for JavaScript: Turborepo, Nx, Metro, Rush. */
import type { BuildTool } from "./build_tool.ts";
import { NO_SETTINGS, toolUrl } from "./build_tool.ts";

/** Turborepo; without a team it leaves the remote cache alone, whatever else is set. */
export const TURBOREPO: BuildTool = {
  name: "turborepo",
  title: "Turborepo",
  marks: ["turbo.json", "turbo.jsonc"],
  programs: [],
  verbs: ["read", "write"],
  tokenBy: "Authorization: Bearer, from TURBO_TOKEN",
  settings: (address) => ({
    ...NO_SETTINGS,
    variables: [
      { name: "TURBO_API", value: toolUrl("turborepo", address) },
      { name: "TURBO_TOKEN", value: address.token, secret: true },
      { name: "TURBO_TEAM", value: address.namespace },
      ...(address.write ? [] : [{ name: "TURBO_REMOTE_CACHE_READ_ONLY", value: "true" }]),
    ],
  }),
};

/** Nx 20.8 and later. A token that may not write is enough to make it read-only. */
export const NX: BuildTool = {
  name: "nx",
  title: "Nx",
  marks: ["nx.json"],
  programs: [],
  verbs: ["read", "write"],
  tokenBy: "Authorization: Bearer, from NX_SELF_HOSTED_REMOTE_CACHE_ACCESS_TOKEN",
  settings: (address) => ({
    ...NO_SETTINGS,
    variables: [
      { name: "NX_SELF_HOSTED_REMOTE_CACHE_SERVER", value: toolUrl("nx", address) },
      {
        name: "NX_SELF_HOSTED_REMOTE_CACHE_ACCESS_TOKEN",
        value: address.token,
        secret: true,
      },
    ],
  }),
};

/** Metro: its settings are a program, which takes address and token from the environment. */
export const METRO: BuildTool = {
  name: "metro",
  title: "Metro",
  marks: ["metro.config.js", "metro.config.ts", "metro.config.cjs", "metro.config.mjs"],
  programs: [],
  verbs: ["read", "write"],
  tokenBy: "Authorization: Bearer, as a header of its HttpStore",
  settings: (address) => ({
    ...NO_SETTINGS,
    variables: [
      { name: "VITTE_METRO_URL", value: toolUrl("metro", address) },
      { name: "VITTE_METRO_TOKEN", value: address.token, secret: true },
    ],
    repository: [{
      path: "metro.config.js",
      lines: [
        `const { ${address.write ? "HttpStore" : "HttpGetStore"} } = require("metro-cache");`,
        "",
        "module.exports.cacheStores = process.env.VITTE_METRO_URL",
        `  ? [new ${address.write ? "HttpStore" : "HttpGetStore"}({`,
        "    endpoint: process.env.VITTE_METRO_URL,",
        "    headers: { Authorization: `Bearer ${process.env.VITTE_METRO_TOKEN}` },",
        "  })]",
        "  : [];",
      ],
    }],
  }),
};

/** Rush with its HTTP build cache plugin. */
export const RUSH: BuildTool = {
  name: "rush",
  title: "Rush",
  marks: ["rush.json"],
  programs: [],
  verbs: ["read", "write"],
  tokenBy: "Authorization: Bearer, from RUSH_BUILD_CACHE_CREDENTIAL",
  direct: true,
  settings: (address) => ({
    ...NO_SETTINGS,
    variables: [
      { name: "RUSH_BUILD_CACHE_ENABLED", value: "1" },
      { name: "RUSH_BUILD_CACHE_WRITE_ALLOWED", value: address.write ? "1" : "0" },
      {
        name: "RUSH_BUILD_CACHE_CREDENTIAL",
        value: `Bearer ${address.token}`,
        secret: true,
      },
    ],
    repository: [{
      path: "common/config/rush/build-cache.json",
      lines: [
        "{",
        '  "buildCacheEnabled": true,',
        '  "cacheProvider": "http",',
        '  "httpConfiguration": {',
        `    "url": "${toolUrl("rush", address)}/",`,
        '    "uploadMethod": "PUT",',
        `    "isCacheWriteAllowed": ${address.write}`,
        "  }",
        "}",
      ],
    }],
  }),
};
