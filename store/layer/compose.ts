/**
 * The order of layers is part of the contract: a retry inside of a limit sleeps with a slot in its
 * hand, a timeout outside of a retry ends all tries at once. So the order is checked here, when a
 * stack is built.
 *
 *     meter → read_only → retry → limit → timeout → prefix → backend        outermost first
 *
 * `fault` stands next to the backend or outermost, in tests.
 */
import type { ObjectStore } from "../../core/object_store.ts";
import type { LayerName, ObjectLayer } from "./layer.ts";

/** Outermost first. */
export const LAYER_ORDER: readonly LayerName[] = [
  "meter",
  "read_only",
  "retry",
  "limit",
  "timeout",
  "prefix",
  "fault",
];

/**
 * Wraps a backend in layers, outermost first. The outer store disposes the inner ones.
 * @throws {TypeError} that names the pair that is in the wrong order, or the layer that is there
 * twice; `fault` may be there twice, outermost and innermost
 */
export function composeObjectStore(
  backend: ObjectStore,
  layers: readonly ObjectLayer[],
): ObjectStore {
  const names = layers.map(({ layer }) => layer);
  // An outermost fault is outside of every rule: it stands for the callers' view of the stack.
  checkOrder(names[0] === "fault" && names.length > 1 ? names.slice(1) : names);
  return layers.reduceRight((inner, layer) => layer(inner), backend);
}

function checkOrder(names: readonly LayerName[]): void {
  for (let i = 1; i < names.length; i++) {
    const outer = names[i - 1]!;
    const inner = names[i]!;
    if (outer === inner) throw new TypeError(`Cannot stack layers: "${outer}" is there twice`);
    if (LAYER_ORDER.indexOf(outer) > LAYER_ORDER.indexOf(inner)) {
      throw new TypeError(
        `Cannot stack layers: "${outer}" is outside of "${inner}", want ${LAYER_ORDER.join(" → ")}`,
      );
    }
  }
}
