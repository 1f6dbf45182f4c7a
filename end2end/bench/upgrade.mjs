// Two programs on one schema: while requests arrive at a fixed rate, a newer program is started beside two servers of an older one, a
// version goes past shadow and canary on all three, is rolled back through each program, and one of the older servers is told to stop.
//
//   MILLRACE_OLDER=… MILLRACE_BINARY=… MILLRACE_SITE=… node bench/upgrade.mjs [requests a second at each server] [cycles]
//
// Prints one line of JSON, and fails where a request was not answered by a version that was live then, the schema stayed as it was, or the
// server that was stopped did not end by itself. The first server stays: its Postgres is everybody's.

import { setTimeout as sleep } from "node:timers/promises";

import { eventually, exchange } from "../lib/deployment.mjs";
import { Load } from "../lib/load.mjs";
import { Postgres } from "../lib/postgres.mjs";
import { startBeside, startServer } from "../lib/server.mjs";
import { QUICK, byVersion, thing, twoVersions, versions } from "../lib/things.mjs";

const [RATE, CYCLES] = [2, 3].map((place, index) => Number(process.argv[place] ?? [100, 3][index]));
const SLUG = "upgrade";
const NEWER = process.env.MILLRACE_BINARY;
const OLDER = process.env.MILLRACE_OLDER;
if (!NEWER || !OLDER) throw new Error("MILLRACE_OLDER and MILLRACE_BINARY name the two programs");
const SETTINGS = { MILLRACE_TOKEN_RATE: "1000000" };
/** A version that was taken back answers nobody from so long after on. */
const SPREAD_MS = 1_000;
/** Long enough that every server has said to the others what it does. */
const CALM_MS = 3_000;

async function measure() {
  const people = await twoVersions(first, SLUG, QUICK);
  const schema = () => new Postgres(first.home).ask("select max(version) from seaql_migrations");
  const before = schema();
  const second = await startBeside(first, { binary: OLDER, env: SETTINGS });
  let takenBack = 0;
  let isOut = false;
  const mayAnswer = (version) => version === 1 || (version === 2 && (isOut || performance.now() - takenBack < SPREAD_MS));
  const loads = [new Load(people.predict, RATE, thing, byVersion(mayAnswer)), at(second, people, mayAnswer)];
  await sleep(CALM_MS);
  const newer = await startBeside(first, { binary: NEWER, env: SETTINGS });
  await eventually("the newer program ready", async () => (await fetch(`${newer.url}/readyz`)).ok);
  loads.push(at(newer, people, mayAnswer));
  const ask = async (url, path, body) => {
    const { status, text } = await exchange(`${url}${path}`, "POST", people.headers, JSON.stringify(body));
    if (status >= 300) throw new Error(`POST ${path}: ${status} ${text}`);
  };
  const urls = [first.url, newer.url];
  for (let cycle = 0; cycle < CYCLES * urls.length; cycle += 1) {
    isOut = true;
    await ask(urls[cycle % 2], `/api/v1/deployments/${SLUG}/rollouts`, { version: 2, reason: "cycle" });
    const arrived = async () => {
      const { champion, rollout } = await people.get(`/api/v1/deployments/${SLUG}`);
      return champion === 2 && rollout === null;
    };
    await eventually("the second version answering all", arrived, 120);
    await ask(urls[(cycle + 1) % 2], `/api/v1/deployments/${SLUG}/rollback`, { reason: "next cycle" });
    [isOut, takenBack] = [false, performance.now()];
    await sleep(CALM_MS);
  }
  // A server that is told to stop answers what it took.
  const stopping = second.stop();
  await loads[1].stop();
  const stopped = await stopping;
  await sleep(CALM_MS);
  await Promise.all([loads[0].stop(), loads[2].stop()]);
  const [old, leaving, fresh] = loads.map((load) => load.take(versions));
  await newer.stop();
  const after = schema();
  const failed = [old, leaving, fresh].some((seen) => seen.not_answered > 0) || stopped !== 0 || before === after;
  return { failed, rate: RATE, cycles: CYCLES * urls.length, schema: [before, after], stopped, old, leaving, fresh };
}

/** Requests at a server that is not the first. */
function at(server, people, mayAnswer) {
  const url = `${server.url}/v1/models/${SLUG}:predict`;
  const ask = (instances, agent) => exchange(url, "POST", people.headers, JSON.stringify({ instances }), agent);
  return new Load(ask, RATE, thing, byVersion(mayAnswer));
}

process.env.MILLRACE_BINARY = OLDER;
const first = await startServer({ env: SETTINGS });
try {
  const seen = await measure();
  console.log(JSON.stringify(seen));
  process.exitCode = seen.failed ? 1 : 0;
} finally {
  await first.stop();
}
