// What logging a training elsewhere costs through MLflow's door, and what it costs to read it again.
//
//   MILLRACE_BINARY=… MILLRACE_SITE=… node bench/tracking.mjs [runs] [seconds]
//
// Needs `wrk` (Debian's package) and a release build. Prints one line of JSON, times in milliseconds. The goals: 1,500 and 3,000 values a
// second, each durable, over one connection and over eight; 10 for a batch of 1,000, 5 for a search among 10,000 runs, 30 for a page of
// 1,000 of them, 15 for a course of 10,000 points, 100 MB when idle.
// `floor_per_s` is what the disk allows: rows that `psql` adds to the same Postgres, each in a transaction of its own.

import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { Agent, request } from "node:http";

import { Postgres } from "../lib/postgres.mjs";
import { startServer } from "../lib/server.mjs";
import { wrk } from "../lib/wrk.mjs";

const [RUNS, SECONDS] = [2, 3].map((place, index) => Number(process.argv[place] ?? [10_000, 5][index]));
const DOOR = "/api/2.0/mlflow";
const BEGAN = 1_767_225_600_000;
/** More values than are logged one by one in a sitting. */
const MOST_SENT = 100_000;
const METRICS = ["auc", "logloss", "brier", "ece", "train_auc", "fit_s", "rows", "p99_ms"];

async function measure() {
  const idle_mb = held();
  const { call, headers } = setUp();
  for (const slug of ["bench-one", "bench-search"]) await call("POST", "/api/v1/problems", draft(slug));
  const begin = async (slug, name) => {
    const { run } = await call("POST", `${DOOR}/runs/create`, { experiment_id: slug, run_name: name, start_time: BEGAN });
    return run.info.run_id;
  };
  const log = (run_id, metrics, params = [], tags = []) =>
    call("POST", `${DOOR}/runs/log-batch`, { run_id, metrics, params, tags });
  const points = (count, from, name) =>
    Array.from({ length: count }, (_, at) => ({ key: name(at), value: 1 / (at + 1), timestamp: BEGAN + from + at, step: from + at }));

  const single = {};
  for (const callers of [1, 8]) {
    const runs = await Promise.all(Array.from({ length: 8 }, () => begin("bench-one", "single")));
    const metric = (step) => ({ run_id: runs[step % 8], key: "loss", value: 1 / (step + 1), timestamp: BEGAN + step, step });
    const bodies = Array.from({ length: MOST_SENT }, (_, step) => JSON.stringify(metric(step)));
    const sent = { connections: callers, seconds: SECONDS, bodies, authorization: headers.authorization };
    const { requests, us, ...rest } = wrk(`${server.url}${DOOR}/runs/log-metric`, sent);
    single[callers] = { per_s: Math.round((requests * 1e6) / us), ...rest, floor_per_s: await floor(callers) };
  }

  const wide = await begin("bench-one", "batches");
  const batch = told(await timed(20, (at) => log(wide, points(1_000, at * 1_000, (place) => `m${place % 10}`))));

  let next = 0;
  const filler = async () => {
    for (let run = next++; run < RUNS; run = next++) {
      const metrics = METRICS.map((key, place) => ({ key, value: share(run * 8 + place), timestamp: BEGAN, step: 0 }));
      const params = [
        { key: "model", value: ["lr", "rf", "gbm"][run % 3] },
        { key: "depth", value: `${run % 12}` },
        { key: "seed", value: `${run}` },
      ];
      await log(await begin("bench-search", `run ${run}`), metrics, params, [{ key: "team", value: `t${run % 5}` }]);
    }
  };
  await Promise.all(Array.from({ length: 8 }, filler));
  const searched = async (asked) => {
    const search = () => call("POST", `${DOOR}/runs/search`, { experiment_ids: ["bench-search"], ...asked });
    const { runs } = await search();
    return { found: runs.length, ...told(await timed(15, search)) };
  };
  const search = {
    newest_100: await searched({ max_results: 100 }),
    filtered_and_ordered: await searched({
      max_results: 100,
      filter: "metrics.auc > 0.8 and params.model = 'gbm'",
      order_by: ["metrics.auc DESC"],
    }),
    page_of_1000: await searched({ max_results: 1_000 }),
  };

  const long = await begin("bench-one", "long");
  for (let from = 0; from < 10_000; from += 1_000) await log(long, points(1_000, from, () => "loss"));
  const path = `${DOOR}/metrics/get-history?run_id=${long}&metric_key=loss&max_results=25000`;
  const history = { found: (await call("GET", path)).metrics.length, ...told(await timed(15, () => call("GET", path))) };
  return { idle_mb, runs: RUNS, single, batch_of_1000: batch, search, history_of_10000: history, after_mb: held() };
}

