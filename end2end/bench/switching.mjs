// What switching versions costs callers: a fixed rate of requests, whatever the answers do, first while nothing changes and then
// while a second version goes past shadow and canary to everybody and is rolled back, again and again.
//
//   MILLRACE_BINARY=… MILLRACE_SITE=… node bench/switching.mjs [requests a second] [cycles] [quiet seconds]
//
// Prints one line of JSON. Latency is from the moment a request was due, so that a server that stalls is not spared what waited.

import { setTimeout as sleep } from "node:timers/promises";

import { eventually } from "../lib/deployment.mjs";
import { Load } from "../lib/load.mjs";
import { startServer } from "../lib/server.mjs";
import { QUICK, byVersion, thing, twoVersions, versions } from "../lib/things.mjs";

const [RATE, CYCLES, QUIET_S] = [2, 3, 4].map((place, index) => Number(process.argv[place] ?? [300, 20, 20][index]));
const LONGEST_S = 600;
const SLUG = "switching";

async function measure() {
  const people = await twoVersions(server, SLUG, QUICK);
  const load = new Load(people.predict, RATE, thing, byVersion());
  await sleep(QUIET_S * 1000);
  const quiet = load.take(versions);
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
  return { rate: RATE, cycles, seconds: Math.round((Date.now() - began) / 1000), quiet, switching: load.take(versions) };
}

const server = await startServer({ env: { MILLRACE_TOKEN_RATE: "1000000" } });
try {
  console.log(JSON.stringify(await measure()));
} finally {
  await server.stop();
}
