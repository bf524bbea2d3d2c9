import assert from "node:assert/strict";
import { isDeepStrictEqual } from "node:util";
import { openKernel } from "./kernel.ts";
import { parseSockets } from "./proc_net.ts";
import type { PortSockets } from "./proc_net.ts";
import { DIAG_SYMBOLS, SockDiag } from "./sock_diag.ts";
import type { DiagCalls } from "./sock_diag.ts";

const linux = { ignore: Deno.build.os !== "linux" };

Deno.test(
  "SockDiag finds what the text of /proc says, and nothing of other ports",
  linux,
  async () => {
    const libc = Deno.dlopen("libc.so.6", { ...DIAG_SYMBOLS, close: CLOSE });
    const diag = SockDiag.open(libc.symbols);
    assert.ok(diag);
    for (const hostname of ["127.0.0.1", "0.0.0.0", "::1", "::"]) {
      using stack = new DisposableStack();
      const server = stack.use(Deno.listen({ hostname, port: 0 }));
      const other = stack.use(Deno.listen({ hostname, port: 0 }));
      const to = hostname.includes(":") ? "::1" : "127.0.0.1";
      for (let count = 0; count < 300; count++) {
        stack.use(await Deno.connect({ hostname: to, port: server.addr.port }));
        if (count < 290) stack.use(await server.accept());
      }
      stack.use(await Deno.connect({ hostname: to, port: other.addr.port }));
      stack.use(await other.accept());
      const local = { hostname, port: server.addr.port };
      const table = hostname.includes(":") ? "tcp6" : "tcp";
      const byInode = (a: { inode: number }, b: { inode: number }) => a.inode - b.inode;
      const sorted = (sockets: PortSockets | undefined): PortSockets => ({
        connections: [...sockets?.connections ?? []].sort(byInode),
        listening: sockets?.listening ?? [],
      });
      const look = (): Record<"found" | "told", PortSockets> => ({
        found: sorted(diag.sockets(local)),
        told: sorted(parseSockets(Deno.readTextFileSync(`/proc/self/net/${table}`), local)),
      });
      let both = look();
      // The kernel's table moves while it is read, by either way: other processes open and close
      // theirs. Each time both are read anew, and it is the pair that has to be right.
      const isWhole = () =>
        both.found.connections.length === 290 && isDeepStrictEqual(both.found, both.told);
      for (let n = 0; n < 50 && !isWhole(); n++) both = look();
      assert.equal(both.found.connections.length, 290, hostname);
      assert.equal(both.found.listening.length, 1);
      assert.deepEqual(both.found, both.told);
    }
    libc.symbols.close(diag.descriptor);
    libc.close();
  },
);

Deno.test("SockDiag says so when the kernel refuses or sends nonsense", () => {
  const answers: (number[] | undefined)[] = [
    undefined,
    [20, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 255, 255, 255, 255],
    [200, 0, 0, 0, 20, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0],
    [0, 0, 0, 0, 20, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0],
  ];
  for (const answer of answers) {
    const calls: DiagCalls = {
      socket: () => 3,
      send: (_socket, _bytes, length) => length,
      recv(_socket, bytes) {
        if (!answer) return -1n;
        bytes.set(answer);
        return BigInt(answer.length);
      },
    };
    assert.equal(SockDiag.open(calls)?.sockets({ hostname: "::1", port: 1 }), undefined);
    assert.equal(SockDiag.open({ ...calls, socket: () => -1 }), undefined);
  }
});

Deno.test("a kernel reads the text where it may not ask", linux, async () => {
  using kernel = openKernel({ libc: false });
  using server = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  using _client = await Deno.connect({ hostname: "127.0.0.1", port: server.addr.port });
  using _accepted = await server.accept();
  assert.equal(
    kernel?.sockets({ hostname: "127.0.0.1", port: server.addr.port }).connections.length,
    1,
  );
});

const CLOSE = { parameters: ["i32"], result: "i32" } as const;
