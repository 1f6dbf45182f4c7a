// What switching versions costs callers: a fixed rate of requests, whatever the answers do, first while nothing changes and then
// while a second version goes past shadow and canary to everybody and is rolled back, again and again.
//
//   MILLRACE_BINARY=… MILLRACE_SITE=… node bench/switching.mjs [requests a second] [cycles] [quiet seconds]
//
// Prints one line of JSON. Latency is from the moment a request was due, so that a server that stalls is not spared what waited.

import { execFileSync } from "node:child_process";
import { Agent, request } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";

import { startServer } from "../lib/server.mjs";

const [RATE, CYCLES, QUIET_S] = [2, 3, 4].map((place, index) => Number(process.argv[place] ?? [300, 20, 20][index]));
const LONGEST_S = 600;
const SLUG = "switching";

async function measure() {
  const people = await setUp();
  const load = new Load(people.token);
  await sleep(QUIET_S * 1000);
  const quiet = load.take();
  const began = Date.now();
  let cycles = 0;
  while (cycles < CYCLES && Date.now() - began < LONGEST_S * 1000) {
    await people.post(`/api/v1/deployments/${SLUG}/rollouts`, { version: 2, reason: "cycle" });
    const arrived = await people.until((now) => now.champion === 2 && now.rollout === null);
    if (!arrived) break;
    await people.post(`/api/v1/deployments/${SLUG}/rollback`, { reason: "next cycle" });
    cycles += 1;
  }
  await load.stop();
  return { rate: RATE, cycles, seconds: Math.round((Date.now() - began) / 1000), quiet, switching: load.take() };
}

/** Sends requests at their time, each about another entity, and keeps how late each answer came. */
class Load {
  #agent = new Agent({ keepAlive: true, maxSockets: 64 });
  #headers;
  #sent = 0;
  #open = new Set();
  #seen = [];
  #began = performance.now();
  #timer;

  constructor(token) {
    this.#headers = { authorization: `Bearer ${token}`, "content-type": "application/json" };
    this.#timer = setInterval(() => this.#send(), 2);
  }

  #send() {
    const due = ((performance.now() - this.#began) / 1000) * RATE;
    for (; this.#sent < due; this.#sent += 1) {
      const at = this.#began + (this.#sent / RATE) * 1000;
      const body = JSON.stringify({ instances: [{ entity: `t${this.#sent}`, ...thing(this.#sent) }] });
      const asked = this.#ask(at, body).finally(() => this.#open.delete(asked));
      this.#open.add(asked);
    }
  }

  async #ask(at, body) {
    try {
      const { status, text } = await exchange("POST", `/v1/models/${SLUG}:predict`, this.#headers, body, this.#agent);
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

function exchange(method, path, headers, body, agent) {
  return new Promise((resolve, reject) => {
    const sent = request(`${server.url}${path}`, { method, headers, agent }, (response) => {
      let text = "";
      response.setEncoding("utf8").on("data", (piece) => (text += piece));
      response.on("end", () => resolve({ status: response.statusCode, text, headers: response.headers }));
    });
    sent.on("error", reject).end(body);
  });
}

/** Two people, a signed-off problem, two approved versions, the first one live. */
async function setUp() {
  const env = { ...process.env, DATABASE_URL: undefined, MILLRACE_HOME: server.home };
  const binary = process.env.MILLRACE_BINARY;
  const password = "a long password of the bench";
  for (const [name, role] of [
    ["engineer", "ml_engineer"],
    ["signer", "stakeholder"],
  ]) {
    const args = ["user", "add", "--email", `${name}@example.org`, "--role", role, "--password-stdin"];
    execFileSync(binary, args, { env, input: password, stdio: ["pipe", "ignore", "ignore"] });
  }
  const scopes = "read,launch,deploy,predict";
  const made = execFileSync(binary, ["token", "create", "--email", "engineer@example.org", "--scopes", scopes], { env, stdio: ["ignore", "pipe", "ignore"] });
  const token = made.toString().trim();
  const asEngineer = { authorization: `Bearer ${token}`, "content-type": "application/json" };
  const asked = async (method, path, headers, body) => {
    const { status, text, headers: answered } = await exchange(method, path, headers, body && JSON.stringify(body));
    if (status >= 300) throw new Error(`${method} ${path}: ${status} ${text}`);
    return { ...(text ? JSON.parse(text) : {}), cookie: answered["set-cookie"]?.[0].split(";")[0] };
  };
  const post = (path, body) => asked("POST", path, asEngineer, body);
  const get = (path) => asked("GET", path, asEngineer);
  const session = { origin: server.url, "content-type": "application/json" };
  const { cookie } = await asked("POST", "/api/v1/session", session, { email: "signer@example.org", password });
  const decide = (path, digest) =>
    asked("POST", `${path}/decisions`, { ...session, cookie }, { decision: "approve", digest, comment: "fine" });

  const stage = { min_predictions: 1, min_duration: "0s" };
  const saved = await post("/api/v1/problems", {
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
  });
  const version = `/api/v1/problems/${SLUG}/versions/1`;
  await post(`${version}/submit`, {});
  await decide(version, saved.digest);
  const rows = Array.from({ length: 4_000 }, (_, number) => {
    const { x, y } = thing(number);
    return `t${number},${x},${y},${x + 0.2 * y + ((number * 97) % 401) / 10 > 80 ? 1 : 0}`;
  });
  const form = new FormData();
  form.set("problem", SLUG);
  form.set("name", "things");
  form.set("file", new Blob([`thing,x,y,big\n${rows.join("\n")}\n`], { type: "text/csv" }), "things.csv");
  const sent = await fetch(`${server.url}/api/v1/datasets`, { method: "POST", headers: { authorization: asEngineer.authorization }, body: form });
  const { dataset } = await sent.json();
  await eventually(async () => (await get(`/api/v1/datasets/${dataset}/versions/1`)).summary.state === "valid");
  for (const seed of [1, 2]) {
    const { run } = await post(`/api/v1/problems/${SLUG}/runs`, { trainer: "gradient_boosting", seed });
    await eventually(async () => (await get(`/api/v1/runs/${run}`)).state === "succeeded");
    const path = `/api/v1/models/${SLUG}/versions/${seed}`;
    await decide(path, (await get(path)).digest);
  }
  await post(`/api/v1/deployments/${SLUG}/rollouts`, { version: 1, reason: "first" });
  const ready = async () =>
    (await exchange("POST", `/v1/models/${SLUG}:predict`, asEngineer, '{"instances":[{"x":1,"y":1}]}')).status === 200;
  await eventually(ready);
  const until = (wanted) => eventually(async () => wanted(await get(`/api/v1/deployments/${SLUG}`)), 600);
  return { token, post, until };
}

async function eventually(isSo, tries = 300) {
  for (let look = 0; look < tries; look += 1) {
    if (await isSo()) return true;
    await sleep(200);
  }
  return false;
}

const server = await startServer({ env: { MILLRACE_TOKEN_RATE: "1000000" } });
try {
  console.log(JSON.stringify(await measure()));
} finally {
  await server.stop();
}
