// What rehearsing a year costs: hourly windows of so many rows, seen by three courses (the policy, never training again, and a schedule), in
// which nothing is trained again, so that only windows are measured.
//
//   MILLRACE_BINARY=… node bench/rehearsal.mjs [hours=8760] [rows=1000]
//
// Prints one line of JSON. The goal: a year of hourly windows at 1,000 rows takes at most 60 s without training. Reading the file is in it
// (half a gigabyte for the year), and the one training of the first model, which sees a thousand rows.

import { spawn } from "node:child_process";
import { createWriteStream } from "node:fs";
import { mkdtemp, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { once } from "node:events";

const [HOURS, ROWS] = [2, 3].map((place, index) => Number(process.argv[place] ?? [8_760, 1_000][index]));
const GOAL_S = 60;
const LONGEST_MS = 600_000;
const BEGIN = Date.UTC(2025, 0, 1);
const FEATURES = 5;

const names = Array.from({ length: FEATURES }, (_, place) => `x${place}`);
const DOCUMENT = `
slug = "year"
title = "A year of hours"
decision = "none, it is a bench"
target = { name = "big", kind = "binary", column = "big" }
data = { event_time = "at", split = { kind = "time", validation = 0.2, test = 0.2 } }
features = [${names.map((name) => `{ name = "${name}" }`).join(", ")}]
success = { metric = "roc_auc", at_least = 0.5 }
monitoring = { window = "1h", drift = { metric = "psi", threshold = 0.25, windows = 2 }, min_rows = 100 }
retraining = { on_drift = true, cool_down = "1d", promote = "automatic" }
`;

/** The rows of the past, always the same ones. */
async function writePast(path) {
  const file = createWriteStream(path);
  file.write(`at,${names.join(",")},big\n`);
  for (let hour = 0; hour < HOURS; hour += 1) {
    let text = "";
    for (let row = 0; row < ROWS; row += 1) {
      const place = hour * ROWS + row;
      const values = names.map((_, feature) => ((place * (2_654_435_761 % (1_009 + 2 * feature))) % 9_973) / 100);
      const at = new Date(BEGIN + hour * 3_600_000 + Math.floor((row / ROWS) * 3_600_000)).toISOString();
      text += `${at},${values.join(",")},${values[0] + values[1] > 100 ? 1 : 0}\n`;
    }
    if (!file.write(text)) await once(file, "drain");
  }
  file.end();
  await once(file, "finish");
}

const home = await mkdtemp(join(tmpdir(), "millrace-rehearsal-"));
try {
  const [past, document] = [join(home, "past.csv"), join(home, "problem.toml")];
  await writeFile(document, DOCUMENT);
  await writePast(past);
  // The first model is trained on what was known after an hour; the schedule is a day that never comes within the year.
  const from = new Date(BEGIN + Math.max(1, Math.ceil(1_000 / ROWS)) * 3_600_000).toISOString();
  const args = ["rehearse", "-f", document, "--data", past, "--from", from, "--trainer", "logistic", "--schedule", "0 0 29 2 *", "--json"];
  const began = performance.now();
  const rehearsal = spawn(process.env.MILLRACE_BINARY, args, { stdio: ["ignore", "pipe", "inherit"], timeout: LONGEST_MS });
  let output = "";
  rehearsal.stdout.setEncoding("utf8").on("data", (text) => (output += text));
  const [code] = await once(rehearsal, "close");
  if (code !== 0) throw new Error(`the rehearsal ended with ${code}: ${output.slice(-2_000)}`);
  const seconds = (performance.now() - began) / 1_000;
  const told = JSON.parse(output);
  const trainings = told.courses.map((course) => course.trainings);
  const megabytes = Math.round((await stat(past)).size / 1e6);
  console.log(JSON.stringify({ hours: HOURS, rows: ROWS, megabytes, trainings, seconds, goal: GOAL_S, kept: seconds <= GOAL_S }));
} finally {
  await rm(home, { recursive: true, force: true });
}
