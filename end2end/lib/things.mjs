// Things and which shelf they go on: a problem that is trained in a moment, with two versions that may follow each other.

import { deploy } from "./deployment.mjs";

/** A request about a thing of its own. */
export function thing(number) {
  const x = ((number * 2_654_435_761) % 1_000) / 10;
  const y = ((number * 40_503) % 977) / 9.77;
  return { entity: `t${number}`, x, y };
}

const SHORT = { min_predictions: 1, min_duration: "0s" };
/** A rollout that goes on as soon as it can. Nobody tells what became of the things. */
export const QUICK = { shadow: SHORT, canary: { percent: 50, ...SHORT }, watch: SHORT, watched: ["quality"] };

/**
 * Two approved versions of a problem of that name, the first one live.
 *
 * @param {object} rollout what its document says of rollouts
 */
export async function twoVersions(server, slug, rollout) {
  const document = {
    slug,
    title: "Is it big",
    decision: "which shelf",
    target: { name: "big", kind: "binary", column: "big" },
    data: { entity: "thing", split: { kind: "random", validation: 0.2, test: 0.2, seed: 1 } },
    features: [{ name: "x" }, { name: "y" }],
    success: { metric: "roc_auc", at_least: 0.6 },
    serving: { p99_ms: 250, throughput_rps: 50 },
    rollout,
  };
  const rows = Array.from({ length: 4_000 }, (_, number) => {
    const { entity, x, y } = thing(number);
    return `${entity},${x},${y},${x + 0.2 * y + ((number * 97) % 401) / 10 > 80 ? 1 : 0}`;
  });
  const trainings = [1, 2].map((seed) => ({ trainer: "gradient_boosting", seed }));
  return deploy(server, { document, csv: `thing,x,y,big\n${rows.join("\n")}\n`, trainings, sample: thing(0) });
}

/** What is kept of an answer: the version, and whether it may answer now. */
export function byVersion(mayAnswer = (version) => version === 1 || version === 2) {
  return ({ model_version: version }) => ({ version, good: mayAnswer(version) });
}

/** How often each of the two versions answered. */
export function versions(seen) {
  const by = (version) => seen.filter((one) => one.version === version).length;
  return { by_version: { 1: by(1), 2: by(2) } };
}
