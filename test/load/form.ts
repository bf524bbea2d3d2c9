/** The forms of the load tests: a short one with the other tests, the long one of `deno task test:load`. */

/** Whether `deno task test:load` runs us. */
export const LOAD: boolean = Deno.env.get("VITTE_LOAD") === "1";

/** `long` under `deno task test:load`, `short` elsewhere: it is for two cores and a minute. */
export function loadOr<T>(long: T, short: T): T {
  return LOAD ? long : short;
}
