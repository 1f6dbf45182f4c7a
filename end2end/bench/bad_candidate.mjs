// What a bad candidate in the shadow costs callers, who are answered by the live version alone: a fixed rate of requests, first while there is no
// candidate, then while one panics, hangs for half a minute or takes 2 GiB at every request, then once it was taken back. A server of its own
// for each.
//
//   MILLRACE_BINARY=… MILLRACE_SITE=… node bench/bad_candidate.mjs [requests a second] [seconds a stretch] [modes]
//
// The modes, with commas: panic, hang and allocate, as when none are named; fail, whose every answer is an error; good, which costs what any
// shadow does. The binary is one of a dev build: others have no failpoints. `allocate` takes 2 GiB of memory beside what it has.
//
// Prints a table and one line of JSON. The goals: in the shadow p99 is at most 1.2 times what it was before, every answer is that of before, and
// so is every process, nobody goes without an answer, and of the requests that wait for the candidate no more are kept than its queue holds.
// The script fails where one of them is missed, but for the first: that one also says how many processors the machine has.
// Latency is from the moment a request was due, so that a server that stalls is not spared what waited. What waits for a candidate that is
// taken back is not tried any more; the last stretch shows whether that is so.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

import { Load } from "../lib/load.mjs";
import { startServer } from "../lib/server.mjs";
import { thing, twoVersions } from "../lib/things.mjs";

const [RATE, SECONDS] = [2, 3].map((place, index) => Number(process.argv[place] ?? [300, 20][index]));
const MODES = (process.argv[4] ?? "panic,hang,allocate").split(",");
const GOAL = 1.2;
/** Seconds before anything is measured, and between a change and what is measured of it. */
const [WARM_S, SETTLE_S] = [3, 2];
/** Different things that are asked about; one request can hold them all. */
const THINGS = 1_000;
/** Requests that may wait for a candidate, and by how many seconds of requests what is counted may lag behind. */
const [QUEUE, LAG_S] = [1_000, 2];
const LOOK_EVERY_MS = 100;
/** Seconds that a request hangs. */
const HANGS_S = 30;
const SLUG = "bad-candidate";
/** It stays in the shadow whatever it shows. */
const IN_THE_SHADOW = { shadow: { min_predictions: 1_000_000, min_duration: "1d" }, on_breach: "ask" };
/** What shows that the candidate did as it was told. */
const STRUCK = {
  panic: ({ failed }) => failed > 0,
  hang: ({ answered }) => answered <= (SETTLE_S + SECONDS) / HANGS_S,
  allocate: ({ quiet_mb, most_mb }) => most_mb > quiet_mb + 1_500,
  fail: ({ failed }) => failed > 0,
  good: ({ answered, failed }) => answered > 0 && failed === 0,
};

async function measure(mode) {
  const people = await twoVersions(server, SLUG, IN_THE_SHADOW);
  const { text: told } = await people.predict(Array.from({ length: THINGS }, (_, number) => thing(number)));
  const expected = said(JSON.parse(told));
  const born = processes();
  const changed = (answer, number) => ({ changed: said(answer)[0] !== expected[number % THINGS] });
  const load = new Load(people.predict, RATE, (number) => thing(number % THINGS), changed);
  const take = () => load.take((seen) => ({ changed: seen.filter((one) => one.changed).length }));
  const stretch = async (seconds) => {
    await sleep(seconds * 1000);
    return take();
  };
  const warm = await stretch(WARM_S);
  const quiet = await stretch(SECONDS);
  const quiet_mb = held();
  const { stage } = await people.post(`/api/v1/deployments/${SLUG}/rollouts`, { version: 2, reason: "shadow" });
  if (stage !== "shadow") throw new Error(`the candidate is in ${stage}`);
  const begins = await stretch(SETTLE_S);
  let most_mb = held();
  const looks = setInterval(() => (most_mb = Math.max(most_mb, held())), LOOK_EVERY_MS);
  const shadowed = await stretch(SECONDS);
  clearInterval(looks);
  const { counted, state } = (await people.get(`/api/v1/deployments/${SLUG}`)).rollout;
  const [candidate, control] = counted.sides;
  // What could not be logged, and what was compared and could not be, since the log's queue was full.
  const dropped = ["millrace_prediction_log_dropped_total", "millrace_comparisons_dropped_total"].map(people.total);
  const dropped_from_log = (await Promise.all(dropped)).reduce((sum, one) => sum + one, 0);
  await people.post(`/api/v1/deployments/${SLUG}/rollback`, { reason: "measured" });
  const ends = await stretch(SETTLE_S);
  const after = await stretch(SECONDS);
  const after_mb = held();
  await load.stop();
  const all = [warm, quiet, begins, shadowed, ends, after, take()];
  const sum = (what) => all.reduce((total, one) => total + one[what], 0);
  const line = {
    mode,
    state,
    quiet,
    shadowed,
    after,
    ratio: Number((shadowed.p99_ms / quiet.p99_ms).toFixed(2)),
    ratio_after: Number((after.p99_ms / quiet.p99_ms).toFixed(2)),
    requests: sum("requests"),
    not_answered: sum("not_answered"),
    changed: sum("changed"),
    // Of the candidate, in the shadow.
    answered: candidate.answered,
    failed: candidate.failed,
    dropped: counted.dropped,
    waiting: control.answered - candidate.answered - candidate.failed - counted.dropped,
    dropped_from_log,
    quiet_mb,
    most_mb,
    after_mb,
    same_processes: born === processes(),
  };
  judge(line, control.answered);
  return line;
}

