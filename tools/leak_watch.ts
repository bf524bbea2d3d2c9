/**
 * Preloaded by the test steps: after each test nothing may be open that was not open before it. The
 * sanitizers of `deno test` know nothing of descriptors that `node:fs` and SQLite opened.
 */
import { watchLeaks } from "../test/helpers/leaks.ts";
import { liveFolders } from "../test/helpers/temp.ts";

// Elsewhere nobody tells which descriptors are open.
if (Deno.build.os === "linux") {
  let [afterOne, afterAll] = [() => Promise.resolve(), () => Promise.resolve()];
  Deno.test.beforeAll(() => {
    afterAll = watchLeaks();
  });
  Deno.test.beforeEach(() => {
    // A folder that is there before a test is one that the tests of a file share.
    afterOne = watchLeaks(liveFolders());
  });
  Deno.test.afterEach(() => afterOne());
  // Hooks that come first are the last ones here: what a file shares is closed by now.
  Deno.test.afterAll(() => afterAll());
}
