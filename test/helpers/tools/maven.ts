/** Real Maven with its build cache extension: a password after the challenge, `Expect` on every PUT. */
import { BUILD_CACHE_EXTENSION, mavenProgram } from "../../../tools/maven.ts";
import type { BuildCache } from "../ill_server.ts";
import { writeFiles } from "../real_builds.ts";
import type { RealTool } from "../real_builds.ts";
import { run } from "../real_server.ts";

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
const EXTENSIONS = `<extensions>
  <extension>
    <groupId>org.apache.maven.extensions</groupId>
    <artifactId>maven-build-cache-extension</artifactId>
    <version>${BUILD_CACHE_EXTENSION}</version>
  </extension>
</extensions>
`;

function filesOf(home: string, { url, token }: BuildCache, input: string): Record<string, string> {
  return {
    "pom.xml": POM,
    "src/main/java/app/Main.java": `package app;
public class Main { public static final String INPUT = ${JSON.stringify(input)}; }
`,
    ".mvn/extensions.xml": EXTENSIONS,
    ".mvn/maven-build-cache-config.xml":
      `<cache xmlns="http://maven.apache.org/BUILD-CACHE-CONFIG/1.2.0">
  <configuration>
    <remote enabled="true" saveToRemote="true" id="vitte"><url>${url}/maven</url></remote>
    <local><location>${home}/local-cache</location></local>
  </configuration>
</cache>
`,
    "settings.xml": `<settings>
  <servers>
    <server><id>vitte</id><username>ci</username><password>${token}</password></server>
  </servers>
</settings>
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
    await writeFiles(home, filesOf(home, cache, input));
    const program = await mavenProgram();
    const ran = await run([program, "-B", "-s", "settings.xml", "package"], { cwd: home });
    const said = ran.stdout + ran.stderr;
    const jar = await run(["sha256sum", "target/app-1.0.jar"], { cwd: home });
    return { code: ran.code, said, out: jar.stdout };
  },
};
