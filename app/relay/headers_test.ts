import assert from "node:assert/strict";
import { Secret } from "../../core/secret.ts";
import { answerHeaders, requestHeaders } from "./headers.ts";

const HOPS = {
  "connection": "close, x-mine",
  "keep-alive": "5",
  "proxy-authorization": "Basic c2VjcmV0",
  "te": "trailers",
  "transfer-encoding": "chunked",
  "upgrade": "websocket",
  "x-mine": "1",
};

Deno.test("what is meant for one connection stays there, and the token is the server's", () => {
  const given = new Headers({
    ...HOPS,
    "authorization": "Bearer local",
    "accept-encoding": "gzip",
    "expect": "100-continue",
    "host": "127.0.0.1:1",
    "x-artifact-tag": "t",
  });
  assert.deepEqual(Object.fromEntries(requestHeaders(given, new Secret("real"))), {
    "accept-encoding": "identity",
    "authorization": "Bearer real",
    "x-artifact-tag": "t",
  });
});

Deno.test("an answer keeps its length and what a tool reads of it", () => {
  const given = new Headers({ ...HOPS, "content-length": "5", "x-artifact-tag": "t" });
  assert.deepEqual(Object.fromEntries(answerHeaders(given)), {
    "content-length": "5",
    "x-artifact-tag": "t",
  });
});
