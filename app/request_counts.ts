/** Requests as one thread counts them: plain numbers, since every request passes here. */
import type { MetricObjectWithValues, MetricValue } from "prom-client";
import type { AccessEvent } from "../server/deps.ts";

/** Seconds: a hit from memory to a stalled upload. */
const BUCKETS = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 1, 5, 30];
const SECONDS = "vitte_request_duration_seconds";

/** Of one tool. */
interface ToolCounts {
  readonly methods: Map<string, MethodCounts>;
  received: number;
  sent: number;
}

/** Of one tool and method. */
interface MethodCounts {
  /** How many took at most as long as each bucket says, the last one: any time. Not added up. */
  readonly buckets: Float64Array;
  seconds: number;
  /** Requests by status, then by outcome. */
  readonly statuses: Map<number, Map<string, number>>;
}

/** The counts of one thread. */
export class RequestCounts {
  readonly #tools = new Map<string, ToolCounts>();

  /** Counts a request. */
  observe(event: AccessEvent): void {
    const tool = upsert(this.#tools, event.tool, newTool);
    tool.received += event.bytesReceived;
    tool.sent += event.bytesSent;
    const method = upsert(tool.methods, event.method, newMethod);
    const seconds = event.milliseconds / 1000;
    method.seconds += seconds;
    let bucket = 0;
    while (bucket < BUCKETS.length && seconds > BUCKETS[bucket]!) bucket++;
    method.buckets[bucket]!++;
    const outcomes = upsert(method.statuses, event.status, newOutcomes);
    outcomes.set(event.outcome, (outcomes.get(event.outcome) ?? 0) + 1);
  }

  /** Requests by tool, method, status and outcome. */
  requests(): MetricValue<string>[] {
    return [...this.#methods()].flatMap(({ tool, method, counts }) =>
      [...counts.statuses].flatMap(([status, outcomes]) =>
        [...outcomes].map(([outcome, value]) => ({
          value,
          labels: { tool, method, status: String(status), outcome },
        }))
      )
    );
  }

  /** Durations by tool and method, as a histogram has them. */
  seconds(): MetricValue<string>[] {
    return [...this.#methods()].flatMap(({ tool, method, counts }) => {
      let sum = 0;
      const buckets = [...counts.buckets].map((value, n) => ({
        value: sum += value,
        metricName: `${SECONDS}_bucket`,
        labels: { le: BUCKETS[n] ?? "+Inf", tool, method },
      }));
      return [
        ...buckets,
        { value: counts.seconds, metricName: `${SECONDS}_sum`, labels: { tool, method } },
        { value: sum, metricName: `${SECONDS}_count`, labels: { tool, method } },
      ];
    });
  }

  /** Bytes of bodies by tool; tools without any are left out. */
  bytes(which: "received" | "sent"): MetricValue<string>[] {
    return [...this.#tools].filter(([, counts]) => counts[which] > 0)
      .map(([tool, counts]) => ({ value: counts[which], labels: { tool } }));
  }

  *#methods(): Generator<{ tool: string; method: string; counts: MethodCounts }> {
    for (const [tool, { methods }] of this.#tools) {
      for (const [method, counts] of methods) yield { tool, method, counts };
    }
  }
}

/** A metric as prom-client adds it up, without the function that made it. */
export type CountedMetric = Omit<MetricObjectWithValues<MetricValue<string>>, "collect">;

/** A metric of which threads are added up. */
export function summed(
  name: string,
  facts: { readonly help: string; readonly type: "counter" | "histogram" },
  values: MetricValue<string>[],
): CountedMetric {
  // The declarations want the enumeration, the data has its words.
  const type = facts.type as unknown as CountedMetric["type"];
  return { name, help: facts.help, type, values, aggregator: "sum" };
}

function upsert<K, V>(map: Map<K, V>, key: K, make: () => V): V {
  let value = map.get(key);
  if (value === undefined) map.set(key, value = make());
  return value;
}

function newTool(): ToolCounts {
  return { methods: new Map(), received: 0, sent: 0 };
}

function newMethod(): MethodCounts {
  return { buckets: new Float64Array(BUCKETS.length + 1), seconds: 0, statuses: new Map() };
}

function newOutcomes(): Map<string, number> {
  return new Map();
}
