/** argv → command → exit code; the only file that ends the process. */
import { systemEnvironment } from "./app/environment.ts";
import { main } from "./app/main.ts";

if (import.meta.main) {
  using environment = systemEnvironment();
  const code = await main(environment);
  Deno.exit(code);
}
