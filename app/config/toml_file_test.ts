import assert from "node:assert/strict";
import { run } from "../../test/helpers/real_server.ts";
import { ROOT } from "../../test/helpers/paths.ts";
import { requireOrSkip } from "../../test/helpers/skip.ts";
import { tempDir } from "../../test/helpers/temp.ts";
import { ConfigError } from "./problem.ts";
import { readTomlFile } from "./toml_file.ts";

/** The one line that is said about a file. */
async function refusal(path: string): Promise<string> {
  try {
    await readTomlFile(path);
  } catch (thrown) {
    assert.ok(thrown instanceof ConfigError, String(thrown));
    return thrown.message.replace(path, "FILE");
  }
  return "taken";
}

const PLAIN = "FILE: want a readable file of at most 64 KiB of UTF-8, found";

Deno.test("readTomlFile() says what is wrong with a file, with its place, and nothing of its text", async (t) => {
  await using dir = await tempDir();
  const bytes = (text: string) => new TextEncoder().encode(text);
  const table: Record<string, [Uint8Array, string]> = {
    "bad TOML": [bytes("a = 1\nb = s3cret\n"), "FILE:2:5: want TOML, found a syntax error:"],
    "an unclosed text": [bytes('a = "s3cret\n'), "FILE:1:12: want TOML, found a syntax error:"],
    "duplicate keys": [bytes("a = 1\na = 2\n"), "FILE:2:1: want TOML, found a syntax error:"],
    "duplicate tables": [bytes("[a]\n[a]\n"), "FILE:2:2: want TOML, found a syntax error:"],
    "nesting without end": [bytes(`a = ${"[".repeat(9000)}`), "FILE:1:"],
    "a number too large": [bytes("a = 99999999999999999999"), "FILE:1:"],
    "bytes that are not UTF-8": [new Uint8Array([97, 61, 34, 0xff, 34]), `${PLAIN} bytes that`],
    "UTF-16 with its mark": [
      new Uint8Array([0xff, 0xfe, 97, 0, 61, 0, 49, 0]),
      `${PLAIN} bytes that`,
    ],
    "control characters": [bytes("a = '\x1b[2J'"), "FILE:1:"],
    "more than 64 KiB": [bytes(`#${"x".repeat(65_536)}`), `${PLAIN} more than that`],
  };
  for (const [name, [content, wanted]] of Object.entries(table)) {
    await t.step(name, async () => {
      const path = dir.join("file.toml");
      await Deno.writeFile(path, content);
      const said = await refusal(path);
      assert.ok(said.startsWith(wanted), said);
      assert.ok(!said.includes("s3cret"), said);
    });
  }
});

Deno.test("readTomlFile() refuses what is no file at once, and finds none where there is none", async (t) => {
  await using dir = await tempDir();
  await t.step("a folder", async () => {
    assert.equal(await refusal(dir.path), `${PLAIN} a folder`);
  });
  await t.step("a loop of links", async () => {
    await Deno.symlink(dir.join("b"), dir.join("a"));
    await Deno.symlink(dir.join("a"), dir.join("b"));
    assert.equal(await refusal(dir.join("a")), `${PLAIN} a loop of links`);
  });
  await t.step("an endless device", async () => {
    await Deno.symlink("/dev/zero", dir.join("zero"));
    assert.equal(await refusal(dir.join("zero")), `${PLAIN} a device, pipe or socket`);
  });
  await t.step("a pipe that nobody writes to", async () => {
    const made = await run(["mkfifo", dir.join("pipe")]);
    assert.equal(made.code, 0, made.stderr);
    assert.equal(await refusal(dir.join("pipe")), `${PLAIN} a device, pipe or socket`);
  });
  await t.step("no file, a link to nothing, a file where a folder should be", async () => {
    await Deno.symlink(dir.join("nothing"), dir.join("dangling"));
    await Deno.writeTextFile(dir.join("plain"), "");
    for (const name of ["nobody", "dangling", "plain/config.toml"]) {
      assert.equal(await readTomlFile(dir.join(name)), undefined, name);
    }
  });
});

Deno.test("readTomlFile() takes 64 KiB, a byte order mark, and ends of lines of any system", async () => {
  await using dir = await tempDir();
  const read = async (text: string) => {
    await Deno.writeTextFile(dir.join("f"), text);
    return { ...(await readTomlFile(dir.join("f")))?.table };
  };
  assert.deepEqual(await read("\ufeffa = 1\r\nb = 2\r\n"), { a: 1, b: 2 });
  assert.deepEqual(await read(`a = 1\n#${"x".repeat(65_536 - 7)}`), { a: 1 });
  assert.deepEqual(await read(""), {});
  assert.deepEqual(Object.keys(await read("__proto__ = 1\nconstructor = 2")), [
    "__proto__",
    "constructor",
  ]);
});

/** What a process says that gives up its rights, if it has any, before it reads. */
const READER = `
const { readTomlFile } = await import(Deno.args[0]);
if (Deno.uid() === 0) {
  const { symbols } = Deno.dlopen("libc.so.6", { seteuid: { parameters: ["u32"], result: "i32" } });
  symbols.seteuid(65534);
}
try {
  await readTomlFile(Deno.args[1]);
  console.log("taken");
} catch (thrown) {
  console.log(thrown.message);
}
`;

Deno.test("readTomlFile() says so when this user may not read the file", async (t) => {
  if (!requireOrSkip(t, Deno.build.os === "linux" ? undefined : "modes are those of Linux")) return;
  await using dir = await tempDir();
  await Deno.chmod(dir.path, 0o755);
  const path = dir.join("closed.toml");
  await Deno.writeTextFile(path, "a = 1");
  await Deno.chmod(path, 0o000);
  await Deno.writeTextFile(dir.join("reader.ts"), READER);
  const module = new URL("./toml_file.ts", import.meta.url).href;
  const flags = ["run", "-A", "--no-lock", "--no-check", "--config", `${ROOT}/deno.json`];
  const { stdout, stderr } = await run([
    Deno.execPath(),
    ...flags,
    dir.join("reader.ts"),
    module,
    path,
  ]);
  assert.equal(
    stdout.replace(path, "FILE").trim(),
    `${PLAIN} one that this user may not read`,
    stderr,
  );
});
