/** Secrets that do not show themselves. */

const HIDDEN = "***";

/**
 * A value that prints as `***` wherever it is printed by accident: in a template, in JSON, in a
 * log of an object. Only {@linkcode Secret.reveal} gives it out, which is easy to search for.
 */
export class Secret<T> {
  readonly #value: T;

  constructor(value: T) {
    this.#value = value;
  }
  /** The value itself; whoever calls this answers for where it goes. */
  reveal(): T {
    return this.#value;
  }
  toString(): string {
    return HIDDEN;
  }
  toJSON(): string {
    return HIDDEN;
  }
  [Symbol.toPrimitive](): string {
    return HIDDEN;
  }
  [Symbol.for("Deno.customInspect")](): string {
    return HIDDEN;
  }
  [Symbol.for("nodejs.util.inspect.custom")](): string {
    return HIDDEN;
  }
}
