/** Keys of the race: 64 hex digits, so that every server takes them. */
import { hash } from "node:crypto";

/** The first half of the keys of this name. */
export function keyPrefix(name: string): string {
  return hash("sha256", name, "hex").slice(0, 32);
}

/** Key `n` of this name. */
export function keyOf(name: string, n: number): string {
  return keyPrefix(name) + n.toString(16).padStart(32, "0");
}

/** Lua for the key of this name whose number is the value of an expression. */
export function luaKey(name: string, number: string): string {
  return `"${keyPrefix(name)}" .. string.format("%032x", ${number})`;
}
