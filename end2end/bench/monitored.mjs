// What watching live deployments costs: one, and then a thousand, each asked all the time and judged every minute against what its model
// was trained on: drift of every feature and of the answers, estimated quality, freshness of the data.
//
//   MILLRACE_BINARY=… MILLRACE_SITE=… node bench/monitored.mjs [deployments] [minutes] [features]
//
// Prints a table and one line of JSON. The goal: 1,000 monitored deployments use at most 10 % of one core, server and Postgres together.
// The script fails where a deployment was not judged in each of the minutes. One deployment is made as people make it; the others are copies
// of its rows. What servers would have counted of their answers is written before: what is measured is watching, not answering.

import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";

import { Postgres, used } from "../lib/postgres.mjs";
import { startServer } from "../lib/server.mjs";

const [DEPLOYMENTS, MINUTES, FEATURES] = [2, 3, 4].map((place, index) => Number(process.argv[place] ?? [1_000, 3, 20][index]));
const GOAL_PERCENT = 10;
const SLUG = "monitored";
const ROWS = 4_000;
/** Answers in a minute, at least. */
const ANSWERS = 400;
/** Second of the minute from which on it is measured. */
const FROM_SECOND = 15;
/** Minutes that the one deployment is measured for. */
const ALONE_MINUTES = 1;
/** Seconds until everything is in place, and until everything was judged once. */
const [PLACED_WITHIN_S, ROUND_WITHIN_S] = [180, 240];
/** No table has so many rows before rows are copied. */
const APART = 1_000_000;
/** Whose counts they are. */
const OTHER_SERVER = "00000000-0000-4000-8000-000000000001";
const PASSWORD = "a long password of the bench";
/** What makes up a deployment that is watched, and the columns that hold the number of a row of its own. */
const TABLES = {
  problem: ["id"],
  problem_version: ["id", "problem_id"],
  decision: ["id", "subject_id"],
  dataset: ["id", "problem_id"],
  dataset_version: ["id", "dataset_id", "problem_version_id", "base_id", "corrects_id"],
  run: ["id", "problem_version_id", "dataset_version_id"],
  run_metric: ["run_id"],
  run_artifact: ["run_id"],
  model_version: ["id", "problem_id", "run_id"],
  deployment: ["problem_id", "champion_id"],
  deployment_change: ["problem_id", "champion_id", "previous_id"],
};

async function measure() {
  await setUp();
  const [version, width] = await counted();
  console.error(`server ${server.pid}, postgres ${postgres.pid}: one deployment, ${FEATURES} features, ${width} counts`);
  writeCounts(version, 1, ALONE_MINUTES + 5);
  await judgedOnce(1);
  const alone = await watched(1, ALONE_MINUTES);
  copy();
  // Some minutes pass until everything is in place.
  writeCounts(version, DEPLOYMENTS, MINUTES + Math.ceil((PLACED_WITHIN_S + ROUND_WITHIN_S) / 60) + 2);
  sql("vacuum analyze; checkpoint");
  const placed = () => Number(sql("select count(*) from server_route")) >= DEPLOYMENTS;
  await eventually("every deployment being in place", placed, PLACED_WITHIN_S);
  await judgedOnce(DEPLOYMENTS);
  return [alone, await watched(DEPLOYMENTS, MINUTES)];
}

/** What watching takes, of one core, while so many minutes pass. Nobody asks the database anything meanwhile. */
async function watched(deployments, minutes) {
  // A window is judged from about 20 seconds after its end on: what is judged in its minute is counted in it.
  await sleep((60_000 + FROM_SECOND * 1000 - (Date.now() % 60_000)) % 60_000);
  const [from, before] = [sql("select now()"), { at: performance.now(), server: used(server.pid), postgres: postgres.used() }];
  await sleep(minutes * 60_000);
  const after = { at: performance.now(), server: used(server.pid), postgres: postgres.used() };
  const to = sql("select now()");
  const percent = (what) => rounded((100_000 * (after[what] - before[what])) / (after.at - before.at), 2);
  // A window and the event that tells of it are written together.
  const found = sql(`
    with judged as (select w.problem_id, extract(epoch from e.at - w.ends) as late, w.finding ->> 'verdict' as verdict
        from monitor_window w join event e on e.xmin = w.xmin and e.subject_kind = 'deployment' and e.subject_id = w.problem_id
        where e.payload ->> 'kind' = 'window' and e.at >= '${from}' and e.at < '${to}'),
    each as (select p.id, count(j.problem_id) as n from problem p left join judged j on j.problem_id = p.id group by p.id)
    select json_build_object('windows', (select count(*) from judged),
        'verdicts', (select json_object_agg(coalesce(verdict, 'none'), n) from (select verdict, count(*) as n from judged group by 1) v),
        'late_p50_s', (select percentile_disc(0.5) within group (order by late) from judged),
        'late_most_s', (select max(late) from judged), 'deployments', (select count(*) from each), 'least', (select min(n) from each))`);
  const { windows, verdicts, late_p50_s, late_most_s, least, deployments: there } = JSON.parse(found);
  const said = JSON.stringify({ deployments, there, due: deployments * minutes, windows, least, verdicts });
  const wrong = there !== deployments || least < minutes;
  const empty = windows !== (verdicts?.stable ?? 0) + (verdicts?.drifted ?? 0);
  if (wrong || empty) failures.push(`${wrong ? "not every deployment was judged every minute" : "windows without a verdict"}: ${said}`);
  const [of_server, of_postgres] = [percent("server"), percent("postgres")];
  return {
    deployments,
    minutes,
    is_judged: !wrong && !empty,
    windows,
    verdicts,
    late_p50_s: late_p50_s && rounded(late_p50_s, 1),
    late_most_s: late_most_s && rounded(late_most_s, 1),
    server_percent: of_server,
    postgres_percent: of_postgres,
    percent: rounded(of_server + of_postgres, 2),
    server_mb: held(),
  };
}

