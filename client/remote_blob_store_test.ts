/** The far blob store passes the suite of the near one: client, protocol and server at one blow. */
import { systemClock } from "../core/clock.ts";
import type { Principal } from "../core/policy.ts";
import { createCasStore } from "../store/cas/cas_store.ts";
import { MemoryChunkStore } from "../store/cas/memory_chunks.ts";
import { Blocks } from "../store/cas/blocks.ts";
import { Presence } from "../store/cas/presence.ts";
import { createHandlerFixture, REMOTE } from "../test/helpers/http_fixture.ts";
import { createMemoryCache } from "../test/helpers/memory_cache.ts";
import { blobStoreSuite } from "../test/suites/blob_store.ts";
import { connectCache } from "./connect.ts";

/** Looks again this often for what a cancelled upload leaves: the server hears of it a little later. */
const LOOKS = 50;
const WAIT_MS = 10;

const ADMIN: Principal = {
  id: "0123456789abcdef",
  name: "admin",
  verbs: ["admin"],
  namespaces: ["*"],
  scope: "main",
  readScopes: ["main"],
  expires: undefined,
};

blobStoreSuite("a server on a port", async () => {
  const port = new MemoryChunkStore();
  const presence = new Presence(port);
  const blocks = new Blocks({ losses: () => port.losses() });
  const blobs = (namespace: string) =>
    createCasStore({
      namespace,
      chunks: port,
      port,
      presence,
      blocks,
      visibility: port,
      maxBlobSize: 2 ** 30,
    });
  const { handler } = createHandlerFixture({
    cache: { ...createMemoryCache(), blobs } as ReturnType<typeof createMemoryCache>,
    clock: systemClock,
    authenticate: () => ({ principal: ADMIN }),
    allowsHost: () => true,
  });
  const server = Deno.serve(
    { port: 0, hostname: "127.0.0.1", onListen() {} },
    (request) => handler(request, REMOTE),
  );
  const cache = connectCache({ url: `http://127.0.0.1:${server.addr.port}` });
  return {
    store: (namespace) => cache.blobs(namespace),
    async leftovers() {
      for (let look = 0; look < LOOKS && port.leftovers().length > 0; look++) {
        await new Promise((resolve) => setTimeout(resolve, WAIT_MS));
      }
      return port.leftovers();
    },
    mostOutstanding: () => port.mostOutstanding,
    async [Symbol.asyncDispose]() {
      await cache[Symbol.asyncDispose]();
      await server.shutdown();
    },
  };
}, {
  lists: false,
  abortsToTheEnd: false,
  strictRanges: false,
});
