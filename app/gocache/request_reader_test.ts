import assert from "node:assert/strict";
import { concat } from "../../core/bytes.ts";
import { digestOf } from "../../core/digest.ts";
import { CacheError } from "../../core/errors.ts";
import { seededRandom } from "../../test/helpers/random.ts";
import { RequestReader } from "./request_reader.ts";

const ACTION = new Uint8Array(32).fill(0xab);

/** A stream of these bytes in parts of this size. */
function inParts(text: string, size: number): ReadableStream<Uint8Array<ArrayBuffer>> {
  const bytes = new TextEncoder().encode(text);
  let at = 0;
  return new ReadableStream({
    pull(controller) {
      if (at >= bytes.length) return controller.close();
      controller.enqueue(bytes.slice(at, at += size));
    },
  });
}

function putText(id: number, body: Uint8Array): string {
  const request = {
    ID: id,
    Command: "put",
    ActionID: ACTION.toBase64(),
    OutputID: Uint8Array.fromHex(digestOf(body).slice(7)).toBase64(),
    ...(body.length > 0 ? { BodySize: body.length } : {}),
  };
  return `${JSON.stringify(request)}\n\n` + (body.length > 0 ? `"${body.toBase64()}"\n` : "");
}

Deno.test("RequestReader reads questions and bodies, however the pipe cuts them", async () => {
  const random = seededRandom("VITTE_SEED");
  const bodies = [0, 1, 2, 3, 4, 100, 50_000].map((size) => random.bytes(size));
  const get = `${JSON.stringify({ ID: 99, Command: "get", ActionID: ACTION.toBase64() })}\n\n`;
  const text = bodies.map((body, id) => putText(id, body) + get).join("");
  for (const size of [1, 2, 3, 5, 7, 64, 1000, text.length]) {
    if (size < 5 && size !== 1) continue;
    const reader = new RequestReader(inParts(text, size));
    for (const [id, body] of bodies.entries()) {
      const put = await reader.next();
      assert.equal(put?.id, id);
      assert.equal(put.command, "put");
      assert.equal(put.action, "ab".repeat(32));
      assert.equal(put.output, digestOf(body));
      assert.equal(put.bodySize, body.length);
      if (body.length > 0) {
        const parts = await Array.fromAsync(reader.body(put.bodySize));
        assert.deepEqual(concat(parts), body, `${body.length} bytes in parts of ${size}`);
      }
      assert.equal((await reader.next())?.id, 99);
    }
    assert.equal(await reader.next(), undefined);
  }
});

Deno.test("RequestReader holds a small part of a large body at a time", async () => {
  const size = 30_000_000;
  const digits = "A".repeat(size / 3 * 4);
  const text = `{"ID":1,"Command":"put","BodySize":${size}}\n\n"${digits}"\n`;
  const reader = new RequestReader(inParts(text, 65_536));
  await reader.next();
  let got = 0;
  let largest = 0;
  for await (const part of reader.body(size)) {
    got += part.length;
    largest = Math.max(largest, part.length);
  }
  assert.equal(got, size);
  assert.ok(largest <= 65_536, `${largest} bytes at once`);
});

Deno.test("RequestReader takes Go 1.23's word for the output", async () => {
  const text = `{"ID":1,"Command":"put","ObjectID":"${ACTION.toBase64()}"}\n`;
  const put = await new RequestReader(inParts(text, 1000)).next();
  assert.equal(put?.output, `sha256-${"ab".repeat(32)}`);
});

Deno.test("RequestReader refuses what no go command writes", async (t) => {
  const cases: Record<string, string> = {
    "no JSON": "hello\n",
    "no object": "[]\n",
    "null": "null\n",
    "no id": '{"Command":"get"}\n',
    "a fraction as id": '{"ID":1.5,"Command":"get"}\n',
    "an action of 31 bytes": `{"ID":1,"Command":"get","ActionID":"${
      ACTION.slice(1).toBase64()
    }"}\n`,
    "no base64": '{"ID":1,"Command":"get","ActionID":"***"}\n',
    "a negative size": '{"ID":1,"Command":"put","BodySize":-1}\n',
    "a cut line": '{"ID":1',
    "an endless line": "x".repeat(100_000),
  };
  for (const [name, text] of Object.entries(cases)) {
    await t.step(name, async () => {
      const reader = new RequestReader(inParts(text, 4096));
      await assert.rejects(() => reader.next(), isMalformed);
    });
  }
  const bodies: Record<string, string> = {
    "a short body": '"QUJD"\n',
    "a long body": '"QUJDRUZHQUJDRUZH"\n',
    "no quotation mark": "QUJDRUZH\n",
    "padding in the middle": '"QQ==RUZH"\n',
    "blanks inside": '"QUJD RUZ"\n',
    "digits of another alphabet": '"__-_RUZH"\n',
    "an end in the middle": '"QUJD',
  };
  for (const [name, text] of Object.entries(bodies)) {
    await t.step(name, async () => {
      const reader = new RequestReader(inParts(text, 3));
      await assert.rejects(() => Array.fromAsync(reader.body(6)), isMalformed);
    });
  }
});

function isMalformed(thrown: unknown): boolean {
  return thrown instanceof CacheError && thrown.kind === "invalid_argument";
}
