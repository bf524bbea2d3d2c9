/** A summary that is looked up anew for each question. */
import type { SummaryView } from "./trie.ts";

/** The view of whatever `now` gives at the time of a question. */
export function liveView(now: () => SummaryView): SummaryView {
  return {
    root: () => now().root(),
    count: (prefix) => now().count(prefix),
    children: (prefix) => now().children(prefix),
    items: (prefix) => now().items(prefix),
    after: (after, limit) => now().after(after, limit),
  };
}
