/** Real Gradle, as Debian packages it: the first failure would turn its cache off. */
import assert from "node:assert/strict";
import { ROOT } from "../paths.ts";
import { textOf, writeFiles } from "../real_builds.ts";
import type { RealTool } from "../real_builds.ts";
import { run } from "../real_server.ts";
import { setUpTool } from "../tool_setup.ts";

function buildOf(meanwhile: string): string {
  return `
@CacheableTask
class Shout extends DefaultTask {
  @InputFile @PathSensitive(PathSensitivity.NAME_ONLY) File input
  @OutputFile File output
  @TaskAction void run() {
    ["sh", "-c", ${JSON.stringify(meanwhile)}].execute().waitFor()
    output.text = input.text.toUpperCase()
  }
}
task shout(type: Shout) {
  input = file("in.txt")
  output = file("build/out.txt")
}
`;
}

/** The lines of its page for builds under `with`. */
async function linesUnderWith(): Promise<string> {
  const page = await Deno.readTextFile(`${ROOT}/docs/tools/gradle.md`);
  const [, lines] = /^```groovy\n([^]*?)^```/m.exec(page) ?? [];
  assert.ok(lines, "the page has lines for settings.gradle");
  return lines;
}

const SETTINGS = `
rootProject.name = "app"
buildCache {
  local { directory = new File(rootDir, "local-cache") }
}
`;

/** As a project in a folder of its own uses it. */
export const gradle: RealTool = {
  tool: "gradle",
  hit: /:shout FROM-CACHE/,
  miss: /:shout\n/,
  shown: ["too_large", "token_expired", "token_revoked"],
  never: /remote build cache was disabled|Could not (?:store|load)/,
  async build(home, cache, input = "hello\n") {
    const { user, words } = await setUpTool("gradle", home, cache);
    await writeFiles(home, {
      "settings.gradle": SETTINGS + (cache.under ? await linesUnderWith() : ""),
      "build.gradle": buildOf(cache.meanwhile ?? "true"),
      "in.txt": input,
    });
    // An init script of setup turns the cache on by itself.
    const flags = cache.under ? ["--build-cache"] : [];
    const ran = await run(
      [...words, "gradle", ...flags, "--console=plain", "--no-daemon", "-i", "shout"],
      // Java takes the home folder from the list of users, not from HOME.
      { cwd: home, env: { HOME: user, GRADLE_USER_HOME: `${user}/.gradle` } },
    );
    const said = ran.stdout + ran.stderr;
    return { code: ran.code, said, out: await textOf(`${home}/build/out.txt`) };
  },
};
