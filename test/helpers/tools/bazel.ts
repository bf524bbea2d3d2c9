/** Real Bazel, as Debian bootstraps it: a C program and what it says, by rules without a download. */
import { textOf, writeFiles } from "../real_builds.ts";
import type { RealTool } from "../real_builds.ts";
import { run } from "../real_server.ts";
import { setUpTool } from "../tool_setup.ts";

/** Rules of C would be fetched from afar, these are not. */
const BUILD = `
genrule(name = "object", srcs = ["say.c"], outs = ["say.o"], cmd = "gcc -c $< -o $@")
genrule(name = "program", srcs = ["say.o"], outs = ["say"], cmd = "gcc $< -o $@", executable = True)
genrule(name = "said", tools = [":program"], outs = ["said.txt"], cmd = "$(location :program) > $@")
`;

/** As a workspace in a folder of its own uses it, with all that Bazel keeps in another one. */
export const bazel: RealTool = {
  tool: "bazel",
  hit: /\b3 remote cache hit, 1 internal\./,
  miss: /\b1 internal, 3 local\./,
  shown: ["quota_exceeded", "too_large", "token_expired", "token_revoked"],
  async build(home, cache, input = "hello") {
    const { user, words } = await setUpTool("bazel", home, cache);
    await writeFiles(home, {
      "WORKSPACE": "",
      "BUILD": BUILD,
      "say.c": `#include <stdio.h>\nint main(void) { puts(${JSON.stringify(input)}); return 0; }\n`,
    });
    // Without --batch a server of its own would stay.
    const startup = ["--batch", `--output_user_root=${user}/bazel`];
    const flags = ["--spawn_strategy=local", "--curses=no", "--noshow_progress"];
    const ran = await run([...words, "bazel", ...startup, "build", ...flags, "//:said"], {
      cwd: home,
      env: { HOME: user },
    });
    const program = await run(["sha256sum", "bazel-bin/say"], { cwd: home });
    return {
      code: ran.code,
      said: ran.stdout + ran.stderr,
      out: await textOf(`${home}/bazel-bin/said.txt`) + program.stdout,
    };
  },
};