/** Notes which goals were missed, and whether anything was measured at all. */
function judge(line, asked) {
  const { mode, not_answered, changed, waiting, same_processes } = line;
  if (asked === 0 || !STRUCK[mode](line)) failures.push(`${mode}: the candidate was not in the shadow as it should be; is it a dev build?`);
  if (not_answered > 0) failures.push(`${mode}: ${not_answered} requests were not answered`);
  if (changed > 0) failures.push(`${mode}: ${changed} answers were others than before`);
  if (waiting > QUEUE + LAG_S * RATE) failures.push(`${mode}: ${waiting} requests wait for the candidate`);
  if (!same_processes) failures.push(`${mode}: the server or its Postgres is not the process that it was`);
}

/** Every prediction of an answer as it must stay, whichever request asked for it: all but its id, with who gave it. */
function said({ predictions, model_version, stage }) {
  return predictions.map(({ id: _, ...prediction }) => JSON.stringify({ model_version, stage, ...prediction }));
}

/** Server and Postgres, each with when it began: another process under the same number began later. */
function processes() {
  const postmaster = readFileSync(join(server.home, "postgres", "data", "postmaster.pid"), "utf8").split("\n")[0];
  const began = (pid) => {
    try {
      return `${pid} ${readFileSync(`/proc/${pid}/stat`, "utf8").replace(/^.*\) /s, "").split(" ")[19]}`;
    } catch {
      return `${pid} gone`;
    }
  };
  return [server.pid, postmaster].map(began).join(", ");
}

/** Megabytes of memory that the server holds; none of one that is gone. */
function held() {
  try {
    return Math.round(Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${server.pid}/status`, "utf8"))[1]) / 1024);
  } catch {
    return 0;
  }
}


function print(lines) {
  const table = [
    [
      "candidate",
      "quiet p50 / p99 ms",
      "shadowed p50 / p99 ms",
      `ratio, goal <= ${GOAL}`,
      "after p50 / p99 ms",
      "non-2xx",
      "changed",
      "dropped in the shadow",
      "waiting",
      "MB quiet / most / after",
      "same pids",
    ],
  ];
  for (const line of lines) {
    const times = ({ p50_ms, p99_ms }) => `${p50_ms.toFixed(1)} / ${p99_ms.toFixed(1)}`;
    table.push(
      [
        line.mode,
        times(line.quiet),
        times(line.shadowed),
        `${line.ratio} ${line.ratio <= GOAL ? "kept" : "missed"}`,
        times(line.after),
        line.not_answered,
        line.changed,
        line.dropped,
        line.waiting,
        `${line.quiet_mb} / ${line.most_mb} / ${line.after_mb}`,
        line.same_processes ? "yes" : "no",
      ].map(String),
    );
  }
  const widths = table[0].map((_, column) => Math.max(...table.map((cells) => cells[column].length)));
  for (const cells of table) console.log(cells.map((cell, column) => cell.padStart(widths[column])).join("   "));
}

const unknown = MODES.filter((mode) => !Object.hasOwn(STRUCK, mode));
if (unknown.length > 0) throw new Error(`no such mode: ${unknown.join(", ")}; there are ${Object.keys(STRUCK).join(", ")}`);
const failures = [];
const lines = [];
let server;
for (const mode of MODES) {
  // A name that no failpoint has arms none.
  server = await startServer({ env: { MILLRACE_TOKEN_RATE: "1000000", MILLRACE_FAILPOINT: `candidate:${mode}` } });
  try {
    lines.push(await measure(mode));
  } finally {
    await server.stop();
  }
}
print(lines);
console.log(JSON.stringify(lines));
if (failures.length > 0) throw new Error(failures.join("\n"));
