import assert from "node:assert/strict";
import { hostText, parseSockets, plainHost } from "./proc_net.ts";

const HEAD =
  "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n";

function line(local: string, remote: string, state: string, inode: number, unread = "00000000") {
  return `   0: ${local} ${remote} ${state} 00000000:${unread} 00:00000000 00000000  1000        0 ${inode} 1 0000000000000000 20 4 30 10 -1\n`;
}

Deno.test("parseSockets() finds the accepted, established connections to the port", () => {
  const text = HEAD +
    line("0100007F:1F90", "00000000:0000", "0A", 11) + // the listener
    line("0100007F:1F90", "0200007F:C350", "01", 12) +
    line("0100007F:1F90", "0300007F:C351", "01", 0) + // not accepted yet
    line("0100007F:1F90", "0300007F:C352", "08", 13) + // the other side has left
    line("0100007F:C350", "0100007F:1F90", "01", 14) + // our own client's side
    line("0100007F:C354", "0100007F:1F90", "01", 16, "00000010") + // with bytes to read
    line("0100007F:1F91", "0300007F:C353", "01", 15);
  const found = parseSockets(text, { hostname: "127.0.0.1", port: 8080 });
  assert.deepEqual(found, {
    connections: [{ host: "127.0.0.2", port: 50000, inode: 12 }],
    listening: [11],
  });
});

Deno.test("parseSockets() leaves another address with the same port alone", () => {
  const text = HEAD + line("0100007F:1F90", "0200007F:C350", "01", 12);
  assert.equal(parseSockets(text, { hostname: "10.0.0.1", port: 8080 }).connections.length, 0);
  for (const hostname of ["0.0.0.0", "::", "localhost", "127.0.0.1"]) {
    assert.equal(parseSockets(text, { hostname, port: 8080 }).connections.length, 1, hostname);
  }
});

Deno.test("hostText() writes addresses as the runtime does", () => {
  const cases: [string, string][] = [
    ["0100007F", "127.0.0.1"],
    ["00000000000000000000000001000000", "::1"],
    ["00000000000000000000000000000000", "::"],
    ["0000000000000000FFFF00000100007F", "127.0.0.1"],
    ["B80D0120000000000000000001000000", "2001:db8::1"],
    ["B80D0120000001000000000001000000", "2001:db8:1::1"],
    ["B80D0120010000000100000001000200", "2001:db8:0:1:0:1:2:1"],
    ["000080FE00000000FF005450B7A6A6FE", "fe80::5054:ff:fea6:a6b7"],
  ];
  for (const [hex, text] of cases) assert.equal(hostText(hex), text);
});

Deno.test("plainHost() turns a mapped IPv4 address into a dotted one and nothing else", () => {
  assert.equal(plainHost("::ffff:10.0.0.1"), "10.0.0.1");
  assert.equal(plainHost("::ffff:a:b"), "::ffff:a:b");
  assert.equal(plainHost("::1"), "::1");
});

Deno.test("parseSockets() agrees with the runtime about a real connection", async () => {
  if (Deno.build.os !== "linux") return;
  for (const hostname of ["127.0.0.1", "::1"]) {
    let server: Deno.TcpListener;
    try {
      server = Deno.listen({ hostname, port: 0 });
    } catch (error) {
      if (error instanceof Deno.errors.AddrNotAvailable) continue; // no IPv6 on this machine
      throw error;
    }
    using client = await Deno.connect({ hostname, port: server.addr.port });
    using accepted = await server.accept();
    const table = hostname.includes(":") ? "tcp6" : "tcp";
    const text = Deno.readTextFileSync(`/proc/self/net/${table}`);
    const found = parseSockets(text, { hostname, port: server.addr.port });
    const { hostname: host, port } = accepted.remoteAddr;
    assert.equal(found.listening.length, 1);
    assert.deepEqual(found.connections.map((one) => [one.host, one.port]), [[host, port]]);
    assert.equal(port, client.localAddr.port);
    server.close();
  }
});
