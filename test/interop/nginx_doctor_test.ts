/** `doctor` behind a real nginx: as people set it up first, and as its hints say. */
import assert from "node:assert/strict";
import type { Finding } from "../../app/doctor/finding.ts";
import { runCli, startServer } from "../helpers/real_server.ts";
import { needProgram, skippable } from "../helpers/skip.ts";
import { tempDir } from "../helpers/temp.ts";

/** What everybody writes first. */
const FIRST = "proxy_pass $UPSTREAM;";
/** Each hint of doctor followed. */
const FOLLOWED = `proxy_pass $UPSTREAM;
      proxy_http_version 1.1;
      proxy_set_header Host $http_host;
      proxy_set_header Upgrade $http_upgrade;
      proxy_set_header Connection "upgrade";
      client_max_body_size 0;`;

function config(dir: string, port: number, location: string): string {
  return `daemon off;
user ${Deno.uid() === 0 ? "root" : "nobody"};
pid ${dir}/pid;
error_log ${dir}/error.log;
worker_processes 1;
events { worker_connections 64; }
http {
  access_log off;
  client_body_temp_path ${dir}/body;
  proxy_temp_path ${dir}/proxy;
  fastcgi_temp_path ${dir}/fastcgi;
  uwsgi_temp_path ${dir}/uwsgi;
  scgi_temp_path ${dir}/scgi;
  server {
    listen 127.0.0.1:${port};
    location / {
      ${location}
    }
  }
}
`;
}

interface Proxy extends AsyncDisposable {
  readonly url: string;
}

async function startNginx(dir: string, upstream: string, location: string): Promise<Proxy> {
  const free = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = free.addr;
  free.close();
  await Deno.mkdir(dir);
  const path = `${dir}/nginx.conf`;
  await Deno.writeTextFile(path, config(dir, port, location.replace("$UPSTREAM", upstream)));
  const PATH = `${Deno.env.get("PATH")}:/usr/sbin`;
  const child = new Deno.Command("nginx", {
    args: ["-c", path, "-p", dir],
    env: { PATH },
    stdin: "null",
    stdout: "null",
    stderr: "null",
  }).spawn();
  await listening(port);
  return {
    url: `http://127.0.0.1:${port}`,
    async [Symbol.asyncDispose]() {
      child.kill("SIGTERM");
      await child.status;
    },
  };
}

async function listening(port: number): Promise<void> {
  for (let tries = 0; tries < 500; tries++) {
    try {
      return (await Deno.connect({ hostname: "127.0.0.1", port })).close();
    } catch (thrown) {
      if (!(thrown instanceof Deno.errors.ConnectionRefused)) throw thrown;
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }
  throw new Error("nginx did not listen in time");
}

const need = async () => {
  const reason = await needProgram("nginx");
  const sbin = await Deno.stat("/usr/sbin/nginx").catch(() => undefined);
  return sbin ? undefined : reason;
};

skippable(
  "doctor: nginx with nothing but proxy_pass, step by step as the hints say",
  { need },
  async (t) => {
    await using folder = await tempDir();
    await using server = await startServer(`${folder.path}/store`);
    const admin = { VITTE_TOKEN: server.adminToken };
    const made = await runCli(
      ["token", "create", "ci", "--allow", "read,write", "--url", server.url],
      { env: admin },
    );
    const env = { VITTE_TOKEN: made.stdout.trim() };
    let count = 0;
    const look = async (location: string): Promise<Finding[]> => {
      await using proxy = await startNginx(`${folder.path}/${++count}`, server.url, location);
      const { stdout } = await runCli(["doctor", "--json", "--url", proxy.url], { env });
      const findings: Finding[] = JSON.parse(stdout);
      return findings.filter(({ state }) => state !== "ok");
    };
    await t.step("the Host is lost", async () => {
      const [found, ...more] = await look(FIRST);
      assert.deepEqual(more, []);
      assert.equal(found?.check, "identity");
      assert.match(found?.hint ?? "", /proxy_set_header Host \$http_host/);
    });
    await t.step("with the Host, the limit of 1 MiB and the lost Upgrade are seen", async () => {
      const found = await look(`${FIRST}\nproxy_set_header Host $http_host;`);
      assert.deepEqual(found.map(({ check }) => check), ["32 MB there", "upgrade"]);
      assert.match(found[0]!.detail, /\(nginx.*\) refuses a body of 32 MB with 413/);
      assert.match(found[0]!.hint ?? "", /client_max_body_size 0/);
      assert.match(found[1]!.hint ?? "", /proxy_http_version 1\.1.*Upgrade.*Connection "upgrade"/);
    });
    await t.step("gzip takes the length off", async () => {
      const found = await look(`${FOLLOWED}\ngzip on; gzip_proxied any; gzip_types *;
      proxy_set_header Accept-Encoding gzip; sub_filter_once off; sub_filter zzzzzz y; sub_filter_types *;`);
      assert.deepEqual(found.map(({ check }) => check), ["32 MB back"]);
      assert.match(found[0]!.detail, /takes the length off answers/);
    });
    await t.step("every hint followed, nothing is left", async () => {
      assert.deepEqual(await look(FOLLOWED), []);
    });
  },
);