/** Waits until so many deployments were judged by something that was counted. */
async function judgedOnce(deployments) {
  const judged = "select count(distinct problem_id) from monitor_window where finding ->> 'verdict' in ('stable', 'drifted')";
  await eventually("every deployment being judged once", () => Number(sql(judged)) >= deployments, ROUND_WITHIN_S);
}

/** Has answers counted; gives the version that gave them, and how many numbers are counted. */
async function counted() {
  for (let first = 0; first < ANSWERS; first += 50) {
    const instances = Array.from({ length: 50 }, (_, place) => ({ entity: `a${first + place}`, ...thing(ROWS + first + place) }));
    await post(`/v1/models/${SLUG}:predict`, { instances });
  }
  const written = `select coalesce(sum((select sum(n) from unnest(counts) n)), 0) from live_count`;
  await eventually("answers being counted", () => Number(sql(written)) >= ANSWERS * (FEATURES + 2), 60);
  return sql("select model_version_id || ' ' || cardinality(counts) from live_count limit 1").split(" ").map(Number);
}

/** Writes what another server counted of each deployment in each of the minutes to come: as the first was asked, once or several times. */
function writeCounts(version, deployments, minutes) {
  sql(`
    delete from live_count where server = '${OTHER_SERVER}';
    with seen as (select o, sum(n)::bigint as n from live_count c, unnest(c.counts) with ordinality u(n, o)
            where c.model_version_id = ${version} and c.begins < now() group by o),
        kinds as (select k, array_agg(n * k order by o) as counts from seen, generate_series(1, 3) k group by k)
    insert into live_count (model_version_id, begins, seconds, server, counts)
    select ${version} + d * ${APART}, date_trunc('minute', now()) + m * interval '1 minute', 60, '${OTHER_SERVER}', counts
    from generate_series(0, ${deployments - 1}) d, generate_series(0, ${minutes - 1}) m, kinds where k = 1 + (d + m) % 3`);
}

/** Copies the rows of the one deployment: the same model, data and approval under other numbers and another name. */
function copy() {
  const all = sql("select table_name || ' ' || column_name from information_schema.columns where table_schema = 'public' and is_generated = 'NEVER'");
  const columns = all.split("\n").map((line) => line.split(" "));
  const statements = Object.entries(TABLES).map(([table, numbers]) => {
    const names = columns.filter(([of]) => of === table).map(([, name]) => name);
    const values = names.map((name) => {
      if (numbers.includes(name)) return `t.${name} + d * ${APART}`;
      if (name === "slug") return "t.slug || '-' || d";
      if (name === "document") return "jsonb_set(t.document, '{slug}', to_jsonb(t.document ->> 'slug' || '-' || d))";
      // They are live from this minute on.
      return table.startsWith("deployment") && name === "changed_at" ? "date_trunc('minute', now())" : `t.${name}`;
    });
    return `insert into ${table} (${names.join(", ")}) overriding system value
      select ${values.join(", ")} from ${table} t, generate_series(1, ${DEPLOYMENTS - 1}) d where t.${numbers[0]} < ${APART};`;
  });
  // Rules of the rows are kept where the rows come from.
  sql(`begin; set local session_replication_role = replica; ${statements.join("\n")} commit; notify millrace_routing`);
}

function sql(statements) {
  return postgres.ask(statements);
}

