import assert from "node:assert/strict";
import { seededRandom } from "../helpers/random.ts";
import { DiskModel } from "./disk_model.ts";
import type { Call, CallName } from "./record.ts";

const random = seededRandom("VITTE_DISK_SEED");
const text = new TextEncoder();

/** A call on the file or folder `ino`. */
function call(name: CallName, ino: number, more: Partial<Call> & { text?: string } = {}): Call {
  const data = text.encode(more.text ?? "");
  return { name, ino, offset: 0, path: "", other: "", data, at: 0, ...more };
}

const FOLDER = 1;
const open = call("open", FOLDER);
const make = call("create", 2, { path: "a" });

function shown(model: DiskModel, always?: "nothing" | "everything"): Record<string, string> {
  const left = [...model.cut(random, always)];
  return Object.fromEntries(left.map(([path, content]) => [
    path,
    content === "folder" ? "folder" : new TextDecoder().decode(content),
  ]));
}

function after(...calls: Call[]): DiskModel {
  const model = new DiskModel();
  for (const one of calls) model.apply(one);
  return model;
}

Deno.test("DiskModel: bytes survive for sure once their file and its name were synced", () => {
  const write = call("write", 2, { text: "hello" });
  const [bytes, name] = [call("sync", 2), call("sync", FOLDER)];
  assert.deepEqual(shown(after(open, make, write), "everything"), { a: "hello" });
  assert.deepEqual(shown(after(open, make, write), "nothing"), {});
  assert.deepEqual(shown(after(open, make, write, bytes), "nothing"), {}, "its name was not");
  assert.deepEqual(
    shown(after(open, make, write, name), "nothing"),
    { a: "" },
    "its bytes were not",
  );
  const model = after(
    open,
    make,
    write,
    bytes,
    name,
    call("write", 2, { offset: 5, text: " world" }),
  );
  assert.deepEqual(shown(model, "nothing"), { a: "hello" });
  for (let n = 0; n < 100; n++) assert.match(shown(model)["a"]!, /^hello[ world\0]*$/);
});

Deno.test("DiskModel: of a write that was not synced any sectors may be there, and no others", () => {
  const model = after(
    open,
    make,
    call("sync", FOLDER),
    call("write", 2, { text: "x".repeat(2048) }),
  );
  const seen = new Set<string>();
  for (let n = 0; n < 400; n++) {
    const { a } = shown(model);
    assert.match(a!, /^(x{512}|\0{512})*$/);
    seen.add(a!.replaceAll(/x{512}/g, "x").replaceAll(/\0{512}/g, "-"));
  }
  for (const want of ["", "xxxx", "-x", "x-x", "xx"]) assert.ok(seen.has(want), want);
});

Deno.test("DiskModel: a name is old or new over a rename, and back if its end was not synced", () => {
  const base = [
    open,
    make,
    call("write", 2, { text: "old" }),
    call("sync", 2),
    call("sync", FOLDER),
  ];
  const rename = call("rename", 2, { path: "a", other: "b" });
  const model = after(...base, rename);
  for (let n = 0; n < 50; n++) assert.match(Object.keys(shown(model)).join(), /^[ab]$/);
  assert.deepEqual(shown(after(...base, rename, call("sync", FOLDER)), "nothing"), { b: "old" });
  const removed = after(...base, call("unlink", 0, { path: "a" }));
  assert.deepEqual(shown(removed, "nothing"), { a: "old" });
  assert.deepEqual(shown(removed, "everything"), {});
});
