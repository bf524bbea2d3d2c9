/** The demo's server: `serve` in a process of its own, as a user starts it. */

/** A running server. Disposing it stops it gracefully. */
export interface DemoServer extends AsyncDisposable {
  readonly url: string;
  readonly token: string;
}

/** A path relative to this folder, as a user would type it. */
export function fromHere(relative: string): string {
  return decodeURIComponent(new URL(relative, import.meta.url).pathname);
}

/** Starts it and waits until it listens. */
export async function startServe(dir: string): Promise<DemoServer> {
  const config = fromHere("../deno.json");
  const child = new Deno.Command(Deno.execPath(), {
    args: [
      "run",
      "-A",
      "--v8-flags=--max-semi-space-size=1",
      "--config",
      config,
      fromHere("../cli.ts"),
    ].concat(
      ["serve", "--port", "0", "--json", "--dir", dir],
    ),
    stdin: "null",
    stdout: "piped",
    stderr: "inherit",
  }).spawn();
  const reader = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
  let line = "";
  while (!line.includes("\n")) {
    const { done, value } = await reader.read();
    if (done) throw new Error("the server ended before it listened");
    line += value;
  }
  const { url, admin_token_file } = JSON.parse(line);
  const token = (await Deno.readTextFile(admin_token_file)).trim();
  return {
    url,
    token,
    async [Symbol.asyncDispose]() {
      child.kill("SIGTERM");
      while (!(await reader.read()).done);
      const { code } = await child.status;
      console.log(`\nServer stopped (exit ${code}).`);
    },
  };
}
