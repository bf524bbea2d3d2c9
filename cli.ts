/** argv → command → exit code; the only file that ends the process. */
import { systemEnvironment } from "./app/environment.ts";
import { greetGo } from "./app/gocache/greeting.ts";
import { mainOfOne } from "./app/one_command.ts";

if (import.meta.main) {
  using environment = systemEnvironment();
  await greetGo(environment);
  const code = await mainOfOne(environment) ??
    await (await import("./app/main.ts")).main(environment);
  Deno.exit(code);
}
