/** Reads all that it is told of, again and again, and keeps what goes wrong. */
import { Counters } from "../../core/counters.ts";
import type { Bytes } from "../../core/digest.ts";
import { sha256, toHex } from "../../core/digest.ts";
import { openFsStore } from "../../store/fs/fs_store.ts";
import { openPackReader } from "../../store/pack/reader.ts";
import type { PackReader } from "../../store/pack/reader.ts";

interface Message {
  readonly dir?: string;
  readonly counters?: SharedArrayBuffer;
  readonly ids?: readonly Bytes[];
  readonly stop?: boolean;
}

const worker = self as unknown as {
  onmessage: ((event: MessageEvent<Message>) => void) | null;
  postMessage(message: unknown): void;
};
const ids: Bytes[] = [];
const problems: string[] = [];
let reads = 0;
let stopped = false;

async function run(reader: PackReader): Promise<void> {
  while (!stopped || reads < ids.length) {
    for (let n = 0; n < 50 && ids.length > 0; n++) {
      const id = ids[reads++ % ids.length]!;
      const body = await reader.read("chunk", id);
      if (!body) problems.push(`miss of ${toHex(id)}`);
      else if (toHex(sha256(body)) !== toHex(id)) problems.push(`wrong bytes for ${toHex(id)}`);
      // Files are opened anew, so that the look-up meets what the writer does meanwhile.
      reader.retire(Array.from({ length: 2000 }, (_, i) => i));
    }
    await new Promise((resolve) => setTimeout(resolve, 0));
  }
  await reader[Symbol.asyncDispose]();
  worker.postMessage({ type: "done", reads, problems });
}

worker.onmessage = async ({ data }) => {
  if (data.ids) ids.push(...data.ids);
  if (data.stop) stopped = true;
  if (data.dir === undefined) return;
  const reader = openPackReader({
    store: { dir: data.dir },
    objects: await openFsStore(`${data.dir}/objects`),
    counters: new Counters(data.counters),
    onDamage: ({ segment, offset }) => problems.push(`damage at ${segment}:${offset}`),
  });
  worker.postMessage({ type: "ready" });
  void run(reader).catch((error) =>
    worker.postMessage({ type: "done", reads, problems: [String(error)] })
  );
};