/** Rows that so many callers add to the same Postgres in a second, each row durable before the next, with nothing between. */
async function floor(callers) {
  const rows = 1_000;
  const postgres = new Postgres(server.home);
  postgres.ask("create table if not exists bench_floor (caller int, step int, value double precision)");
  const each = (_, caller) =>
    Array.from({ length: rows }, (_, step) => `insert into bench_floor values (${caller}, ${step}, ${1 / (step + 1)})`).join(";\n");
  const began = performance.now();
  await Promise.all(Array.from({ length: callers }, each).map((statements) => postgres.run(statements)));
  return Math.round((callers * rows * 1000) / (performance.now() - began));
}

/** A number between 0 and 1 that looks drawn. */
function share(number) {
  return ((number * 2_654_435_761) % 4_294_967_296) / 4_294_967_296;
}

function draft(slug) {
  return {
    slug,
    title: slug,
    decision: "none",
    target: { name: "big", kind: "binary", column: "big" },
    data: { split: { kind: "random", validation: 0.2, test: 0.2, seed: 1 } },
    features: [{ name: "x" }],
    success: { metric: "roc_auc", at_least: 0.6 },
  };
}

async function timed(times, act) {
  const took = [];
  for (let at = 0; at < times; at += 1) {
    const began = performance.now();
    await act(at);
    took.push(performance.now() - began);
  }
  return took;
}

function told(took) {
  const sorted = [...took].sort((a, b) => a - b);
  const at = (share) => Number((sorted[Math.floor(share * (sorted.length - 1))] ?? Number.NaN).toFixed(2));
  return { p50: at(0.5), p99: at(0.99) };
}

/** Megabytes of memory that the server holds. */
function held() {
  const status = readFileSync(`/proc/${server.pid}/status`, "utf8");
  return Math.round(Number(/VmRSS:\s+(\d+)/.exec(status)[1]) / 1024);
}

/** An engineer with a token. */
function setUp() {
  const env = { ...process.env, DATABASE_URL: undefined, MILLRACE_HOME: server.home };
  const run = (args, input) => execFileSync(process.env.MILLRACE_BINARY, args, { env, input, stdio: ["pipe", "pipe", "ignore"] });
  const email = ["--email", "engineer@example.org"];
  run(["user", "add", ...email, "--role", "ml_engineer", "--password-stdin"], "a long password of the bench");
  const token = run(["token", "create", ...email, "--scopes", "read,launch"]).toString().trim();
  const headers = { authorization: `Bearer ${token}`, "content-type": "application/json" };
  const agent = new Agent({ keepAlive: true, maxSockets: 8 });
  const call = (method, path, body) =>
    new Promise((resolve, reject) => {
      const sent = request(`${server.url}${path}`, { method, headers, agent }, (response) => {
        let text = "";
        response.setEncoding("utf8").on("data", (piece) => (text += piece));
        const good = response.statusCode < 300;
        response.on("end", () => (good ? resolve(JSON.parse(text)) : reject(new Error(`${path}: ${response.statusCode} ${text}`))));
      });
      sent.on("error", reject).end(body && JSON.stringify(body));
    });
  return { call, headers };
}

const server = await startServer({ env: { MILLRACE_TOKEN_RATE: "1000000" } });
try {
  console.log(JSON.stringify(await measure()));
} finally {
  await server.stop();
}
