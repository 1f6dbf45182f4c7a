// What the whole cycle takes: 100,000 rows with 20 inputs are brought in and checked, a boosting model is fitted, measured, judged and
// registered, goes live, and answers 10,000 callers, eight at a time.
//
//   MILLRACE_BINARY=… MILLRACE_SITE=… node bench/cycle.mjs [rows] [predictions]
//
// Needs a release build. Prints one line of JSON, in seconds; `steps` is what each step of the pipeline took, waiting not counted. The goal
// is 4 s in all. Nobody's approval is waited for, and what a window of the answers shows comes once it has ended.

import { connect } from "node:net";

import { csv, instance, problem } from "../lib/clicks.mjs";
import { deploy } from "../lib/deployment.mjs";
import { startServer } from "../lib/server.mjs";

const [ROWS, PREDICTIONS] = [2, 3].map((place, index) => Number(process.argv[place] ?? [100_000, 10_000][index]));
const CALLERS = 8;

async function measure() {
  const took = {};
  const [document, content] = [problem("bench-cycle"), csv(ROWS)];
  let at = performance.now();
  const reached = (what) => {
    const now = performance.now();
    took[what] = seconds(now - at);
    at = now;
  };
  const trainings = [{ trainer: "gradient_boosting", seed: 1 }];
  const served = await deploy(server, { document, csv: content, trainings, sample: instance(0) }, reached);
  const requests = Array.from({ length: PREDICTIONS }, (_, number) => written(served, instance(ROWS + number)));
  at = performance.now();
  await Promise.all(Array.from({ length: CALLERS }, () => caller(served, requests)));
  reached("predictions");
  const { signed: _, ...counted } = took;
  const { steps } = await served.get("/api/v1/runs/1");
  return {
    total: seconds(1_000 * Object.values(counted).reduce((sum, one) => sum + one, 0)),
    ...counted,
    steps: Object.fromEntries(
      steps.map((step) => [step.kind, { took: seconds(new Date(step.finished_at) - new Date(step.started_at)), cpu: step.cpu_s }]),
    ),
  };
}

/** A request as it is sent. */
function written(served, asked) {
  const body = JSON.stringify({ instances: [asked] });
  const { pathname, host } = new URL(served.predictUrl);
  const headers = { host, "content-length": Buffer.byteLength(body), ...served.headers };
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  return `POST ${pathname} HTTP/1.1\r\n${lines.join("")}\r\n${body}`;
}

/** Sends what is left of the requests over a connection, one after the other: a client that costs little beside the server. */
function caller(served, requests) {
  const { hostname, port } = new URL(served.predictUrl);
  return new Promise((resolve, reject) => {
    const socket = connect(Number(port), hostname);
    let answer = "";
    const next = () => {
      answer = "";
      const request = requests.pop();
      if (request) socket.write(request);
      else socket.end(resolve);
    };
    socket.setNoDelay().setEncoding("utf8").on("connect", next).on("error", reject);
    socket.on("end", () => reject(new Error(`the server closed the connection: ${answer}`)));
    socket.on("data", (piece) => {
      answer += piece;
      const head = answer.indexOf("\r\n\r\n");
      const length = Number(/content-length: (\d+)/i.exec(answer)?.[1] ?? Number.NaN);
      if (head < 0 || answer.length < head + 4 + length) return;
      if (!answer.startsWith("HTTP/1.1 200")) reject(new Error(answer));
      else next();
    });
  });
}

const seconds = (ms) => Number((ms / 1_000).toFixed(2));

const server = await startServer({ env: { MILLRACE_TOKEN_RATE: "100000000" } });
try {
  console.log(JSON.stringify(await measure()));
} finally {
  await server.stop();
}
