/** Real Metro: chunked uploads, and a bundle that fails over any read but 200 and 404. */
import { NPM, npmPackage } from "../../../tools/install.ts";
import { textOf, writeFiles } from "../real_builds.ts";
import type { RealTool } from "../real_builds.ts";
import { run } from "../real_server.ts";
import { setUpTool } from "../tool_setup.ts";

/** Around the lines of `setup`, so that the build says what became of its questions. */
const BEFORE = `
module.exports = {
  projectRoot: __dirname,
  watchFolders: [require("fs").realpathSync(__dirname + "/node_modules")],
  fileMapCacheDirectory: __dirname + "/file-map",
  resolver: { useWatchman: false },
  maxWorkers: 1,
};
`;
const AFTER = `
const [store] = module.exports.cacheStores;
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
if (store) module.exports.cacheStores = [counting];
`;
const FILES = {
  "src/index.js": 'const answer = require("./answer");\nconsole.log(answer);\n',
  "file-map/.keep": "",
};

/** As a project in a folder of its own uses it. */
export const metro: RealTool = {
  tool: "metro",
  hit: /store: [1-9]\d* hits, 0 misses/,
  miss: /store: 0 hits, [1-9]\d* misses/,
  async build(home, cache, input = "42") {
    const folder = await npmPackage("metro", NPM.metro);
    const { user, words, repository } = await setUpTool("metro", home, cache);
    await writeFiles(home, {
      ...FILES,
      "metro.config.js": BEFORE + repository["metro.config.js"] + AFTER,
      "src/answer.js": `module.exports = ${JSON.stringify(input)};\n`,
    });
    await Deno.symlink(`${folder}/node_modules`, `${home}/node_modules`);
    const build = ["build", "src/index.js", "--out", "out.js", "--platform", "web"];
    const ran = await run(
      [
        ...words,
        `${home}/node_modules/.bin/metro`,
        ...build,
        "--config",
        "metro.config.js",
      ],
      {
        cwd: home,
        env: { HOME: user, MEANWHILE: cache.meanwhile ?? "true" },
      },
    );
    return { code: ran.code, said: ran.stdout + ran.stderr, out: await textOf(`${home}/out.js`) };
  },
};
