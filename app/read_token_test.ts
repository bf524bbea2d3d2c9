import assert from "node:assert/strict";
import { isKind } from "../core/errors.ts";
import { fakeEnvironment } from "../test/helpers/fake_environment.ts";
import { tempDir } from "../test/helpers/temp.ts";
import { readToken } from "./read_token.ts";

const env = { VITTE_TOKEN: " from-the-environment\n" };

Deno.test("readToken prefers the named file, and trims the line's end", async () => {
  await using dir = await tempDir();
  await Deno.writeTextFile(dir.join("t"), "from-a-file\r\n");
  assert.equal(await readToken(fakeEnvironment({ env }), dir.join("t")), "from-a-file");
  assert.equal(await readToken(fakeEnvironment({ env }), undefined), "from-the-environment");
});

Deno.test("readToken gives none where none is named, or only blanks", async () => {
  assert.equal(await readToken(fakeEnvironment(), undefined), undefined);
  for (const blank of ["", " \n"]) {
    const environment = fakeEnvironment({ env: { VITTE_TOKEN: blank } });
    assert.equal(await readToken(environment, undefined), undefined);
  }
});

Deno.test("readToken refuses a bad file with its name, never falls back, never shows the token", async () => {
  await using dir = await tempDir();
  const refused = async (path: string) => {
    await assert.rejects(
      readToken(fakeEnvironment({ env }), path),
      (error) =>
        isKind(error, "invalid_argument") && error.message.includes(path) &&
        !`${error.message}${error.hint}`.includes("s3cret"),
    );
  };
  await refused(dir.join("nowhere"));
  await refused(dir.path);
  for (const text of ["", "\n \n", "s3cret one", "s3cret\ns3cret2", "s3cret\t2"]) {
    await Deno.writeTextFile(dir.join("bad"), text);
    await refused(dir.join("bad"));
  }
});
