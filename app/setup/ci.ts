/** Snippets for CI: write on the main branch, read on pull requests. */
import type { BuildTool, CacheAddress, ToolFile, UserFolders } from "../tools/build_tool.ts";
import { createCommand } from "./tool_token.ts";

/** Services that there is a snippet for. */
export const CI_SERVICES = ["github", "gitlab"] as const;
/** One of {@linkcode CI_SERVICES}. */
export type CiService = typeof CI_SERVICES[number];

/** The token as the shell fills it in; the service puts it into the environment. */
const TOKEN = "${VITTE_TOKEN}";

/** What a snippet is made for. */
export interface CiWish {
  readonly service: CiService;
  readonly tools: readonly BuildTool[];
  readonly url: string;
  readonly namespace: string;
}

/** The snippet, and the commands that come before it as remarks. */
export function ciSnippet(wish: CiWish): string {
  return wish.service === "github" ? github(wish) : gitlab(wish);
}

function github(wish: CiWish): string {
  const step = (write: boolean) =>
    `      - name: build cache, ${write ? "read and write" : "read only"}
        if: github.ref ${write ? "==" : "!="} 'refs/heads/main'
        env:
          VITTE_TOKEN: \${{ secrets.VITTE_TOKEN }}
        run: |
${indented(script(wish, write, githubVariable), 10)}`;
  return `# .github/workflows/build.yml
#
# Once, as an administrator of the cache:
${tokenCommands(wish)}
# Once, with gh: two environments with a secret of the same name. In the settings of the repository
# let only the branch main use "cache-write": then no pull request can get at that token, whatever
# it makes of this file.
#   gh secret set VITTE_TOKEN --env cache-write < ci-main.token
#   gh secret set VITTE_TOKEN --env cache-read < ci-pr.token
# Pull requests from forks get no secrets at all: they build without the cache.
on:
  push: { branches: [main] }
  pull_request:
jobs:
  build:
    runs-on: ubuntu-latest
    environment: \${{ github.ref == 'refs/heads/main' && 'cache-write' || 'cache-read' }}
    steps:
      - uses: actions/checkout@v4
${step(true)}
${step(false)}
      # the build
`;
}

function gitlab(wish: CiWish): string {
  const part = (name: string, write: boolean) =>
    `.${name}:
  before_script:
    - |
${indented(script(wish, write, shellVariable), 6)}`;
  return `# .gitlab-ci.yml
#
# Once, as an administrator of the cache:
${tokenCommands(wish)}
# Once, in the project's settings, two masked variables: VITTE_TOKEN_WRITE (ci-main.token), which is
# protected, so that only protected branches see it, and VITTE_TOKEN_READ (ci-pr.token).
${part("cache-write", true)}
${part("cache-read", false)}

build:
  extends: .cache-write
  variables: { VITTE_TOKEN: $VITTE_TOKEN_WRITE }
  rules:
    - if: $CI_COMMIT_BRANCH == $CI_DEFAULT_BRANCH
  script: [] # the build

build-merge-request:
  extends: .cache-read
  variables: { VITTE_TOKEN: $VITTE_TOKEN_READ }
  rules:
    - if: $CI_PIPELINE_SOURCE == "merge_request_event"
  script: [] # the build
`;
}

function tokenCommands({ namespace }: CiWish): string {
  const { main, pr } = {
    main: createCommand("ci-main", { verbs: ["read", "write"], namespace }),
    pr: createCommand("ci-pr", { verbs: ["read"], namespace }),
  };
  return `#   ${main} > ci-main.token\n#   ${pr} > ci-pr.token`;
}

type VariableLine = (name: string, value: string) => string;

/** Variables of later steps; `$VITTE_TOKEN` is filled in, as it is masked in the log. */
const githubVariable: VariableLine = (name, value) => `echo "${name}=${value}" >> "$GITHUB_ENV"`;
const shellVariable: VariableLine = (name, value) => `export ${name}="${value}"`;

/** The lines of a shell that set up all tools. */
function script(wish: CiWish, write: boolean, variable: VariableLine): string {
  const { url, namespace, tools } = wish;
  const address: CacheAddress = { url, namespace, token: TOKEN, write };
  const lines: string[] = [];
  for (const tool of tools) {
    const { variables, files, eitherWay } = tool.settings(address, RUNNER);
    for (const { name, value } of variables) lines.push(variable(name, value));
    if (!eitherWay) { for (const file of files) lines.push(...fileLines(file)); }
  }
  return lines.join("\n");
}

function fileLines({ path, lines, around = ["", ""] }: ToolFile): string[] {
  const [head, foot] = around.map((text) => text.split("\n").filter((line) => line !== ""));
  const folder = path.slice(0, path.lastIndexOf("/"));
  return [
    `mkdir -p "${folder}"`,
    `cat > "${path}" <<END`,
    ...head ?? [],
    ...lines,
    ...foot ?? [],
    "END",
  ];
}

/** A runner's folders, as its shell knows them. */
const RUNNER: UserFolders = {
  home: "$HOME",
  config: "$HOME/.config",
  env: () => undefined,
  exists: () => false,
};

function indented(text: string, blanks: number): string {
  return text.split("\n").map((line) => " ".repeat(blanks) + line).join("\n");
}
