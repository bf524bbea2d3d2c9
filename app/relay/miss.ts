/**
 * What a build tool is told when the relay has no answer of the server: the same as the server would
 * tell it, by the same tables. Loaded when it is first needed, as all adapters come with it.
 */
import type { Clock } from "../../core/clock.ts";
import { Counters } from "../../core/counters.ts";
import { CacheError } from "../../core/errors.ts";
import type { ParsedPath } from "../../protocol/path.ts";
import type { Match } from "../../server/exchange.ts";
import { preflightAnswer } from "../../server/middleware/preflight.ts";
import { Reply } from "../../server/reply.ts";
import { findRoute } from "../../server/routes/find_route.ts";

/** Makes answers of its own. */
export class Misses {
  readonly #deps;
  #count = 0;

  constructor(clock: Clock) {
    this.#deps = { clock, counters: new Counters(), log: () => {} };
  }
  /** Shows an error as the tool needs it; as it is where the path is nobody's. */
  answer(request: Request, path: ParsedPath | undefined, error: CacheError): Response {
    const reply = this.#reply(request);
    if (path) reply.aim(path.namespace, routeOf(path, request.headers)?.route);
    return reply.sendError(error);
  }
  /** To who has no token of ours, as the server says it, with the challenge that Maven waits for. */
  refuse(request: Request): Response {
    const text = "Cannot answer: the token is not that of this run";
    const hint = "take address and token from the same place: the variables of this command";
    return this.#reply(request).sendError(
      new CacheError("unauthenticated", text, { operation: "relay.authenticate", hint }),
    );
  }
  /** To a preflight, which comes without a token. */
  preflight(request: Request): Response {
    return this.#reply(request).send(preflightAnswer());
  }

  #reply(request: Request): Reply {
    return new Reply(this.#deps, request, { id: `relay-${++this.#count}`, origin: HERE });
  }
}

/** Where all that this process hears comes from. */
const HERE = { remoteAddr: "127.0.0.1" };

/** Tools whose build fails when a body breaks off in the middle. */
const STRICT: ReadonlySet<string> = new Set(["nx", "metro"]);

/** Whether a body must be here as a whole before the tool hears of it. */
export function mustBeWhole(path: ParsedPath, headers: Headers): boolean {
  const tool = routeOf(path, headers)?.route.tool;
  return tool !== undefined && STRICT.has(tool);
}

function routeOf(path: ParsedPath, headers: Headers): Match | undefined {
  try {
    return findRoute(path, headers);
  } catch (thrown) {
    // What an adapter can not make sense of is nobody's path.
    if (thrown instanceof CacheError) return undefined;
    throw thrown;
  }
}
