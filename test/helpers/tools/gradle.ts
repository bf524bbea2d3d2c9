/** Real Gradle, as Debian packages it: the first failure would turn its cache off. */
import { textOf, writeFiles } from "../real_builds.ts";
import type { RealTool } from "../real_builds.ts";
import { run } from "../real_server.ts";

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

/** Both are expressions of Groovy. */
function settingsOf(url: string, token: string): string {
  return `
rootProject.name = "app"
buildCache {
  local { directory = new File(rootDir, "local-cache") }
  remote(HttpBuildCache) {
    url = ${url}
    push = true
    credentials { username = "ci"; password = ${token} }
  }
}
`;
}

/** As a project in a folder of its own uses it. */
export const gradle: RealTool = {
  tool: "gradle",
  hit: /:shout FROM-CACHE/,
  miss: /:shout\n/,
  shown: ["too_large", "token_expired", "token_revoked"],
  never: /remote build cache was disabled|Could not (?:store|load)/,
  async build(home, { url, token, under, meanwhile = "true" }, input = "hello\n") {
    await writeFiles(home, {
      "settings.gradle": under
        ? settingsOf('System.env.VITTE_GRADLE_URL + "/"', "System.env.VITTE_TOKEN")
        : settingsOf(`"${url}/gradle/"`, `"${token}"`),
      "build.gradle": buildOf(meanwhile),
      "in.txt": input,
    });
    const words = ["--build-cache", "--console=plain", "--no-daemon", "-i", "shout"];
    const ran = await run([...under ?? [], "gradle", ...words], {
      cwd: home,
      env: { GRADLE_USER_HOME: `${home}/gradle-home` },
    });
    const said = ran.stdout + ran.stderr;
    return { code: ran.code, said, out: await textOf(`${home}/build/out.txt`) };
  },
};
