/** Real Maven with its build cache extension: a password after the challenge, `Expect` on every PUT. */
import { mavenProgram } from "../../../tools/maven.ts";
import { writeFiles } from "../real_builds.ts";
import type { RealTool } from "../real_builds.ts";
import { run } from "../real_server.ts";
import { setUpTool } from "../tool_setup.ts";

const POM = `<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>org.example</groupId>
  <artifactId>app</artifactId>
  <version>1.0</version>
  <properties>
    <maven.compiler.source>17</maven.compiler.source>
    <maven.compiler.target>17</maven.compiler.target>
    <project.build.sourceEncoding>UTF-8</project.build.sourceEncoding>
    <project.build.outputTimestamp>2024-01-01T00:00:00Z</project.build.outputTimestamp>
  </properties>
</project>
`;
function filesOf(input: string): Record<string, string> {
  return {
    "pom.xml": POM,
    "src/main/java/app/Main.java": `package app;
public class Main { public static final String INPUT = ${JSON.stringify(input)}; }
`,
  };
}

/** As a project in a folder of its own uses it. */
export const maven: RealTool = {
  tool: "maven",
  hit: /Found cached build[^]*Skipping plugin execution \(cached\): jar:jar/,
  miss: /Building jar:[^]*Saved to remote cache/,
  shown: ["too_large", "token_expired", "token_revoked"],
  async build(home, cache, input = "hello") {
    const { user, words, repository } = await setUpTool("maven", home, cache);
    await writeFiles(home, { ...filesOf(input), ...repository });
    const program = await mavenProgram();
    const ran = await run([...words, program, "-B", "-V", "package"], {
      cwd: home,
      // Java takes the home folder from the list of users, not from HOME. What Maven fetches from
      // afar is fetched once; what it caches of builds is not to be found by the next one.
      env: {
        HOME: user,
        MAVEN_OPTS:
          `-Duser.home=${user} -Dmaven.repo.local=${Deno.env.get("HOME")}/.m2/repository ` +
          `-Dmaven.build.cache.location=${user}/local-cache`,
      },
    });
    const said = ran.stdout + ran.stderr;
    const jar = await run(["sha256sum", "target/app-1.0.jar"], { cwd: home });
    return { code: ran.code, said, out: jar.stdout };
  },
};
