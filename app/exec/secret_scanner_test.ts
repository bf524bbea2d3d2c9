import assert from "node:assert/strict";
import { Secret } from "../../core/secret.ts";
import { isSearchable, SecretSearch } from "./secret_scanner.ts";

const TOKEN = `vrc_0123456789abcdef_${"A".repeat(43)}_${"Q".repeat(43)}`;
const secret = (name: string, value: string) => ({ name, value: new Secret(value) });
const utf8 = new TextEncoder();

/** Cuts a text into parts of this many bytes and searches them. */
function scan(search: SecretSearch, text: string, size: number): string | undefined {
  const bytes = utf8.encode(text);
  const scanner = search.scanner();
  const part = new Uint8Array(size);
  for (let at = 0; at < bytes.length; at += size) {
    const cut = bytes.subarray(at, at + size);
    // One buffer for all parts, as a reader of files has it.
    part.set(cut);
    scanner.push(part.subarray(0, cut.length));
  }
  return scanner.found;
}

Deno.test("SecretScanner finds a value and a token wherever the parts are cut", () => {
  const search = new SecretSearch([secret("API_KEY", "schön-geheim")]);
  for (let size = 1; size <= 260; size++) {
    const before = "x".repeat(97);
    assert.equal(scan(search, `${before}schön-geheim${before}`, size), "API_KEY", `${size}`);
    assert.equal(scan(search, `${before}${TOKEN}${before}`, size), "a token", `${size}`);
    assert.equal(scan(search, `${before}schön-geheiM${before}`, size), undefined, `${size}`);
  }
});

Deno.test("SecretScanner takes a token by its shape only, and finds one behind a false start", () => {
  const search = new SecretSearch([]);
  assert.equal(scan(search, `vrc_vrc_${TOKEN.slice(0, -1)} ${TOKEN}`, 50), "a token");
  assert.equal(scan(search, `${TOKEN.slice(0, -1)} vrc_0123`, 50), undefined);
});

Deno.test("SecretSearch does not search for what is too short", () => {
  const search = new SecretSearch([secret("PIN", "1234"), secret("EMPTY", "")]);
  assert.equal(search.in("1234"), undefined);
});

Deno.test("SecretSearch looks into texts such as names of files", () => {
  const search = new SecretSearch([secret("KEY", "hunter2-hunter2")]);
  assert.equal(search.in("out/hunter2-hunter2.txt"), "KEY");
  assert.equal(search.in("out/file"), undefined);
});

Deno.test("SecretSearch finds a value without the line's end that it was pasted with", () => {
  const search = new SecretSearch([{ name: "KEY", value: new Secret(" hunter2-hunter2\n") }]);
  assert.equal(search.in("key=hunter2-hunter2;"), "KEY");
  assert.ok(!isSearchable({ name: "KEY", value: new Secret("short\n\n\n") }));
});
