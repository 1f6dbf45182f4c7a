// What benches need before they measure: people, signed-off problems, data, and approved versions of models, the first of each live.

import { execFileSync } from "node:child_process";
import { request } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";

const PASSWORD = "a long password of the bench";

/**
 * One request, with the whole answer. Without an agent it has a connection of its own: one that was kept may be closed by the server just
 * when it is used again.
 *
 * @returns {Promise<{ status: number, text: string, headers: object }>}
 */
export function exchange(url, method, headers, body, agent) {
  return new Promise((resolve, reject) => {
    const sent = request(url, { method, headers, agent: agent ?? false }, (response) => {
      let text = "";
      response.setEncoding("utf8").on("data", (piece) => (text += piece));
      response.on("error", reject);
      response.on("end", () => resolve({ status: response.statusCode, text, headers: response.headers }));
    });
    sent.on("error", reject).end(body);
  });
}

/** Waits until something is so; names what was not within that time. */
export async function eventually(what, isSo, seconds = 60) {
  for (const began = performance.now(); performance.now() - began < seconds * 1000; await sleep(50)) {
    if (await isSo()) return;
  }
  throw new Error(`${what}: not within ${seconds} s`);
}

/**
 * An engineer, somebody who signs and somebody on call, and what they may ask of a server.
 *
 * @param {{ url: string, home: string }} server
 */
export async function team(server) {
  const env = { ...process.env, DATABASE_URL: undefined, MILLRACE_HOME: server.home };
  const run = (args, input) => execFileSync(process.env.MILLRACE_BINARY, args, { env, input, stdio: ["pipe", "pipe", "ignore"] });
  for (const [name, role] of [
    ["engineer", "ml_engineer"],
    ["signer", "stakeholder"],
    ["oncall", "on_call"],
  ]) {
    run(["user", "add", "--email", `${name}@example.org`, "--role", role, "--password-stdin"], PASSWORD);
  }
  const headersOf = (name, scopes) => {
    const token = run(["token", "create", "--email", `${name}@example.org`, "--scopes", scopes]).toString().trim();
    return { authorization: `Bearer ${token}`, "content-type": "application/json" };
  };
  const headers = headersOf("engineer", "read,launch,deploy,predict");
  const ofMetrics = headersOf("oncall", "metrics");
  const ask = async (method, path, as, body) => {
    const answer = await exchange(`${server.url}${path}`, method, as, body && JSON.stringify(body));
    if (answer.status >= 300) throw new Error(`${method} ${path}: ${answer.status} ${answer.text}`);
    return answer;
  };
  const asked = async (...what) => {
    const { text } = await ask(...what);
    return text ? JSON.parse(text) : {};
  };
  const session = { origin: server.url, "content-type": "application/json" };
  const signedIn = await ask("POST", "/api/v1/session", session, { email: "signer@example.org", password: PASSWORD });
  const cookie = signedIn.headers["set-cookie"][0].split(";")[0];
  return {
    headers,
    post: (path, body) => asked("POST", path, headers, body),
    get: (path) => asked("GET", path, headers),
    decide: (path, digest) =>
      asked("POST", `${path}/decisions`, { ...session, cookie }, { decision: "approve", digest, comment: "fine" }),
    /** What a counter of `/metrics` stands at. */
    total: async (name) => {
      const { text } = await ask("GET", "/metrics", ofMetrics);
      return Number(new RegExp(`^${name}(?:{[^}]*})? (\\d+)`, "m").exec(text)?.[1] ?? 0);
    },
  };
}

/**
 * A problem, signed off; its data; a version of each training, approved; the first one live and answering `sample`.
 *
 * @param {{ url: string, home: string }} server
 * @param {{ document: object, csv: string, trainings: object[], sample: object }} what
 * @param {(what: string) => void} [reached] is told how far it has come: `signed`, `data`, `model` for each of them, `live`
 * @param [people] of that server, if they are there already
 */
export async function deploy(server, { document, csv, trainings, sample }, reached = () => {}, people) {
  const members = people ?? (await team(server));
  const { headers, post, get, decide } = members;
  const { slug } = document;
  const saved = await post("/api/v1/problems", document);
  const version = `/api/v1/problems/${slug}/versions/1`;
  await post(`${version}/submit`, {});
  await decide(version, saved.digest);
  reached("signed");
  const form = new FormData();
  form.set("problem", slug);
  form.set("name", "data");
  form.set("file", new Blob([csv], { type: "text/csv" }), "data.csv");
  const { authorization } = headers;
  const sent = await fetch(`${server.url}/api/v1/datasets`, { method: "POST", headers: { authorization }, body: form });
  const { dataset } = await sent.json();
  await eventually("valid data", async () => (await get(`/api/v1/datasets/${dataset}/versions/1`)).summary.state === "valid");
  reached("data");
  for (const [place, training] of trainings.entries()) {
    const { run: started } = await post(`/api/v1/problems/${slug}/runs`, training);
    await eventually("a model", async () => (await get(`/api/v1/runs/${started}`)).state === "succeeded", 180);
    const path = `/api/v1/models/${slug}/versions/${place + 1}`;
    await decide(path, (await get(path)).digest);
    reached("model");
  }
  await post(`/api/v1/deployments/${slug}/rollouts`, { version: 1, reason: "first" });
  const predictUrl = `${server.url}/v1/models/${slug}:predict`;
  const predict = (instances, agent) => exchange(predictUrl, "POST", headers, JSON.stringify({ instances }), agent);
  await eventually("the model answering", async () => (await predict([sample])).status === 200);
  reached("live");
  return { ...members, predictUrl, predict };
}
