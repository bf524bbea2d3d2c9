/** One body that nobody has in memory: made while it is sent, and again to compare what comes back. */
import { Buffer } from "node:buffer";
import { fillBody } from "../bodies.ts";
import { Wire } from "../wire.ts";

/** What to do. */
export interface HugeJob {
  readonly job: "huge";
  readonly port: number;
  readonly token: string;
  readonly method: "GET" | "PUT";
  readonly target: string;
  /** Bytes; divides by 1 MiB. */
  readonly size: number;
}

/** What became of it. */
export interface HugeResult {
  readonly status: number;
  readonly bytes: number;
  readonly seconds: number;
  /** MiB that came back with other bytes. */
  readonly wrong: number;
}

const MIB = 1024 * 1024;
const NUMBER = 20;

/** Sends it, or reads it and compares. */
export async function huge({ port, token, method, target, size }: HugeJob): Promise<HugeResult> {
  using wire = await Wire.to(port);
  const began = performance.now();
  const seconds = () => (performance.now() - began) / 1000;
  const block = new Uint8Array(MIB);
  if (method === "PUT") {
    await wire.ask({ method, target, token, length: size });
    for (let at = 0; at < size; at += MIB) {
      fillBody(block, NUMBER, at);
      await wire.write(block);
    }
    const { status } = await wire.answer();
    return { status, bytes: size, seconds: seconds(), wrong: 0 };
  }
  const came = new Uint8Array(MIB);
  let [bytes, wrong] = [0, 0];
  await wire.ask({ method, target, token });
  const { status } = await wire.answer({
    onPart(part) {
      for (let at = 0; at < part.length;) {
        const room = Math.min(MIB - bytes % MIB, part.length - at);
        came.set(part.subarray(at, at + room), bytes % MIB);
        at += room;
        bytes += room;
        if (bytes % MIB !== 0) continue;
        fillBody(block, NUMBER, bytes - MIB);
        if (Buffer.compare(came, block) !== 0) wrong++;
      }
    },
  });
  return { status, bytes, seconds: seconds(), wrong };
}
