// What an answer costs: one instance of 20 inputs a request at 1, 8 and 32 connections, then 1,000 instances a request, each by a
// boosting model of 100 trees of 31 leaves, with token check, routing, prediction log and counters as always.
//
//   MILLRACE_BINARY=… MILLRACE_SITE=… node bench/serving.mjs [seconds]
//
// Needs `wrk` (Debian's package) and a release build. Prints one line of JSON: answers a second, milliseconds, and microseconds of
// processor a request in the server and in its Postgres. `floor` is the same for the server's `/healthz`, which says what HTTP alone costs.
// `dropped` counts predictions that the log had no room for: beyond what Postgres takes in, answers go on and the log has gaps.
// The goals: 15,000 answers a second at 1 and 8 connections, 32 µs of the server's processor each, p99 at most twice the floor's;
// 300,000 instances a second in requests of 1,000.

import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";

import { csv, instance, problem } from "../lib/clicks.mjs";
import { deploy } from "../lib/deployment.mjs";
import { startServer } from "../lib/server.mjs";
import { wrk } from "../lib/wrk.mjs";

const SECONDS = Number(process.argv[2] ?? 6);
const ROWS = 20_000;
/** Requests that are sent in turn. */
const DIFFERENT = { 1: 64, 1000: 2 };
const TICKS_PER_S = 100;

async function measure() {
  const settings = { rounds: 100, max_leaves: 31, early_stopping_rounds: 0 };
  const training = { trainer: "gradient_boosting", seed: 1, parameters: settings };
  const served = await deploy(server, { document: problem("bench-serving"), csv: csv(ROWS), trainings: [training], sample: instance(0) });
  const body = (size, number) =>
    JSON.stringify({ instances: Array.from({ length: size }, (_, place) => instance(ROWS + number * size + place)) });
  const load = async (connections, size, url = served.predictUrl) => {
    const bodies = url === served.predictUrl ? Array.from({ length: DIFFERENT[size] }, (_, number) => body(size, number)) : [];
    const before = [...processor(), await served.total("millrace_prediction_log_dropped_total")];
    const told = wrk(url, { connections, seconds: SECONDS, bodies, authorization: served.headers.authorization });
    const after = [...processor(), await served.total("millrace_prediction_log_dropped_total")];
    const { requests, us, ...rest } = told;
    const [server_us, postgres_us, dropped] = after.map((one, place) => one - before[place]);
    const each = (total) => Number((total / requests).toFixed(1));
    return {
      per_s: Math.round((requests * size * 1e6) / us),
      ...rest,
      server_us: each(server_us),
      postgres_us: each(postgres_us),
      dropped,
    };
  };
  await load(8, 1);
  const result = {};
  for (const connections of [1, 8, 32]) {
    result[`floor_${connections}`] = await load(connections, 1, `${server.url}/healthz`);
    result[`one_${connections}`] = await load(connections, 1);
  }
  result.thousand_1 = await load(1, 1_000);
  return result;
}

/** Microseconds of processor that the server has used, and the processes of its Postgres. */
function processor() {
  const postmaster = readFileSync(join(server.home, "postgres", "data", "postmaster.pid"), "utf8").split("\n")[0];
  let [ours, postgres] = [0, 0];
  for (const pid of readdirSync("/proc").filter((name) => /^\d+$/.test(name))) {
    const stat = stated(pid);
    const us = ((Number(stat[11]) + Number(stat[12])) * 1e6) / TICKS_PER_S;
    if (pid === String(server.pid)) ours += us;
    if (pid === postmaster || stat[1] === postmaster) postgres += us;
  }
  return [ours, postgres];
}

function stated(pid) {
  try {
    return readFileSync(`/proc/${pid}/stat`, "utf8").replace(/^.*\) /s, "").split(" ");
  } catch {
    return [];
  }
}

const server = await startServer({ env: { MILLRACE_TOKEN_RATE: "100000000" } });
try {
  console.log(JSON.stringify(await measure()));
} finally {
  await server.stop();
}
