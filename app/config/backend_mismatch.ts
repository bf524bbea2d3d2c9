/** Whether the server keeps its store where the repository expects it. */
import { shown } from "../output.ts";
import type { StoreSettings } from "./resolve_store.ts";

/**
 * A warning where the configuration expects another backend than the server tells; `undefined`
 * where they agree, or one of them says nothing. It is a check and never asks the server to change.
 */
export function backendMismatch(
  { backend }: Pick<StoreSettings, "backend">,
  actual: string | undefined,
): string | undefined {
  if (!backend || actual === undefined || backend.value === actual) return undefined;
  return `the server keeps its store on ${shown(actual)}, and ${backend.origin} expects ` +
    `${backend.value}: is it the right server?`;
}
