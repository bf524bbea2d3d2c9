/**
 * The floor: what the runtime itself can do. Looks a token up in a Map, answers from memory, keeps
 * a PUT in memory; no hash, no disk. `deno run -A bench/floor.ts PORT TOKEN`.
 */
const [port, token] = Deno.args;
const tokens = new Map([[`Bearer ${token}`, "bench"]]);
const bodies = new Map<string, Uint8Array<ArrayBuffer>>();
const SLICE = 256 * 1024;

function sliced(bytes: Uint8Array<ArrayBuffer>): ReadableStream<Uint8Array<ArrayBuffer>> {
  let offset = 0;
  return new ReadableStream({
    pull(controller) {
      controller.enqueue(bytes.subarray(offset, offset += SLICE));
      if (offset >= bytes.length) controller.close();
    },
  }, { highWaterMark: 0 });
}

Deno.serve({ port: Number(port), hostname: "127.0.0.1", onListen() {} }, async (request) => {
  if (!tokens.has(request.headers.get("authorization") ?? "")) {
    return new Response(null, { status: 401 });
  }
  if (request.method === "PUT") {
    bodies.set(request.url, await request.bytes());
    return new Response(null, { status: 201 });
  }
  const body = bodies.get(request.url);
  if (!body) return new Response(null, { status: 404 });
  if (body.length <= SLICE) return new Response(body);
  return new Response(sliced(body), { headers: { "content-length": String(body.length) } });
});
