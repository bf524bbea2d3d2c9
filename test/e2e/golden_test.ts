/**
 * Sessions of the command line, word for word: what it prints, where, and how it ends.
 *
 * A case is a folder `test/golden/cli/<case>` with a `session.txt`. Lines that begin with `$ ` are
 * commands and are run in order; everything below one is what it printed (`1> ` standard output,
 * `2> ` standard error) and its exit code. `VITTE_UPDATE_GOLDEN=1` writes it anew from the commands.
 * In commands `$TMP` is a folder of the case's own; `NAME=value` in front sets a variable, `CWD=` the
 * working folder of one command, `cd FOLDER` that of all that follow; `write FILE TEXT`, `damage FOLDER
 * TEXT`, `hold FOLDER`, `stdin TEXT`, `link FILE TARGET` and `chmod MODE FILE` prepare what comes next.
 * `server` starts one, whose address is `$URL` and whose administrator's token `$TOKEN`.
 */
import assert from "node:assert/strict";
import { buildProgram, main } from "../../app/main.ts";
import type { Command } from "commander";
import { fakeEnvironment } from "../helpers/fake_environment.ts";
import { lockFolder } from "../../app/lock.ts";
import { fromFileUrl } from "../helpers/paths.ts";
import { tempDir } from "../helpers/temp.ts";
import { startTokenServer } from "../helpers/token_server.ts";
import type { TokenServer } from "../helpers/token_server.ts";

const CASES = fromFileUrl("../golden/cli");
const UPDATE = Deno.env.get("VITTE_UPDATE_GOLDEN") === "1";

