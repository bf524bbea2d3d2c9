/** What a comparison is about, read from its first message before anything is made for it. */
import type { Bytes } from "../../core/digest.ts";
import { isNamespace, isScope } from "../../core/entry.ts";
import type { SyncPlace } from "../../core/sync_store.ts";
import { decode } from "../reconcile/decode.ts";
import type { ReconcileMessages } from "../reconcile/messages.ts";

const silent = () => {};

/** The place of an OPEN, `undefined` for another message or for names that are none. */
export function placeOf(body: Bytes): SyncPlace | undefined {
  let place: SyncPlace | undefined;
  const told: ReconcileMessages = {
    open: ({ namespace, scope }) => place = { namespace, scope },
    state: silent,
    nodes: silent,
    leaf: silent,
    want: silent,
    list: silent,
    check: silent,
  };
  decode(body, told);
  return place && isNamespace(place.namespace) && isScope(place.scope) ? place : undefined;
}
