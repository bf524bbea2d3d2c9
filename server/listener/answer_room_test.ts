import assert from "node:assert/strict";
import { RawClient, withListener } from "../../test/helpers/raw_listener.ts";
import { AnswerRoom, ROOM_HEADER } from "./answer_room.ts";

Deno.test("the second answer of a connection alone has a long head, on each connection", async () => {
  await withListener({}, async (listener) => {
    for (let connection = 0; connection < 3; connection++) {
      using client = await RawClient.to(listener);
      const heads: boolean[] = [];
      for (let request = 0; request < 5; request++) {
        const text = await client.ask();
        heads.push(text.includes(ROOM_HEADER));
        if (heads.at(-1)) assert.ok(text.length > 1024);
      }
      assert.deepEqual(heads, [false, true, false, false, false]);
    }
  });
});

Deno.test("AnswerRoom tells connections apart that share a place", () => {
  const room = new AnswerRoom();
  const long = (id: number) => {
    const response = new Response();
    room.make(response, id);
    return response.headers.has(ROOM_HEADER);
  };
  const [one, other] = [2 ** 50 + 5, 2 ** 51 + 5];
  assert.deepEqual([long(one), long(one), long(one)], [false, true, false]);
  assert.deepEqual([long(other), long(other)], [false, true]);
  assert.deepEqual([long(one), long(one), long(one)], [false, true, false]);
});
