import assert from "node:assert/strict";
import { parseAb } from "./ab.ts";
import type { Budget } from "./budget.ts";
import { checkBudget, differences } from "./budget.ts";
import { fromFileUrl } from "./paths.ts";
import { PLANT } from "./plant.ts";
import { plot } from "./plots.ts";
import { report } from "./report.ts";
import type { Row } from "./row.ts";
import { ratioTo } from "./row.ts";
import { parseWrk } from "./wrk.ts";

const WRK = `Running 2s test @ http://127.0.0.1:8080
  1 threads and 16 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency   612.11us    1.02ms  30.37ms   97.62%
    Req/Sec    31.41k     3.16k   36.51k    85.00%
  Latency Distribution
     50%  471.00us
     75%  614.00us
     90%    0.92ms
     99%    4.25ms
  62,500 requests are what this line does not say
  50000 requests in 2.00s, 1.50GB read
  Socket errors: connect 0, read 3, write 0, timeout 2
  Non-2xx or 3xx responses: 7
Requests/sec:  25000.50
Transfer/sec:    768.00MB
`;

Deno.test("bench: wrk's summary is read: rate, p99, CPU a request and all that failed", () => {
  const found = parseWrk(WRK, 2.5);
  assert.deepEqual(found, { rate: 25_000.5, p99Ms: 4.25, cpu: 0.5, errors: 12 });
});

Deno.test("bench: a load of misses fails where it is answered, not where it is refused", () => {
  const text = WRK.replace("responses: 7", "responses: 49990").replace(/.*Socket.*\n/, "");
  assert.equal(parseWrk(text, 1, { misses: true }).errors, 10);
  assert.equal(parseWrk(text, 1).errors, 49_990);
});

Deno.test("bench: large bodies are measured in bytes, timeouts of the load generator aside", () => {
  const found = parseWrk(WRK, 3, { large: true });
  assert.equal(found.rate, 768 * 2 ** 20 / 1e6);
  assert.equal(found.cpu, 3 / (1.5 * 2 ** 30 / 1e9));
  assert.equal(found.errors, 10);
});

Deno.test("bench: ab's summary is read", () => {
  const text = `Complete requests:      20000
Failed requests:        1
Non-2xx responses:      4
Requests per second:    10000.25 [#/sec] (mean)
  98%      2
  99%      3
 100%     10 (longest request)
`;
  assert.deepEqual(parseAb(text, 1), { rate: 10_000.25, p99Ms: 3, cpu: 0.5, errors: 5 });
});

/** A row in which ours reaches these shares of what the floor and nginx reach. */
function row(rate: number, cpu = rate, runs = 5): Row {
  const one = (rate: number, cpu: number) => ({ rate, cpu: 1 / cpu, p99Ms: 1, errors: 0 });
  const server = (id: "ours" | "floor" | "nginx", rate: number, cpu: number) => ({
    id,
    name: id,
    runs: Array.from({ length: runs }, () => one(rate, cpu)),
  });
  return {
    race: "GET",
    unit: "req/s",
    targets: [{ rival: "floor", least: 0.7, aim: 0.9 }],
    servers: [server("ours", rate, cpu), server("floor", 1, 1), server("nginx", 2, 2)],
  };
}
const BUDGET: Budget = {
  cores: 2,
  threads: 2,
  deno: "2.9.6",
  rows: { GET: { floor: { rate: 0.8, cpu: 0.8 }, nginx: { rate: 0.4, cpu: 0.4 } } },
};

Deno.test("bench --check: a ratio that fell by a sixth in all runs is red, by a twentieth is not", async () => {
  const fell = await checkBudget(row(0.8 / 1.2), BUDGET, () => Promise.resolve(row(0.8 / 1.2)));
  assert.equal(fell.fell, true);
  assert.match(fell.lines.join(), /SLOWER.*rate 0\.667 x floor, was 0\.8/);
  const held = await checkBudget(row(0.76), BUDGET, () => Promise.reject(new Error("run again")));
  assert.equal(held.fell, false);
});

Deno.test("bench --check: a fall of the CPU ratio alone is red", async () => {
  const slow = row(0.8, 0.8 / 1.2);
  assert.equal((await checkBudget(slow, BUDGET, () => Promise.resolve(slow))).fell, true);
});

