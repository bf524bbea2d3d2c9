/** `setup` and `login` ask for a token where a person sits at a terminal: nobody sees it typed. */
import assert from "node:assert/strict";
import { needProgram, skippable } from "../helpers/skip.ts";
import { tempDir } from "../helpers/temp.ts";
import { install, PROGRAM, Terminal } from "../helpers/terminal.ts";

const OPTIONS = { need: () => needProgram("script") };
const QUESTION = /Token for http:\S+ \(it is not shown\): /;
const URL_OF_SERVER = "$(cat .cache/vitte-remote-cache/address)";
/** No administrator's token is to be found, as on another machine. */
const ELSEWHERE = "export VITTE_CACHE_DIR=/nowhere";

/** Runs shell words at a pseudo terminal; `keys` are pressed when they are asked for. */
async function atTerminal(terminal: Terminal, words: string, keys: string) {
  const child = new Deno.Command("script", {
    args: ["-q", "-e", "-c", `cd ~ && ${words}`, "/dev/null"],
    env: { ...terminal.env, SHELL: "/bin/sh" },
    stdin: "piped",
    stdout: "piped",
    stderr: "null",
  }).spawn();
  const writer = child.stdin.getWriter();
  let seen = "";
  let pressed = false;
  for await (const text of child.stdout.pipeThrough(new TextDecoderStream())) {
    seen += text;
    if (pressed || !QUESTION.test(seen)) continue;
    pressed = true;
    await writer.write(new TextEncoder().encode(keys));
  }
  await writer.close();
  const { code } = await child.status;
  return { code, seen, pressed };
}

skippable(
  "setup and login ask at a terminal for a token that is not to be found",
  OPTIONS,
  async (t) => {
    await using folder = await tempDir();
    const home = folder.path;
    await install(home);
    const terminal = new Terminal(home);
    await using _server = await terminal.start(`${PROGRAM} serve --port 0`, /admin.*\n/);
    const admin = `--url ${URL_OF_SERVER} --token-file .cache/vitte-remote-cache/admin.token`;
    await terminal.type(`${PROGRAM} token create ci --allow read,write ${admin} > ci.token`);
    const token = (await Deno.readTextFile(`${home}/ci.token`)).trim();
    const setup = `${PROGRAM} setup gradle --write --url ${URL_OF_SERVER}`;
    const script = `${home}/.gradle/init.d/vitte-remote-cache.gradle`;

    await t.step("Ctrl-C ends it with 130, and what is typed next is seen again", async () => {
      const words = `trap : INT; ${ELSEWHERE}; ${setup}; echo "ended with $?"; stty -a`;
      const { seen, pressed } = await atTerminal(terminal, words, "vrc_half\x03");
      assert.ok(pressed, seen);
      assert.match(seen, /ended with 130\r/);
      assert.match(seen, /\sicanon\s/);
      assert.match(seen, /\secho\s/);
      assert.ok(!seen.includes("vrc_half"), seen);
      await assert.rejects(Deno.stat(script), Deno.errors.NotFound);
    });
    await t.step("nothing but Enter is no token: the way to get one is told", async () => {
      const { code, seen } = await atTerminal(terminal, `${ELSEWHERE}; ${setup}`, "\n");
      assert.equal(code, 1);
      assert.match(seen, /hint: .*token create NAME/);
    });
    await t.step("a token is taken and not shown", async () => {
      const { code, seen } = await atTerminal(terminal, `${ELSEWHERE}; ${setup}`, `${token}\n`);
      assert.equal(code, 0, seen);
      assert.match(seen, /vitte-remote-cache\.gradle written/);
      assert.ok(!seen.includes(token), seen);
      assert.ok((await Deno.readTextFile(script)).includes(token));
    });
    await t.step("login takes one as well, and then setup does not ask", async () => {
      const words = `${ELSEWHERE}; ${PROGRAM} login ${URL_OF_SERVER}`;
      const { code, seen } = await atTerminal(terminal, words, `${token}\n`);
      assert.equal(code, 0, seen);
      assert.ok(!seen.includes(token), seen);
      const again = await atTerminal(terminal, `${ELSEWHERE}; ${setup}`, "");
      assert.equal(again.code, 0, again.seen);
      assert.equal(again.pressed, false);
      assert.match(again.seen, /vitte-remote-cache\.gradle unchanged/);
    });
  },
);