/** What differs from run to run; everything else is compared as it is. */
const MASKS: readonly (readonly [RegExp, string])[] = [
  [/vrc_[0-9a-f]{16}_[\w-]{43}_[\w-]{43}/g, "<token>"],
  [/"id":"[0-9a-f]{16}"/g, '"id":"<id>"'],
  [/(?<=[ (])[0-9a-f]{16}(?=[ ,])/g, "<sixteen digits>"],
  [/"hlc":"\d+","device":"[0-9a-f]{16}","value_hash":"[0-9a-f]{64}"/g, '"hlc":"<n>"'],
  [/[\d.]+ [KMGT]iB of [\d.]+ [KMGT]iB are free/g, "<size> of <size> are free"],
  [/"disk_bytes":\d+/g, '"disk_bytes":<n>'],
  [/"max_bytes":\d+/g, '"max_bytes":<n>'],
  [/"key":"[0-9a-f]{64}"/g, '"key":"<key>"'],
  [/(?<="result":"ran",|"stored":true,)"cost":\d+/g, '"cost":<ms>'],
  [/process \d+ has it open/g, "process <pid> has it open"],
  [/"ms":\d+/g, '"ms":<n>'],
  [/1,000 bytes in \d+ ms/g, "1,000 bytes in <n> ms"],
  [/port \d+ answers in/g, "port <port> answers in"],
  [/\d+ d behind the server's/g, "<n> d behind the server's"],
];

class Session {
  readonly #tmp: string;
  readonly #held: Disposable[] = [];
  #server: TokenServer | undefined;
  #stdin = "";
  #cwd: string | undefined;

  constructor(tmp: string) {
    this.#tmp = tmp;
  }
  /** Runs one line; tells the lines it printed. */
  async run(line: string): Promise<string[]> {
    const words = splitWords(line).map((word) =>
      word.replaceAll("$TMP", this.#tmp).replaceAll("$URL", () => this.#server!.url)
        .replaceAll("$TOKEN", () => this.#server!.adminToken)
    );
    const env: Record<string, string> = {};
    while (/^[A-Z_]+=/.test(words[0] ?? "")) {
      const word = words.shift()!;
      const at = word.indexOf("=");
      env[word.slice(0, at)] = word.slice(at + 1);
    }
    const [name, ...args] = words;
    switch (name) {
      case "vitte-remote-cache":
        return await this.#command(args, env);
      case "write":
        await Deno.mkdir(args[0]!.replace(/\/[^/]*$/, ""), { recursive: true });
        await Deno.writeTextFile(args[0]!, args[1]!.replaceAll("\\n", "\n"));
        return [];
      case "damage":
        assert.equal(await damage(args[0]!, args[1]!), 1, "one place is damaged");
        return [];
      case "hold":
        this.#held.push(await lockFolder(args[0]!, `linux process ${Deno.pid}`));
        return [];
      case "server":
        await Deno.mkdir(`${this.#tmp}/server`);
        this.#server = await startTokenServer(`${this.#tmp}/server`);
        return [];
      case "stdin":
        this.#stdin = args[0]!.replaceAll("\\n", "\n");
        return [];
      case "cd":
        this.#cwd = args[0]!;
        return [];
      case "link":
        await Deno.symlink(args[1]!, args[0]!);
        return [];
      case "chmod":
        await Deno.chmod(args[1]!, parseInt(args[0]!, 8));
        return [];
      default:
        throw new Error(`no such step: ${line}`);
    }
  }
  async release(): Promise<void> {
    for (const lock of this.#held) lock[Symbol.dispose]();
    await this.#server?.[Symbol.asyncDispose]();
  }

  async #command(args: string[], env: Record<string, string>): Promise<string[]> {
    const interrupted = new AbortController();
    if (env["INTERRUPTED"]) interrupted.abort(new DOMException("SIGINT", "AbortError"));
    const cwd = env["CWD"] ?? this.#cwd;
    const environment = fakeEnvironment({
      args,
      env,
      stdin: this.#stdin,
      ...(cwd === undefined ? {} : { cwd }),
      interrupted: interrupted.signal,
    });
    const code = await main(environment);
    return [
      ...this.#printed("1>", environment.out),
      ...this.#printed("2>", environment.err),
      `exit ${code}`,
    ];
  }
  /** The text with the session's own names for what differs. */
  #named(text: string): string {
    const { url } = this.#server ?? {};
    const inner = text.replaceAll(this.#tmp, "$TMP");
    if (url === undefined) return inner;
    return inner.replaceAll(url, "$URL").replaceAll(encodeURIComponent(url), "<address>");
  }
  #printed(mark: string, text: string): string[] {
    if (text === "") return [];
    const masked = MASKS.reduce(
      (done, [pattern, mask]) => done.replace(pattern, mask),
      this.#named(text),
    );
    const lines = masked.split("\n");
    const ended = lines.at(-1) === "";
    if (ended) lines.pop();
    else lines.push("(no line end)");
    return lines.map((line) => `${mark} ${line}`.trimEnd());
  }
}

/** Words as a shell cuts them, with '...' for blanks. */
function splitWords(line: string): string[] {
  return [...line.matchAll(/((?:[^\s']|'[^']*')+)/g)].map(([word]) => word.replaceAll("'", ""));
}

/** Turns one byte over in the text, wherever a segment in this folder has it. */
async function damage(folder: string, text: string): Promise<number> {
  const wanted = new TextEncoder().encode(text);
  let places = 0;
  for await (const { name } of Deno.readDir(`${folder}/active`)) {
    const bytes = await Deno.readFile(`${folder}/active/${name}`);
    const at = bytes.findIndex((_, n) => wanted.every((byte, i) => bytes[n + i] === byte));
    if (at < 0) continue;
    bytes[at]! ^= 0xff;
    await Deno.writeFile(`${folder}/active/${name}`, bytes);
    places++;
  }
  return places;
}

for (const { name } of [...Deno.readDirSync(CASES)].sort((a, b) => a.name < b.name ? -1 : 1)) {
  Deno.test(`command line: ${name.replaceAll("_", " ")} prints what it always did`, async () => {
    const path = `${CASES}/${name}/session.txt`;
    const wanted = await Deno.readTextFile(path);
    await using dir = await tempDir();
    const session = new Session(dir.path);
    const lines: string[] = [];
    try {
      for (const line of wanted.split("\n")) {
        if (line.startsWith("#")) lines.push(line);
        if (!line.startsWith("$ ")) continue;
        if (lines.length > 0 && !lines.at(-1)!.startsWith("#")) lines.push("");
        lines.push(line, ...await session.run(line.slice(2)));
      }
    } finally {
      await session.release();
    }
    const found = `${lines.join("\n")}\n`;
    if (UPDATE) await Deno.writeTextFile(path, found);
    assert.equal(found, UPDATE ? found : wanted);
  });
}

Deno.test("command line: every command has its help in a session", async () => {
  const text = await Deno.readTextFile(`${CASES}/help/session.txt`);
  const program = buildProgram({ environment: fakeEnvironment(), end() {} }, { print() {} });
  for (const words of commandsOf(program)) {
    assert.ok(text.includes(`$ ${[...words, "--help"].join(" ")}\n`), words.join(" "));
  }
});

Deno.test("command line: the help of every command that does something has examples", async () => {
  const text = await Deno.readTextFile(`${CASES}/help/session.txt`);
  const program = buildProgram({ environment: fakeEnvironment(), end() {} }, { print() {} });
  for (const words of commandsOf(program)) {
    const line = `$ ${[...words, "--help"].join(" ")}\n`;
    const help = text.slice(text.indexOf(line) + line.length).split("\nexit ")[0]!;
    assert.ok(help.includes("Examples:") || help.includes("Commands:"), words.join(" "));
  }
});

function commandsOf(command: Command, before: readonly string[] = []): string[][] {
  const own = [...before, command.name()];
  return [own, ...command.commands.flatMap((child) => commandsOf(child, own))];
}