/** Megabytes of memory that the server holds. */
function held() {
  return Math.round(Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${server.pid}/status`, "utf8"))[1]) / 1024);
}

function rounded(number, digits) {
  return Number(Number(number).toFixed(digits));
}

/** Numbers between 0 and 1 that look drawn. */
function thing(number) {
  const drawn = (place) => (Math.imul((number * FEATURES + place) ^ 0x9e37_79b9, 2_654_435_761) >>> 8) / 2 ** 24;
  return Object.fromEntries(Array.from({ length: FEATURES }, (_, place) => [`f${place}`, drawn(place)]));
}

/** Two people, a signed-off problem that is watched by the minute, and a version that is live. */
async function setUp() {
  const env = { ...process.env, DATABASE_URL: undefined, MILLRACE_HOME: server.home };
  const run = (args, input) => execFileSync(process.env.MILLRACE_BINARY, args, { env, input, stdio: ["pipe", "pipe", "ignore"] });
  for (const [name, role] of [
    ["engineer", "ml_engineer"],
    ["signer", "stakeholder"],
  ]) {
    run(["user", "add", "--email", `${name}@example.org`, "--role", role, "--password-stdin"], PASSWORD);
  }
  const scopes = "read,launch,deploy,predict";
  const token = run(["token", "create", "--email", "engineer@example.org", "--scopes", scopes]).toString().trim();
  headers = { authorization: `Bearer ${token}`, "content-type": "application/json" };
  const session = { origin: server.url, "content-type": "application/json" };
  const { cookie } = await ask("POST", "/api/v1/session", { email: "signer@example.org", password: PASSWORD }, session);
  const decide = (path, digest) =>
    ask("POST", `${path}/decisions`, { decision: "approve", digest, comment: "fine" }, { ...session, cookie });

  const saved = await post("/api/v1/problems", {
    slug: SLUG,
    title: "Is it big",
    decision: "which shelf",
    target: { name: "big", kind: "binary", column: "big" },
    data: { entity: "thing", split: { kind: "random", validation: 0.2, test: 0.2, seed: 1 } },
    features: Array.from({ length: FEATURES }, (_, place) => ({ name: `f${place}` })),
    success: { metric: "roc_auc", at_least: 0.6 },
    serving: { p99_ms: 250, throughput_rps: 50 },
    monitoring: {
      window: "1m",
      drift: { metric: "psi", threshold: 0.2, windows: 2 },
      min_rows: 100,
      freshness: "30d",
      estimated_loss: 0.1,
    },
  });
  const signed = `/api/v1/problems/${SLUG}/versions/1`;
  await post(`${signed}/submit`, {});
  await decide(signed, saved.digest);
  const names = Object.keys(thing(0));
  const rows = Array.from({ length: ROWS }, (_, number) => {
    const cells = Object.values(thing(number));
    return `t${number},${cells.join(",")},${cells[0] + cells[1] + 0.4 * cells.at(-1) > 1.2 ? 1 : 0}`;
  });
  const form = new FormData();
  form.set("problem", SLUG);
  form.set("name", "things");
  form.set("file", new Blob([`thing,${names.join(",")},big\n${rows.join("\n")}\n`], { type: "text/csv" }), "things.csv");
  const { authorization } = headers;
  const sent = await fetch(`${server.url}/api/v1/datasets`, { method: "POST", headers: { authorization }, body: form });
  const { dataset } = await sent.json();
  const state = async (path) => (await ask("GET", path)).state;
  await eventually("valid data", async () => (await ask("GET", `/api/v1/datasets/${dataset}/versions/1`)).summary.state === "valid");
  const { run: started } = await post(`/api/v1/problems/${SLUG}/runs`, { trainer: "logistic" });
  await eventually("a model", async () => (await state(`/api/v1/runs/${started}`)) === "succeeded", 120);
  const model = `/api/v1/models/${SLUG}/versions/1`;
  await decide(model, (await ask("GET", model)).digest);
  await post(`/api/v1/deployments/${SLUG}/rollouts`, { version: 1, reason: "first" });
  const answers = async () => {
    const body = JSON.stringify({ instances: [thing(0)] });
    return (await fetch(`${server.url}/v1/models/${SLUG}:predict`, { method: "POST", headers, body })).ok;
  };
  await eventually("the model answering", answers);
}

async function ask(method, path, body, as = headers) {
  const answer = await fetch(`${server.url}${path}`, { method, headers: as, body: body && JSON.stringify(body) });
  const text = await answer.text();
  if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${text}`);
  return { ...(text ? JSON.parse(text) : {}), cookie: answer.headers.get("set-cookie")?.split(";")[0] };
}

function post(path, body) {
  return ask("POST", path, body);
}

async function eventually(what, isSo, seconds = 60) {
  for (const began = performance.now(); performance.now() - began < seconds * 1000; await sleep(500)) {
    if (await isSo()) return;
  }
  throw new Error(`${what}: not within ${seconds} s`);
}

function print(lines) {
  const table = [["deployments", "windows judged", "s after their end, p50 / most", "server CPU %", "Postgres CPU %", `goal <= ${GOAL_PERCENT} %`]];
  for (const line of lines) {
    const goal = `${line.percent} ${line.is_judged && line.percent <= GOAL_PERCENT ? "kept" : "missed"}`;
    const late = `${line.late_p50_s ?? "-"} / ${line.late_most_s ?? "-"}`;
    const windows = `${line.windows} of ${line.deployments * line.minutes}`;
    table.push([line.deployments, windows, late, line.server_percent, line.postgres_percent, goal].map(String));
  }
  const widths = table[0].map((_, column) => Math.max(...table.map((cells) => cells[column].length)));
  for (const cells of table) console.log(cells.map((cell, column) => cell.padStart(widths[column])).join("   "));
}

const failures = [];
let headers;
const server = await startServer({ env: { MILLRACE_TOKEN_RATE: "1000000" } });
let postgres;
try {
  postgres = new Postgres(server.home);
  const lines = await measure();
  print(lines);
  console.log(JSON.stringify(lines));
  if (failures.length > 0) throw new Error(failures.join("\n"));
} finally {
  await server.stop();
}
