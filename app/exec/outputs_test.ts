import assert from "node:assert/strict";
import { systemClock } from "../../core/clock.ts";
import { Secret } from "../../core/secret.ts";
import { tempDir } from "../../test/helpers/temp.ts";
import { OutputWatch } from "./outputs.ts";
import { SecretSearch } from "./secret_scanner.ts";

const signal = new AbortController().signal;

/** Takes a file away while the outputs are looked at, as a process that was left behind may. */
class Remover extends SecretSearch {
  readonly #path: string;
  constructor(path: string) {
    super([{ name: "KEY", value: new Secret("hunter2-hunter2") }]);
    this.#path = path;
  }
  override in(bytes: Uint8Array | string): string | undefined {
    Deno.removeSync(this.#path);
    return super.in(bytes);
  }
}

Deno.test("an output that goes away while it is looked at is a reason, and no failure", async () => {
  await using dir = await tempDir();
  const path = dir.join("out");
  const watch = await OutputWatch.begin([path], { clock: systemClock, signal });
  Deno.writeTextFileSync(path, "x");
  const { problem } = watch.end(new Remover(path));
  assert.match(problem ?? "", /^its outputs can not be looked at: ENOENT/);
});

Deno.test("outputs that can not be looked at before a run are a reason not to store it", async () => {
  const watch = await OutputWatch.begin([`/${"x".repeat(300)}`], { clock: systemClock, signal });
  const { problem } = watch.end(new SecretSearch([]));
  assert.match(problem ?? "", /^its outputs can not be looked at: ENAMETOOLONG/);
});
