/** Who may import whom, and who may touch the outside world: the data that `layers_lint.ts` reads. */

/** For each folder, or file at the top, the other folders it may import. Itself always. */
export const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  core: [],
  protocol: ["core"],
  codec: ["core"],
  auth: ["core"],
  policy: ["core"],
  store: ["core", "codec"],
  index: ["core", "codec"],
  client: ["core", "protocol", "codec"],
  sync: ["core", "protocol", "codec"],
  server: ["core", "protocol", "codec", "auth", "policy", "sync"],
  web: [],
  app: [
    "core",
    "protocol",
    "codec",
    "auth",
    "policy",
    "store",
    "index",
    "client",
    "sync",
    "server",
    "web",
    "deno.json",
  ],
  "cli.ts": ["core", "app"],
  "mod.ts": ["core", "protocol", "codec", "client", "app"],
};

/** Code that is not part of the product: it may import anything, and nothing else imports it. */
export const OUTSIDE: readonly string[] = ["test", "bench", "tools"];

/** Files that only these importers may name: the one place that builds stores. */
export const ONLY_FROM: readonly { target: RegExp; importer: RegExp; why: string }[] = [
  {
    target: /^store\/open\.ts$/,
    importer: /^app\/compose[^/]*\.ts$/,
    why: "only app/compose*.ts opens stores; take the interface as an argument",
  },
];

/** Folders that do no I/O of their own, and the modules that would be I/O. */
export const PURE: readonly string[] = ["core", "codec", "policy", "protocol"];
export const IO_MODULES: readonly string[] = [
  "node:fs",
  "node:fs/promises",
  "node:net",
  "node:tls",
  "node:http",
  "node:https",
  "node:http2",
  "node:sqlite",
  "node:child_process",
  "node:worker_threads",
  "node:dgram",
];

/** What reads the environment, the time or chance, and where it may stand. */
export const AMBIENT: readonly { what: string; allowed: RegExp; instead: string }[] = [
  ...["Deno.env", "Deno.args", "process.env", "process.argv"].map((what) => ({
    what,
    allowed: /^(app|tools|bench)\/|^cli\.ts$/,
    instead: "take it as an argument; app/ reads it",
  })),
  ...["Date.now", "performance.now", "new Date()", "Date()"].map((what) => ({
    what,
    allowed: /^(app|tools|bench)\/|^cli\.ts$|^core\/clock\.ts$/,
    instead: "take a Clock (core/clock.ts) as an argument",
  })),
  {
    what: "Math.random",
    allowed: /^(app|tools|bench)\/|^cli\.ts$|^core\/clock\.ts$/,
    instead: "take the number as an argument, or use crypto.getRandomValues",
  },
  ...["Deno.exit", "process.exit"].map((what) => ({
    what,
    allowed: /^(tools|bench)\/|^cli\.ts$/,
    instead: "return an exit code; only cli.ts ends the process",
  })),
];

/** Folders whose code handles blob bytes and never holds a whole blob. */
export const STREAMING: readonly string[] = ["store", "server", "client", "sync"];

/** Methods that read a whole body into memory. */
export const WHOLE_BODY: readonly string[] = ["arrayBuffer", "text", "bytes", "blob", "json"];

/** File names that say nothing about what is inside. */
export const DRAWERS: readonly string[] = [
  "utils",
  "util",
  "helpers",
  "helper",
  "common",
  "misc",
  "types",
];
