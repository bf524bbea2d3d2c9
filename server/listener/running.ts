/** One server of the runtime while it runs, and what it waits for. */
import type { AnswerRoom } from "./answer_room.ts";
import type { Visit } from "./visit.ts";

/** A server of the runtime. */
export interface Running {
  readonly server: Deno.HttpServer;
  readonly abort: AbortController;
  readonly startedAt: number;
  /** Of the socket that listens; `undefined` where that can not be known. */
  readonly inode: number | undefined;
  /** It accepts no more. `shutdown` panics in Deno 2.7 then, and only `abort` is left. */
  failed: boolean;
  /** `shutdown` was called: aborting now would throw where nobody can catch it. */
  draining: boolean;
  /** Requests whose handler has not answered yet, and who waits for there to be none. */
  unanswered: number;
  readonly answered: Set<() => void>;
}

/** An answer that has to be waited for; a stop waits for it too. */
export async function whenReady(
  running: Running,
  { visit, answer, room }: {
    readonly visit: Visit;
    readonly answer: Response | Promise<Response>;
    /** `undefined` where the runtime sends head and body apart whatever they are. */
    readonly room: AnswerRoom | undefined;
  },
): Promise<Response> {
  running.unanswered++;
  try {
    const response = await answer;
    visit.upgraded = response.status === 101;
    if (!visit.upgraded) room?.make(response, visit.id);
    return response;
  } finally {
    if (--running.unanswered === 0) { for (const tell of running.answered) tell(); }
  }
}
