/** One body that nobody has in memory: made while it is sent, and again to compare what comes back. */
import { Buffer } from "node:buffer";
import { createHash } from "node:crypto";
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
  /** The server, whose memory is looked at. */
  readonly pid: number;
}

/** What became of it. */
export interface HugeResult {
  readonly status: number;
  readonly bytes: number;
  readonly seconds: number;
  /** MiB that came back with other bytes. */
  readonly wrong: number;
  /** SHA-256 of what was sent or came, in hex. */
  readonly digest: string;
  /** The head of the answer, in lower case. */
  readonly head: string;
  /** MB (10^6 bytes) of the server in memory, whenever one more GiB had gone through. */
  readonly memoryMb: readonly number[];
}

const MIB = 1024 * 1024;
const GIB = 1024 * MIB;
const NUMBER = 20;

/** Sends it, or reads it and compares. */
export async function huge(job: HugeJob): Promise<HugeResult> {
  const { port, token, method, target, size } = job;
  using wire = await Wire.to(port);
  const began = performance.now();
  const seconds = () => (performance.now() - began) / 1000;
  const block = new Uint8Array(MIB);
  const hash = createHash("sha256");
  const memoryMb: number[] = [];
  /** Notes a block that has gone through. */
  const note = (bytes: Uint8Array, end: number) => {
    hash.update(bytes);
    if (end % GIB === 0 || end === size) memoryMb.push(residentMb(job.pid));
  };
  const seen = () => ({ seconds: seconds(), digest: hash.digest("hex"), memoryMb });
  if (method === "PUT") {
    await wire.ask({ method, target, token, length: size });
    for (let at = 0; at < size; at += MIB) {
      fillBody(block, NUMBER, at);
      await wire.write(block);
      note(block, at + MIB);
    }
    const { status, head } = await wire.answer();
    return { status, head, bytes: size, wrong: 0, ...seen() };
  }
  const came = new Uint8Array(MIB);
  let [bytes, wrong] = [0, 0];
  await wire.ask({ method, target, token });
  const { status, head } = await wire.answer({
    onPart(part) {
      for (let at = 0; at < part.length;) {
        const room = Math.min(MIB - bytes % MIB, part.length - at);
        came.set(part.subarray(at, at + room), bytes % MIB);
        at += room;
        bytes += room;
        if (bytes % MIB !== 0) continue;
        note(came, bytes);
        fillBody(block, NUMBER, bytes - MIB);
        if (Buffer.compare(came, block) !== 0) wrong++;
      }
    },
  });
  return { status, head, bytes, wrong, ...seen() };
}

function residentMb(pid: number): number {
  const kb = /^VmRSS:\s+(\d+)/m.exec(Deno.readTextFileSync(`/proc/${pid}/status`))?.[1];
  return Math.round(Number(kb) * 1024 / 1e6);
}
