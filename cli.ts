/** argv → command → exit code; the only file that ends the process. */
import { systemEnvironment } from "./app/environment.ts";
import { greetGo } from "./app/gocache/greeting.ts";
import { WRAPPERS } from "./app/run_program.ts";

if (import.meta.main) {
  using environment = systemEnvironment();
  await greetGo(environment);
  const main = WRAPPERS.has(environment.args[0] ?? "")
    ? (await import("./app/main_of_wrappers.ts")).mainOfWrappers
    : (await import("./app/main.ts")).main;
  const code = await main(environment);
  Deno.exit(code);
}
