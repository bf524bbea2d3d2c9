/** Clients that leave in the middle, one after the other: of a download, or of an upload. */
import { bodyOf } from "../bodies.ts";
import { Wire } from "../wire.ts";

/** What to do. */
export interface DropJob {
  readonly job: "drop";
  readonly port: number;
  readonly token: string;
  readonly what: "download" | "upload";
  readonly count: number;
  /** How many at a time. */
  readonly connections: number;
  /** What is downloaded, or the start of the paths of uploads. */
  readonly target: string;
  /** Bytes that an upload promises; it sends half of them. */
  readonly size: number;
}

/** What it did. */
export interface DropResult {
  readonly dropped: number;
  /** Downloads that did not even begin. */
  readonly refused: number;
}

/** Drops so many. */
export async function drop(job: DropJob): Promise<DropResult> {
  const { token, target, size } = job;
  const half = bodyOf(1, Math.floor(size / 2));
  let [next, dropped, refused] = [0, 0, 0];

  async function client(): Promise<void> {
    for (let at = next++; at < job.count; at = next++) {
      using wire = await Wire.to(job.port);
      if (job.what === "download") {
        await wire.ask({ method: "GET", target, token });
        const { status } = await wire.answer({ method: "HEAD" });
        // Some of it has arrived and is never read, so that closing resets the connection.
        if (status !== 200) refused++;
      } else {
        await wire.ask({ method: "PUT", target: `${target}/${at}`, token, length: size });
        await wire.write(half);
      }
      dropped++;
    }
  }
  await Promise.all(Array.from({ length: job.connections }, client));
  return { dropped, refused };
}
