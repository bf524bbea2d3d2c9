/** Sends thousands of seeded requests to a server and watches what comes back. */
import { digestOf } from "../../core/digest.ts";
import { seededRandom } from "../helpers/random.ts";
import { FuzzConnection } from "./fuzz_connection.ts";
import type { FuzzRequest, FuzzWorld } from "./requests.ts";
import { nextRequest } from "./requests.ts";

/** What a run saw. */
export interface FuzzReport {
  readonly seed: number;
  /** Answers by status; `closed`, `silent`, `garbage` and `cut` where there was none. */
  readonly counts: ReadonlyMap<number | string, number>;
  /** What must not be, with the head of its request. */
  readonly faults: readonly string[];
  /** Digests of blobs that were acknowledged. */
  readonly stored: readonly string[];
}

/** Connections at once. */
const LANES = 16;
/** Requests on one connection at most. */
const PER_CONNECTION = 30;
/** A request that is whole is answered in this time, also on a busy machine. */
const ANSWER_MS = 20_000;
/** How long an answer is waited for to a request whose end is anybody's guess. */
const GUESS_MS = 60;
const MOST_FAULTS = 20;
/** Statuses above 499 that say: later, or no room. */
const DELIBERATE = new Set([503, 507]);
/** Where a write that is not allowed is answered and dropped, so that no build fails. */
const DROPPING = /^\/(ns\/[^/]+\/)?go\//;
/** A read by POST: of a token that may only read, 2xx is fine. */
const ASKING =
  /^\/(ns\/[^/]+\/)?(v1\/blobs\/(missing|read)|v1\/probe|turborepo\/v8\/artifacts(\/events)?)(\?|$)/;

/** Runs `count` requests. */
export async function fuzzHttp(world: FuzzWorld, port: number, count: number): Promise<FuzzReport> {
  const random = seededRandom("VITTE_FUZZ_SEED");
  const counts = new Map<number | string, number>();
  const faults: string[] = [];
  const stored: string[] = [];
  const fault = (text: string, request: FuzzRequest) => {
    if (faults.length < MOST_FAULTS) {
      const head = request.head.slice(0, 500).replace(/vrc_[\w-]+/g, "<token>");
      faults.push(`${text}: ${JSON.stringify(head)}`);
    }
  };
  let sent = 0;
  const lane = async () => {
    while (sent < count && faults.length < MOST_FAULTS) {
      using connection = await FuzzConnection.open(port);
      for (let n = 0; n < PER_CONNECTION && sent < count; n++) {
        sent++;
        const request = nextRequest(random, world);
        const outcome = await one(connection, request);
        const name = typeof outcome === "string" ? outcome : outcome.status;
        counts.set(name, (counts.get(name) ?? 0) + 1);
        if (outcome === "garbage") fault("no HTTP", request);
        if (typeof outcome === "string") {
          if (request.framed && outcome !== "cut") fault(`no answer (${outcome})`, request);
          break;
        }
        check(request, outcome, fault);
        if (request.puts && outcome.status < 300) stored.push(request.puts);
        if (outcome.closed || !request.framed) break;
      }
    }
  };
  await Promise.all(Array.from({ length: LANES }, lane));
  return { seed: random.seed, counts, faults, stored };
}

async function one(connection: FuzzConnection, request: FuzzRequest) {
  const head = Uint8Array.from(request.head, (letter) => letter.charCodeAt(0));
  const all = new Uint8Array(head.length + request.body.length);
  all.set(head);
  all.set(request.body, head.length);
  if (request.cutAfter !== undefined) {
    await connection.send(all.subarray(0, request.cutAfter));
    return "cut";
  }
  // Not awaited: a server may answer and hang up before it has read all of it.
  const sending = connection.send(all);
  const answer = await connection.answer(request.method, request.framed ? ANSWER_MS : GUESS_MS);
  if (typeof answer === "string") connection[Symbol.dispose]();
  await sending;
  return answer;
}

function check(
  request: FuzzRequest,
  { status, body }: { status: number; body: Uint8Array },
  fault: (text: string, request: FuzzRequest) => void,
): void {
  if (status >= 500 && !DELIBERATE.has(status)) fault(`${status}`, request);
  const target = request.head.split(" ")[1] ?? "";
  const writes = ["PUT", "POST", "DELETE", "PATCH"].includes(request.method) &&
    !ASKING.test(target);
  const mayWrite = request.as === "admin" || request.as === "writer" ||
    (request.as === "reader" && status === 204 && DROPPING.test(target));
  if (writes && !mayWrite && status < 300) fault(`${request.as} wrote, ${status}`, request);
  const asked = /^\/v1\/blobs\/(sha256-[0-9a-f]{64})$/.exec(target)?.[1];
  if (request.method === "GET" && status === 200 && asked && digestOf(body) !== asked) {
    fault("wrong bytes", request);
  }
}
