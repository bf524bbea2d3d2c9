/**
 * The floor: what the runtime itself can do. Looks a token up in a Map, answers from memory, keeps
 * a PUT in memory; no hash, no disk. `deno run -A --unstable-net bench/floor.ts PORT TOKEN THREADS`.
 */
const inWorker = typeof (globalThis as { postMessage?: unknown }).postMessage === "function";
const SLICE = 256 * 1024;
/** A PUT with this header is told to every thread, so that all can answer its GETs. */
const SHARED = "x-floor-shared";

type Bodies = Map<string, Uint8Array<ArrayBuffer>>;

function sliced(bytes: Uint8Array<ArrayBuffer>): ReadableStream<Uint8Array<ArrayBuffer>> {
  let offset = 0;
  return new ReadableStream({
    pull(controller) {
      controller.enqueue(bytes.subarray(offset, offset += SLICE));
      if (offset >= bytes.length) controller.close();
    },
  }, { highWaterMark: 0 });
}

function serve(
  port: number,
  token: string,
  share: (url: string, body: Uint8Array) => void,
): Bodies {
  const tokens = new Map([[`Bearer ${token}`, "bench"]]);
  const bodies: Bodies = new Map();
  const options = { port, hostname: "127.0.0.1", reusePort: true, onListen() {} };
  Deno.serve(options, async (request) => {
    if (!tokens.has(request.headers.get("authorization") ?? "")) {
      return new Response(null, { status: 401 });
    }
    if (request.method === "PUT") {
      const body = await request.bytes();
      bodies.set(request.url, body);
      if (request.headers.has(SHARED)) share(request.url, body);
      return new Response(null, { status: 201 });
    }
    const body = bodies.get(request.url);
    if (!body) return new Response(null, { status: 404 });
    if (body.length <= SLICE) return new Response(body);
    return new Response(sliced(body), { headers: { "content-length": String(body.length) } });
  });
  return bodies;
}

interface Told {
  readonly url: string;
  readonly body: Uint8Array<ArrayBuffer>;
}

if (inWorker) {
  const thread = globalThis as unknown as {
    postMessage(message: unknown): void;
    onmessage: (event: MessageEvent) => void;
  };
  let bodies: Bodies | undefined;
  thread.onmessage = ({ data }) => {
    if (bodies) bodies.set(data.url, data.body);
    else {
      bodies = serve(data.port, data.token, (url, body) => thread.postMessage({ url, body }));
    }
  };
} else {
  const [port, token, threads] = Deno.args;
  const workers: Worker[] = [];
  const tell = (told: Told, from: Worker) => {
    for (const worker of workers) if (worker !== from) worker.postMessage(told);
  };
  for (let n = 0; n < Number(threads); n++) {
    const worker = new Worker(import.meta.url, { type: "module" });
    worker.onmessage = ({ data }) => tell(data, worker);
    worker.postMessage({ port: Number(port), token });
    workers.push(worker);
  }
}