Deno.test("bench --check: a row that was slow once and not again is as before", async () => {
  let again = 0;
  const verdict = await checkBudget(row(0.5), BUDGET, () => {
    again++;
    return Promise.resolve(row(0.8, 0.8, 6));
  });
  assert.deepEqual([verdict.fell, again], [false, 1]);
});

Deno.test("bench --check: no row is red by one series, and none of which only most runs are low", async () => {
  let again = 0;
  const mixed = (): Row => {
    const [low, high] = [row(0.7, 0.7, 3), row(0.74, 0.74, 2)];
    const servers = low.servers.map((server, n) => ({
      ...server,
      runs: [...server.runs, ...high.servers[n]!.runs],
    }));
    return { ...low, servers };
  };
  const verdict = await checkBudget(mixed(), BUDGET, () => {
    again++;
    return Promise.resolve(mixed());
  });
  assert.deepEqual([verdict.fell, again], [false, 3]);
  assert.match(verdict.lines.join(), /perhaps slower.*20 runs/);
  const single = await checkBudget(row(0.5), BUDGET, undefined);
  assert.equal(single.fell, false);
  assert.match(single.lines.join(), /perhaps slower/);
});

Deno.test("bench --check: another machine than that of the budget is told", () => {
  const cores = navigator.hardwareConcurrency;
  const told = differences({ ...BUDGET, cores, deno: Deno.version.deno }, { threads: 4 });
  assert.deepEqual(told, ["with threads 2, this run has 4"]);
});

Deno.test("bench --plant: each thread works for longer by the share that was asked for", async () => {
  const work = fromFileUrl("plant_work.ts");
  const cpu = async (plant: string) => {
    const { stdout, success } = await new Deno.Command(Deno.execPath(), {
      args: [
        "run",
        "-A",
        "--no-check",
        "--no-config",
        `--preload=${fromFileUrl("plant.ts")}`,
        work,
      ],
      env: plant === "" ? {} : { [PLANT]: plant },
    }).output();
    assert.ok(success);
    return JSON.parse(new TextDecoder().decode(stdout)) as number[];
  };
  const [plain, slowed] = [await cpu(""), await cpu("100")];
  // Both did the same work; how long that takes on a busy machine is not exact.
  for (const thread of [0, 1]) {
    const times = slowed[thread]! / plain[thread]!;
    assert.ok(times > 1.4 && times < 3, `thread ${thread} took ${times} times as long`);
  }
});

Deno.test("bench --check: a rival that had a good day is no fall of ours", async () => {
  const found = row(0.8);
  const nginx = found.servers[2]!;
  const quick = { ...nginx, runs: nginx.runs.map((one) => ({ ...one, rate: 4 })) };
  const day = { ...found, servers: [...found.servers.slice(0, 2), quick] };
  assert.equal((await checkBudget(day, BUDGET, () => Promise.resolve(day))).fell, false);
});

Deno.test("bench: the page says of every target whether it is met", () => {
  const facts = { rounds: 5, seconds: 2, threads: 2, minutes: 1, peaks: [] as [string, number][] };
  const figure = { unit: "ms", better: "lower", note: "so", value: 4 } as const;
  const page = report([row(0.6), { ...row(0.8), race: "PUT" }], [
    { ...figure, name: "start", least: 5 },
    { ...figure, name: "exec", least: 3 },
  ], facts);
  assert.match(page, /^\| GET \|.*\| \*\*not met\*\* \|$/m);
  assert.match(page, /^\| PUT \|.*\| met \|$/m);
  assert.match(page, /^\| start \| 4 ms \|.*\| met \|$/m);
  assert.match(page, /^\| exec \|.*\| \*\*not met\*\* \|$/m);
});

Deno.test("bench: a plot is an SVG that names its rows and their ratios", () => {
  const svg = plot([row(0.61)], "floor");
  assert.match(svg, /^<svg /);
  assert.match(svg, />GET</);
  assert.match(svg, />0\.61</);
  assert.equal(ratioTo(row(0.61), "bazel-remote"), undefined);
});
