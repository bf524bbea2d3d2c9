import { timingSafeEqual } from "node:crypto";

/** Whether both hold the same bytes, in a time that depends on their lengths alone. */
export function constantTimeEqual(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && timingSafeEqual(a, b);
}
