/** Real Metro: chunked uploads, and a bundle that fails over any read but 200 and 404. */
import { NPM, npmPackage } from "../../../tools/install.ts";
import { textOf, writeFiles } from "../real_builds.ts";
import type { RealTool } from "../real_builds.ts";
import { run } from "../real_server.ts";

const CONFIG = `
const { HttpStore } = require("metro-cache");
const store = new HttpStore({
  endpoint: process.env.VITTE_METRO_URL,
  headers: { Authorization: "Bearer " + process.env.VITTE_METRO_TOKEN },
});
let hits = 0;
let misses = 0;
const counting = {
  async get(key) {
    const found = await store.get(key);
    if (hits + misses === 0) require("child_process").execSync(process.env.MEANWHILE);
    if (found) hits++;
    else misses++;
    return found;
  },
  set: (key, value) => store.set(key, value),
  clear: () => store.clear(),
};
process.on("exit", () => console.log("store: " + hits + " hits, " + misses + " misses"));
module.exports = {
  projectRoot: __dirname,
  watchFolders: [require("fs").realpathSync(__dirname + "/node_modules")],
  cacheStores: [counting],
  fileMapCacheDirectory: __dirname + "/file-map",
  resolver: { useWatchman: false },
  maxWorkers: 1,
};
`;
const FILES = {
  "metro.config.js": CONFIG,
  "src/index.js": 'const answer = require("./answer");\nconsole.log(answer);\n',
  "file-map/.keep": "",
};

/** As a project in a folder of its own uses it. */
export const metro: RealTool = {
  tool: "metro",
  hit: /store: [1-9]\d* hits, 0 misses/,
  miss: /store: 0 hits, [1-9]\d* misses/,
  async build(home, { url, token, under, meanwhile = "true" }, input = "42") {
    const folder = await npmPackage("metro", NPM.metro);
    await writeFiles(home, {
      ...FILES,
      "src/answer.js": `module.exports = ${JSON.stringify(input)};\n`,
    });
    await Deno.symlink(`${folder}/node_modules`, `${home}/node_modules`);
    const words = ["build", "src/index.js", "--out", "out.js", "--platform", "web"];
    const ran = await run(
      [
        ...under ?? [],
        `${home}/node_modules/.bin/metro`,
        ...words,
        "--config",
        "metro.config.js",
      ],
      {
        cwd: home,
        env: {
          HOME: home,
          MEANWHILE: meanwhile,
          ...(under ? {} : { VITTE_METRO_URL: `${url}/metro`, VITTE_METRO_TOKEN: token }),
        },
      },
    );
    return { code: ran.code, said: ran.stdout + ran.stderr, out: await textOf(`${home}/out.js`) };
  },
};
