// What a search costs besides fitting: a trial is drawn, claimed, computed, and kept with its score, its log and its attempt, each durable in
// Postgres before the next begins. Measured in a database that has few trials, and in one that has a hundred thousand.
//
//   MILLRACE_BINARY=… MILLRACE_SITE=… node bench/trials.mjs [trials] [kept]
//
// Prints one line of JSON, in milliseconds: `trial` is what one takes from its beginning to that of the next, `worked` the part of it in
// which its step is worked at: a small tree is fitted, measured and kept. The goal is 2 ms for asking and telling, at any number of trials.

import { csv, instance, problem } from "../lib/clicks.mjs";
import { deploy, eventually } from "../lib/deployment.mjs";
import { Postgres } from "../lib/postgres.mjs";
import { startServer } from "../lib/server.mjs";

const [TRIALS, KEPT] = [2, 3].map((place, index) => Number(process.argv[place] ?? [300, 100_000][index]));
const ROWS = 400;
/** Rows are copied that far from theirs. */
const APART = 1_000_000;
/** What holds the trials of a search, and the columns that have the number of a row of its own. */
const TABLES = {
  run: ["id"],
  step: ["id", "subject_id"],
  step_attempt: ["step_id"],
  step_log: ["step_id"],
  trial: ["run_id"],
};

async function measure() {
  const training = (seed) => ({ trainer: "decision_tree", budget: TRIALS, parallel: 1, seed });
  const document = problem("bench-trials");
  const served = await deploy(server, { document, csv: csv(ROWS), trainings: [training(1)], sample: instance(0) });
  const few = told(1);
  const copies = Math.ceil(KEPT / TRIALS);
  copy(copies);
  const { run } = await served.post("/api/v1/problems/bench-trials/runs", training(2));
  await eventually("a model", async () => (await served.get(`/api/v1/runs/${run}`)).state === "succeeded", 180);
  return { trials: TRIALS, few, kept: Number(postgres.ask("select count(*) from trial")), many: told(run) };
}

/** What the trials of a run took, in the middle. */
function told(run) {
  const took = postgres.ask(`
    with steps as (select started_at, finished_at, cpu_s, lead(started_at) over (order by part) as next
        from step where subject_kind = 'run' and subject_id = ${run} and kind = 'trial' and state = 'succeeded')
    select json_build_object(
        'n', count(*),
        'trial', round(1000 * percentile_cont(0.5) within group (order by extract(epoch from next - started_at))::numeric, 2),
        'worked', round(1000 * percentile_cont(0.5) within group (order by extract(epoch from finished_at - started_at))::numeric, 2))
    from steps`);
  return JSON.parse(took);
}

/** Copies a run with its trials so many times. */
function copy(copies) {
  const all = postgres.ask(
    "select table_name || ' ' || column_name from information_schema.columns where table_schema = 'public' and is_generated = 'NEVER'",
  );
  const columns = all.split("\n").map((line) => line.split(" "));
  const statements = Object.entries(TABLES).map(([table, numbers]) => {
    const names = columns.filter(([of]) => of === table).map(([, name]) => name);
    const values = names.map((name) => (numbers.includes(name) ? `t.${name} + d * ${APART}` : `t.${name}`));
    const own = table === "step" ? "and t.subject_kind = 'run'" : "";
    return `insert into ${table} (${names.join(", ")}) overriding system value
      select ${values.join(", ")} from ${table} t, generate_series(1, ${copies}) d where t.${numbers[0]} < ${APART} ${own};`;
  });
  // Rules of the rows are kept where the rows come from.
  postgres.ask(`begin; set local session_replication_role = replica; ${statements.join("\n")} commit; analyze`);
}

const server = await startServer({ env: { MILLRACE_TOKEN_RATE: "1000000" } });
let postgres;
try {
  postgres = new Postgres(server.home);
  console.log(JSON.stringify(await measure()));
} finally {
  await server.stop();
}
