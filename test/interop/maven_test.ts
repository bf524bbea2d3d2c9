/** Real Maven with its build cache extension: a password after the challenge, `Expect` on every PUT. */
import assert from "node:assert/strict";
import { BUILD_CACHE_EXTENSION, mavenProgram } from "../../tools/maven.ts";
import { startIllServer } from "../helpers/ill_server.ts";
import type { BuildCache } from "../helpers/ill_server.ts";
import { buildsAnyway, buildsTwice, writeFiles } from "../helpers/real_builds.ts";
import type { RealTool } from "../helpers/real_builds.ts";
import { run } from "../helpers/real_server.ts";

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

const maven: RealTool = {
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

Deno.test("Maven takes the second project's jar from the cache, byte for byte", () =>
  buildsTwice(maven));

Deno.test("Maven builds whatever the server suffers from", (t) => buildsAnyway(maven, t));

Deno.test("an upload that announces itself is told to go on at once", async () => {
  await using server = startIllServer({ trouble: "internal" });
  const { hostname, port } = new URL(server.url);
  using connection = await Deno.connect({ hostname, port: Number(port) });
  const head = "PUT /maven/v1.2/g/a/0/buildinfo.xml HTTP/1.1\r\nhost: 127.0.0.1\r\n" +
    `authorization: Basic ${btoa(`ci:${server.token}`)}\r\n` +
    "expect: 100-continue\r\ncontent-length: 5\r\n\r\n";
  await connection.write(new TextEncoder().encode(head));
  const buffer = new Uint8Array(1024);
  const read = async () => {
    const count = await connection.read(buffer);
    return new TextDecoder().decode(buffer.subarray(0, count ?? 0));
  };
  assert.match(await read(), /^HTTP\/1\.1 100 Continue\r\n/);
  await connection.write(new TextEncoder().encode("hello"));
  assert.match(await read(), /^HTTP\/1\.1 201 /);
});
