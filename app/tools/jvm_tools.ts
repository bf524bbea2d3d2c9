/** Settings of Gradle and Maven. */
import type { BuildTool } from "./build_tool.ts";
import { NO_SETTINGS, toolUrl } from "./build_tool.ts";

/** Gradle's HttpBuildCache, set for every build of a user by an init script. */
export const GRADLE: BuildTool = {
  name: "gradle",
  title: "Gradle",
  marks: ["gradlew", "settings.gradle", "settings.gradle.kts", "build.gradle", "build.gradle.kts"],
  programs: [],
  verbs: ["read", "write"],
  tokenBy: "Authorization: Basic, by credentials",
  settings: (address, { home, env }) => ({
    ...NO_SETTINGS,
    files: [{
      path: `${env("GRADLE_USER_HOME") || `${home}/.gradle`}/init.d/vitte-remote-cache.gradle`,
      remark: ["// ", ""],
      lines: [
        "gradle.startParameter.buildCacheEnabled = true",
        "gradle.settingsEvaluated { settings ->",
        "  settings.buildCache.remote(HttpBuildCache) { cache ->",
        `    cache.url = uri('${toolUrl("gradle", address)}/')`,
        `    cache.push = ${address.write}`,
        // The property is younger than the versions that Debian has.
        "    if (cache.hasProperty('allowInsecureProtocol')) cache.allowInsecureProtocol = " +
        `${address.url.startsWith("http:")}`,
        "    cache.credentials {",
        "      username = 'vitte'",
        `      password = '${address.token}'`,
        "    }",
        "  }",
        "}",
      ],
    }],
    notes: ["gradle --offline turns the remote cache off"],
  }),
};

const SERVER_ID = "vitte-remote-cache";

/** Maven 3.9 with its build cache extension; the token stands in the user's settings.xml. */
export const MAVEN: BuildTool = {
  name: "maven",
  title: "Maven",
  marks: ["pom.xml"],
  programs: [],
  verbs: ["read", "write"],
  tokenBy: "Authorization: Basic, from the server entry in settings.xml",
  direct: true,
  settings: (address, { home }) => {
    const properties: [string, string][] = [
      ["enabled", "true"],
      ["url", toolUrl("maven", address)],
      ["server.id", SERVER_ID],
      ["save.enabled", `${address.write}`],
    ];
    return {
      variables: [{
        name: "MAVEN_ARGS",
        value: properties.map(([name, value]) => `-Dmaven.build.cache.remote.${name}=${value}`)
          .join(" "),
        join: " ",
      }],
      files: [{
        path: `${home}/.m2/settings.xml`,
        remark: ["<!-- ", " -->"],
        around: ["<settings>\n  <servers>\n", "  </servers>\n</settings>\n"],
        lines: [
          "    <server>",
          `      <id>${SERVER_ID}</id>`,
          "      <username>vitte</username>",
          `      <password>${address.token}</password>`,
          "    </server>",
        ],
      }],
      repository: [{
        path: ".mvn/extensions.xml",
        lines: [
          "<extensions>",
          "  <extension>",
          "    <groupId>org.apache.maven.extensions</groupId>",
          "    <artifactId>maven-build-cache-extension</artifactId>",
          "    <version>1.3.0</version>",
          "  </extension>",
          "</extensions>",
        ],
      }],
      notes: ["Maven reads MAVEN_ARGS from 3.9.0 on"],
    };
  },
};
