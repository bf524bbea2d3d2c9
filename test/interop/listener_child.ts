/** A server in a process of its own, for tests that starve it: tells its port and events as JSON. */
import { listen } from "../../server/listener/listen.ts";
import { openKernel } from "../../server/listener/kernel.ts";
import type { ListenOptions } from "../../server/listener/listen.ts";

/** What a test may ask of it. */
export interface ChildOptions extends Pick<ListenOptions, "headerTimeoutMs" | "sweepMs"> {
  /** `false`: as on a machine where the C library can not be called. */
  readonly libc?: boolean;
}

const say = (value: unknown) => console.log(JSON.stringify(value));

if (import.meta.main) {
  const { libc, ...options }: ChildOptions = JSON.parse(Deno.args[0] ?? "{}");
  const kernel = libc === false ? openKernel({ libc }) : undefined;
  const listener = await listen(() => new Response("hello"), {
    hostname: "127.0.0.1",
    port: 0,
    ...options,
    kernel,
    onEvent: (event) => {
      const error = "error" in event ? { error: event.error.message } : {};
      say({ ...event, ...error });
    },
  });
  say({ type: "ready", port: listener.addr.port });
  Deno.addSignalListener("SIGTERM", () => void listener.shutdown(1_000).then(() => Deno.exit(0)));
}
