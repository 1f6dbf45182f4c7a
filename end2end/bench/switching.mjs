// What switching versions costs callers: a fixed rate of requests, whatever the answers do, first while nothing changes and then
// while a second version goes past shadow and canary to everybody and is rolled back, again and again.
//
//   MILLRACE_BINARY=… MILLRACE_SITE=… node bench/switching.mjs [requests a second] [cycles] [quiet seconds]
//
// Prints one line of JSON. Latency is from the moment a request was due, so that a server that stalls is not spared what waited.

import { Agent } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";

import { deploy, eventually } from "../lib/deployment.mjs";
import { startServer } from "../lib/server.mjs";

const [RATE, CYCLES, QUIET_S] = [2, 3, 4].map((place, index) => Number(process.argv[place] ?? [300, 20, 20][index]));
const LONGEST_S = 600;
const SLUG = "switching";

async function measure() {
  const people = await setUp();
  const load = new Load(people.predict);
  await sleep(QUIET_S * 1000);
  const quiet = load.take();
  const began = Date.now();
  let cycles = 0;
  while (cycles < CYCLES && Date.now() - began < LONGEST_S * 1000) {
    await people.post(`/api/v1/deployments/${SLUG}/rollouts`, { version: 2, reason: "cycle" });
    const arrived = async () => {
      const { champion, rollout } = await people.get(`/api/v1/deployments/${SLUG}`);
      return champion === 2 && rollout === null;
    };
    await eventually("the second version answering all", arrived, 120);
    await people.post(`/api/v1/deployments/${SLUG}/rollback`, { reason: "next cycle" });
    cycles += 1;
  }
  await load.stop();
  return { rate: RATE, cycles, seconds: Math.round((Date.now() - began) / 1000), quiet, switching: load.take() };
}

/** Sends requests at their time, each about another entity, and keeps how late each answer came. */
class Load {
  #agent = new Agent({ keepAlive: true, maxSockets: 64 });
  #predict;
  #sent = 0;
  #open = new Set();
  #seen = [];
  #began = performance.now();
  #timer;

  constructor(predict) {
    this.#predict = predict;
    this.#timer = setInterval(() => this.#send(), 2);
  }

  #send() {
    const due = ((performance.now() - this.#began) / 1000) * RATE;
    for (; this.#sent < due; this.#sent += 1) {
      const at = this.#began + (this.#sent / RATE) * 1000;
      const asked = this.#ask(at, { entity: `t${this.#sent}`, ...thing(this.#sent) }).finally(() => this.#open.delete(asked));
      this.#open.add(asked);
    }
  }

  async #ask(at, instance) {
    try {
      const { status, text } = await this.#predict([instance], this.#agent);
      const version = status === 200 ? JSON.parse(text).model_version : undefined;
      this.#seen.push({ late: performance.now() - at, good: status === 200 && (version === 1 || version === 2), version });
    } catch {
      this.#seen.push({ late: performance.now() - at, good: false });
    }
  }

  async stop() {
    clearInterval(this.#timer);
    await Promise.all(this.#open);
    this.#agent.destroy();
  }

  /** What was seen since the last time. */
  take() {
    const seen = this.#seen;
    this.#seen = [];
    const late = seen.map((one) => one.late).sort((a, b) => a - b);
    const at = (share) => Number((late[Math.floor(share * (late.length - 1))] ?? Number.NaN).toFixed(3));
    const by = (version) => seen.filter((one) => one.version === version).length;
    return {
      requests: seen.length,
      not_answered: seen.filter((one) => !one.good).length,
      by_version: { 1: by(1), 2: by(2) },
      p50_ms: at(0.5),
      p99_ms: at(0.99),
      p999_ms: at(0.999),
    };
  }
}

function thing(number) {
  const x = ((number * 2_654_435_761) % 1_000) / 10;
  const y = ((number * 40_503) % 977) / 9.77;
  return { x, y };
}

/** Two approved versions, the first one live. */
async function setUp() {
  const stage = { min_predictions: 1, min_duration: "0s" };
  const document = {
    slug: SLUG,
    title: "Is it big",
    decision: "which shelf",
    target: { name: "big", kind: "binary", column: "big" },
    data: { entity: "thing", split: { kind: "random", validation: 0.2, test: 0.2, seed: 1 } },
    features: [{ name: "x" }, { name: "y" }],
    success: { metric: "roc_auc", at_least: 0.6 },
    serving: { p99_ms: 250, throughput_rps: 50 },
    // Nobody tells what became of the things.
    rollout: { shadow: stage, canary: { percent: 50, ...stage }, watch: stage, watched: ["quality"] },
  };
  const rows = Array.from({ length: 4_000 }, (_, number) => {
    const { x, y } = thing(number);
    return `t${number},${x},${y},${x + 0.2 * y + ((number * 97) % 401) / 10 > 80 ? 1 : 0}`;
  });
  const trainings = [1, 2].map((seed) => ({ trainer: "gradient_boosting", seed }));
  return deploy(server, { document, csv: `thing,x,y,big\n${rows.join("\n")}\n`, trainings, sample: thing(1) });
}

const server = await startServer({ env: { MILLRACE_TOKEN_RATE: "1000000" } });
try {
  console.log(JSON.stringify(await measure()));
} finally {
  await server.stop();
}
