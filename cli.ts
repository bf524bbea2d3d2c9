/** argv → command → exit code; the only file that ends the process. */
import { systemEnvironment } from "./app/environment.ts";
import { greetGo } from "./app/gocache/greeting.ts";

if (import.meta.main) {
  using environment = systemEnvironment();
  await greetGo(environment);
  const { main } = await import("./app/main.ts");
  const code = await main(environment);
  Deno.exit(code);
}
