import assert from "node:assert/strict";
import { ManualClock, systemClock } from "../core/clock.ts";
import { isKind, toCacheError } from "../core/errors.ts";
import { fromBase64Url, toBase64Url } from "../core/token.ts";
import type { Transport } from "../core/transport.ts";
import { utf8 } from "../core/utf8.ts";
import { statusOf } from "../protocol/problem.ts";
import { ANSWER, begin } from "../test/helpers/secure_pair.ts";
import { read, settled, transportSuite } from "../test/suites/transport.ts";
import { readOpening } from "./secure_handshake.ts";
import { acceptWebSocket, connectWebSocket } from "./websocket_open.ts";

const clock = systemClock;

/** A server whose ends of connections can be waited for. */
function serve(onRequest: (request: Request) => void = () => {}) {
  const ends: PromiseWithResolvers<Transport>[] = [];
  const server = Deno.serve({ port: 0, hostname: "127.0.0.1", onListen() {} }, (request) => {
    try {
      onRequest(request);
      const { response, transport } = acceptWebSocket(request, { clock });
      ends.at(-1)?.resolve(transport);
      return response;
    } catch (thrown) {
      return new Response(null, { status: statusOf(toCacheError(thrown, "test")) });
    }
  });
  return {
    url: new URL(`ws://127.0.0.1:${server.addr.port}/v1/session`),
    nextEnd(): Promise<Transport> {
      const next = Promise.withResolvers<Transport>();
      ends.push(next);
      return next.promise;
    },
    [Symbol.asyncDispose]: () => server.shutdown(),
  };
}

transportSuite("WebSocket over loopback", async () => {
  const server = serve();
  const end = server.nextEnd();
  const client = await connectWebSocket(server.url, { clock });
  return { ends: [client, await end], [Symbol.asyncDispose]: server[Symbol.asyncDispose] };
}, { holdsBack: false });

Deno.test("a session opens with message 1 in the request and message 2 as the first frame", async () => {
  const opening = await begin(utf8("hello"));
  let first: string | null = null;
  await using server = serve((request) => {
    first = request.headers.get("Vitte-Noise");
  });
  const end = server.nextEnd();
  const headers = { "Vitte-Noise": toBase64Url(opening.first) };
  const a = await connectWebSocket(server.url, { clock, headers });
  const offer = await readOpening(fromBase64Url(first!), ANSWER);
  const [{ transport, welcome }, b] = await Promise.all([
    opening.finish(a, { clock }),
    offer.accept(await end, utf8("welcome"), { clock }),
  ]);
  assert.deepEqual([offer.hello, welcome], [utf8("hello"), utf8("welcome")]);
  await Promise.all([transport.close("done"), read(b, 1)]);
});

Deno.test("what is sent at once behind a handshake arrives, though nothing can hold it back", async () => {
  await using server = serve();
  for (let run = 0; run < 5; run++) {
    const opening = await begin();
    const end = server.nextEnd();
    const a = await connectWebSocket(server.url, { clock });
    const offer = await readOpening(opening.first, ANSWER);
    const large = crypto.getRandomValues(new Uint8Array(65_536));
    const message = new Uint8Array(1_500_000);
    message.set(large, 1_000_000);
    const client = (async () => {
      const { transport } = await opening.finish(a, { clock });
      await Promise.all([transport.send(message), read(transport, 1)]);
      return transport;
    })();
    const b = await offer.accept(await end, utf8("welcome"), { clock });
    await b.send(message);
    // It looks away for a while, as one does who asks a disk.
    await settled();
    assert.deepEqual(await read(b, 1), [message]);
    await Promise.all([(await client).close("done"), read(b, 1)]);
  }
});

Deno.test("connectWebSocket() says unavailable where nobody listens, and where no session is offered", async () => {
  const listener = Deno.listen({ port: 0, hostname: "127.0.0.1" });
  const { port } = listener.addr;
  listener.close();
  await unavailable(new URL(`ws://127.0.0.1:${port}/`));
  const http = Deno.serve(
    { port: 0, hostname: "127.0.0.1", onListen() {} },
    () => new Response("no", { status: 401 }),
  );
  await unavailable(new URL(`ws://127.0.0.1:${http.addr.port}/`));
  await http.shutdown();
});

Deno.test("connectWebSocket() gives up after 10 s, or with its signal", async () => {
  const listener = Deno.listen({ port: 0, hostname: "127.0.0.1" });
  const url = new URL(`ws://127.0.0.1:${listener.addr.port}/`);
  const manual = new ManualClock();
  const opening = connectWebSocket(url, { clock: manual });
  const seen = assert.rejects(opening, (thrown) => isKind(thrown, "timeout"));
  const silent = await listener.accept();
  manual.advance(10_000);
  await settled();
  // The close is not answered either.
  manual.advance(1_000);
  silent.close();
  await seen;
  const given = new AbortController();
  const reason = new Error("given up");
  const aborted = connectWebSocket(url, { clock, signal: given.signal });
  const other = await listener.accept();
  given.abort(reason);
  other.close();
  await assert.rejects(aborted, (thrown) => thrown === reason);
  listener.close();
});

Deno.test("acceptWebSocket() answers 426 to what is no WebSocket of this protocol", async () => {
  await using server = serve();
  const url = server.url.href.replace("ws:", "http:");
  const upgrade = { Connection: "Upgrade", Upgrade: "websocket" };
  for (const headers of [{}, { "Sec-WebSocket-Protocol": "vitte-sync.1" }]) {
    const response = await fetch(url, { headers });
    assert.equal(response.status, 426);
    await response.body?.cancel();
  }
  for (const offered of [undefined, "vitte-sync.2", "chat, superchat"]) {
    const request = new Request(url, {
      headers: { ...upgrade, ...(offered ? { "Sec-WebSocket-Protocol": offered } : {}) },
    });
    assert.throws(
      () => acceptWebSocket(request, { clock }),
      (thrown) => isKind(thrown, "invalid_argument"),
    );
  }
});

Deno.test("a connection that breaks without a word is a failure, not an end", async () => {
  const listener = Deno.listen({ port: 0, hostname: "127.0.0.1" });
  const opening = connectWebSocket(new URL(`ws://127.0.0.1:${listener.addr.port}/`), { clock });
  const socket = await listener.accept();
  const request = new Uint8Array(4096);
  const head = new TextDecoder().decode(request.subarray(0, (await socket.read(request))!));
  const key = /^sec-websocket-key: (.*)\r$/im.exec(head)![1] +
    "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
  const accept = new Uint8Array(await crypto.subtle.digest("SHA-1", utf8(key))).toBase64();
  await socket.write(utf8(
    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
      `Sec-WebSocket-Protocol: vitte-sync.1\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`,
  ));
  const transport = await opening;
  socket.close();
  await assert.rejects(read(transport, 1), (thrown) => isKind(thrown, "unavailable"));
  await transport.close("done");
  listener.close();
});

async function unavailable(url: URL): Promise<void> {
  await assert.rejects(
    connectWebSocket(url, { clock }),
    (thrown) => isKind(thrown, "unavailable"),
  );
}
