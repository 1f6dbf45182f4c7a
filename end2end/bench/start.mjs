// How long a server takes from its start to its first answer of ten live models, and the memory that it then holds: each a boosting model
// of a hundred trees and twenty inputs.
//
//   MILLRACE_BINARY=… MILLRACE_SITE=… node bench/start.mjs [models] [starts]
//
// Needs a release build. A first server brings the models live and goes on, its Postgres with it; a second one, without an executor, is
// started beside it again and again. Prints one line of JSON: medians in seconds and megabytes. The goals are 0.5 s and 150 MB.

import { readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";

import { csv, instance, problem } from "../lib/clicks.mjs";
import { deploy, exchange, team } from "../lib/deployment.mjs";
import { startBeside, startServer } from "../lib/server.mjs";

const [MODELS, STARTS] = [2, 3].map((place, index) => Number(process.argv[place] ?? [10, 7][index]));
const ROUNDS_OF_ASKING = 200;
const LONGEST_MS = 30_000;
/** No caller is turned away for asking often. */
const SETTINGS = { MILLRACE_TOKEN_RATE: "100000000" };

async function measure() {
  const people = await team(first);
  const content = csv(5_000);
  const parameters = { rounds: 100, early_stopping_rounds: 0 };
  for (let number = 0; number < MODELS; number += 1) {
    const trainings = [{ trainer: "gradient_boosting", seed: number, parameters }];
    const what = { document: problem(`model-${number}`), csv: content, trainings, sample: instance(0) };
    await deploy(first, what, undefined, people);
  }
  const seen = [];
  for (let start = 0; start < STARTS; start += 1) seen.push(await started(people.headers));
  const median = (name) => Number(seen.map((one) => one[name]).sort((a, b) => a - b)[STARTS >> 1].toFixed(3));
  return { models: MODELS, starts: STARTS, ready_s: median("ready"), answered_s: median("answered"), mb: median("mb"), asked_mb: median("asked") };
}

/** One start: until it is ready, until all models have answered, and the memory then and after many answers. */
async function started(headers) {
  const began = performance.now();
  const server = await startBeside(first, { args: ["--no-executor"], env: SETTINGS });
  try {
    const { url } = server;
    const since = () => (performance.now() - began) / 1000;
    const is = async (asked) => (await asked.catch(() => undefined))?.status === 200;
    while (!(await is(exchange(`${url}/readyz`, "GET", {})))) await patience(began);
    const ready = since();
    const ask = async (number) => {
      const body = JSON.stringify({ instances: [instance(number)] });
      const path = `${url}/v1/models/model-${number % MODELS}:predict`;
      while (!(await is(exchange(path, "POST", headers, body)))) await patience(began);
    };
    for (let number = 0; number < MODELS; number += 1) await ask(number);
    const answered = since();
    const mb = held(server.pid);
    for (let number = 0; number < ROUNDS_OF_ASKING * MODELS; number += 1) await ask(number);
    return { ready, answered, mb, asked: held(server.pid) };
  } finally {
    await server.stop();
  }
}

async function patience(began) {
  if (performance.now() - began > LONGEST_MS) throw new Error(`not within ${LONGEST_MS} ms`);
  await sleep(2);
}

/** Megabytes of resident memory. */
function held(pid) {
  return Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))[1]) / 1024;
}

const first = await startServer({ env: SETTINGS });
try {
  console.log(JSON.stringify(await measure()));
} finally {
  await first.stop();
}
