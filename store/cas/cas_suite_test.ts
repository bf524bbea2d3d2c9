import { blobStoreSuite } from "../../test/suites/blob_store.ts";
import type { BlobStoreSubject } from "../../test/suites/blob_store.ts";
import { createCasStore } from "./cas_store.ts";
import { MemoryChunkStore } from "./memory_chunks.ts";
import { Blocks } from "./blocks.ts";
import { Presence } from "./presence.ts";
import { singleFlight } from "./single_flight.ts";

async function open(far: boolean, verifyReads: boolean): Promise<BlobStoreSubject> {
  const port = new MemoryChunkStore();
  const chunks = far ? singleFlight(port) : port;
  const presence = new Presence(chunks);
  const blocks = new Blocks({ losses: () => chunks.losses() });
  return {
    store: (namespace) =>
      createCasStore({
        namespace,
        chunks,
        port,
        presence,
        blocks,
        visibility: port,
        maxBlobSize: 2 ** 30,
        verifyReads,
      }),
    leftovers: async () => port.leftovers(),
    storedBytes: () => port.size,
    mostOutstanding: () => port.mostOutstanding,
    [Symbol.asyncDispose]: () => port[Symbol.asyncDispose](),
  };
}

blobStoreSuite("chunks in memory", () => open(false, false));
blobStoreSuite("chunks in memory, verified, joined reads", () => open(true, true));
