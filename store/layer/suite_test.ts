/** Every layer over memory, alone and all together, passes the suite of object stores. */
import { ManualClock } from "../../core/clock.ts";
import type { ObjectStore } from "../../core/object_store.ts";
import { tempDir } from "../../test/helpers/temp.ts";
import { objectStoreSuite } from "../../test/suites/object_store.ts";
import { openFsStore } from "../fs/fs_store.ts";
import { MemoryObjectStore } from "../memory.ts";
import { composeObjectStore } from "./compose.ts";
import { faultLayer } from "./fault.ts";
import { FaultPlan } from "./fault_plan.ts";
import { limitLayer, limitStore, Slots } from "./limit.ts";
import { meterLayer } from "./meter.ts";
import { prefixLayer } from "./prefix.ts";
import { retryLayer } from "./retry.ts";
import { timeoutLayer } from "./timeout.ts";

/** Names what is still held at the end of a case. */
function held(counts: Record<string, () => number>): () => Promise<string[]> {
  return () =>
    Promise.resolve(
      Object.entries(counts).filter(([, count]) => count() !== 0)
        .map(([what, count]) => `${count()} ${what}`),
    );
}

objectStoreSuite("meter over memory", () => {
  let calls = 0;
  let events = 0;
  const counted = new Proxy(new MemoryObjectStore(), {
    get(target, name) {
      const value = Reflect.get(target, name, target);
      if (typeof value !== "function") return value;
      if (typeof name === "string") {
        return (...args: unknown[]) => {
          calls++;
          return value.apply(target, args);
        };
      }
      return value.bind(target);
    },
  });
  const store = meterLayer({ clock: new ManualClock(), sink: () => events++ })(counted);
  return Promise.resolve({
    store,
    leftovers: held({ "calls without an event": () => calls - events }),
  });
});

objectStoreSuite("retry over memory", () => {
  const clock = new ManualClock();
  const store = retryLayer({ clock, random: () => 0 })(new MemoryObjectStore());
  return Promise.resolve({ store, leftovers: held({ sleepers: () => clock.sleeping }) });
});

objectStoreSuite("limit over memory", () => {
  const slots = new Slots(3);
  const store = limitStore(new MemoryObjectStore(), slots);
  return Promise.resolve({
    store,
    leftovers: held({ "slots in use": () => slots.used, "waiting": () => slots.waiting }),
  });
});

objectStoreSuite("timeout over memory", () => {
  const clock = new ManualClock();
  const store = timeoutLayer({ clock })(new MemoryObjectStore());
  return Promise.resolve({ store, leftovers: held({ timers: () => clock.sleeping }) });
});

objectStoreSuite("prefix over memory, beside a neighbour", async () => {
  const memory = new MemoryObjectStore();
  const neighbour = prefixLayer("other-")(memory);
  await neighbour.put("data/ab/x", {
    size: 0,
    replayable: true,
    open: () => new Blob([]).stream(),
  });
  const store = prefixLayer("team-")(memory);
  return {
    store,
    async leftovers() {
      const mine = (await Array.fromAsync(store.list())).map(({ key }) => `team-${key}`);
      const all = (await Array.fromAsync(memory.list())).map(({ key }) => key);
      return all.filter((key) => !mine.includes(key) && key !== "other-data/ab/x");
    },
  };
});

objectStoreSuite("fault without a plan over memory", () => {
  const plan = new FaultPlan(new ManualClock());
  const store = faultLayer(plan)(new MemoryObjectStore());
  return Promise.resolve({ store, leftovers: held({ "faults not met": () => plan.pending }) });
});

/** All layers but read-only, in their order. */
function stack(backend: ObjectStore) {
  const clock = new ManualClock();
  const plan = new FaultPlan(clock);
  const store = composeObjectStore(backend, [
    meterLayer({ clock, sink() {} }),
    retryLayer({ clock, random: () => 0 }),
    limitLayer({ concurrency: 4 }),
    timeoutLayer({ clock }),
    prefixLayer("team-"),
    faultLayer(plan),
  ]);
  return { store, leftovers: held({ "timers or sleepers": () => clock.sleeping }) };
}

objectStoreSuite("all layers over memory", () => Promise.resolve(stack(new MemoryObjectStore())));

objectStoreSuite("all layers over fs", async () => {
  const dir = await tempDir();
  return {
    ...stack(await openFsStore(dir.path)),
    [Symbol.asyncDispose]: () => dir[Symbol.asyncDispose](),
  };
});
