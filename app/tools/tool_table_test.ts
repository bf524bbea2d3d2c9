/** What must hold for every line of the table of tools. */
import assert from "node:assert/strict";
import type { CacheAddress, UserFolders } from "./build_tool.ts";
import { TOOL_NAMES } from "./build_tool.ts";
import { everyToolsVariables, TOOLS } from "./tool_table.ts";

const TOKEN = "vrc_secret";
const ADDRESS: CacheAddress = {
  url: "http://127.0.0.1:8080/",
  namespace: "team",
  token: TOKEN,
  write: true,
};

function user(env: Record<string, string> = {}, there: string[] = []): UserFolders {
  return {
    home: "/home/ada",
    config: "/home/ada/.config",
    env: (name) => env[name],
    exists: (path) => there.includes(path),
  };
}

for (const name of TOOL_NAMES) {
  const { settings, verbs, marks, programs } = TOOLS[name];

  Deno.test(`${name}: its settings name the server, the namespace and the token`, () => {
    const { variables, files, repository } = settings(ADDRESS, user());
    const text = JSON.stringify([variables, files, repository]);
    assert.match(text, /http:\/\/(vitte:vrc_secret@)?127\.0\.0\.1:8080/);
    assert.ok(!text.includes("8080//"), text);
    assert.ok(text.includes("team"), text);
    assert.ok(text.includes(TOKEN), text);
  });

  Deno.test(`${name}: a token stands in secret variables and files of the user only`, () => {
    const { variables, files, repository, notes } = settings(ADDRESS, user());
    assert.ok(!JSON.stringify([repository, notes]).includes(TOKEN));
    for (const variable of variables) {
      assert.equal(variable.value.includes(TOKEN), variable.secret ?? false, variable.name);
    }
    for (const { path } of files) assert.match(path, /^\/home\/ada\//);
  });

  Deno.test(`${name}: it can be found, and its token may read and write and no more`, () => {
    assert.ok(marks.length + programs.length > 0);
    assert.deepEqual(verbs, ["read", "write"]);
  });
}

Deno.test("a tool that may not write is told so, where it has a word for it", () => {
  const told = TOOL_NAMES.filter((name) => {
    const text = (write: boolean) =>
      JSON.stringify(TOOLS[name].settings({ ...ADDRESS, write }, user()));
    return text(true) !== text(false);
  });
  const byTokenAlone = TOOL_NAMES.filter((name) => !told.includes(name));
  assert.deepEqual(byTokenAlone, ["moon", "nx"]);
});

Deno.test("ccache's file is the one that ccache reads", () => {
  const path = (...from: Parameters<typeof user>) =>
    TOOLS.ccache.settings(ADDRESS, user(...from)).files[0]?.path;
  assert.equal(path(), "/home/ada/.config/ccache/ccache.conf");
  assert.equal(path({}, ["/home/ada/.ccache"]), "/home/ada/.ccache/ccache.conf");
  assert.equal(path({ CCACHE_DIR: "/home/ada/c" }), "/home/ada/c/ccache.conf");
  assert.equal(
    path({ CCACHE_DIR: "/home/ada/c", CCACHE_CONFIGPATH: "/home/ada/x" }),
    "/home/ada/x",
  );
});

Deno.test("a child gets the variables of all tools, and keeps what was set where both can be", () => {
  const all = everyToolsVariables(ADDRESS, user({ MAVEN_ARGS: "-B", TURBO_TOKEN: "old" }));
  assert.equal(all.get("VITTE_CACHE_URL"), "http://127.0.0.1:8080");
  assert.equal(all.get("VITTE_TOKEN"), TOKEN);
  assert.equal(all.get("VITTE_GRADLE_URL"), "http://127.0.0.1:8080/ns/team/gradle");
  assert.equal(all.get("TURBO_TOKEN"), TOKEN);
  assert.match(all.get("MAVEN_ARGS") ?? "", /^-B -Dmaven\.build\.cache\.remote\.enabled=true /);
  assert.match(all.get("CCACHE_REMOTE_STORAGE") ?? "", /^http:.*\/ns\/team\/ccache\|bearer-token=/);
});

Deno.test("under a relay only tools with half of their settings in files get the server's own", () => {
  const relay = { ...ADDRESS, url: "http://127.0.0.1:1", token: "vrc_local" };
  const all = everyToolsVariables(relay, user(), ADDRESS);
  const own = [...all].filter(([, value]) => value.includes(":8080") || value.includes(TOKEN));
  assert.deepEqual(own.map(([name]) => name).sort(), [
    "MAVEN_ARGS",
    "RUSH_BUILD_CACHE_CREDENTIAL",
    "VITTE_MAVEN_URL",
    "VITTE_RUSH_URL",
  ]);
  assert.match(all.get("CCACHE_REMOTE_STORAGE") ?? "", /^http:\/\/127.0.0.1:1\/.*=vrc_local/);
});
