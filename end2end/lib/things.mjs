// Things and which shelf they go on: a problem that is trained in a moment, with two versions that may follow each other.

import { deploy } from "./deployment.mjs";

/** The problem's name. */
export const SLUG = "switching";

/** A thing about which a model is asked. */
export function thing(number) {
  const x = ((number * 2_654_435_761) % 1_000) / 10;
  const y = ((number * 40_503) % 977) / 9.77;
  return { x, y };
}

/** Two approved versions, the first one live. */
export async function twoVersions(server) {
  const stage = { min_predictions: 1, min_duration: "0s" };
  const document = {
    slug: SLUG,
    title: "Is it big",
    decision: "which shelf",
    target: { name: "big", kind: "binary", column: "big" },
    data: { entity: "thing", split: { kind: "random", validation: 0.2, test: 0.2, seed: 1 } },
    features: [{ name: "x" }, { name: "y" }],
    success: { metric: "roc_auc", at_least: 0.6 },
    serving: { p99_ms: 250, throughput_rps: 50 },
    // Nobody tells what became of the things.
    rollout: { shadow: stage, canary: { percent: 50, ...stage }, watch: stage, watched: ["quality"] },
  };
  const rows = Array.from({ length: 4_000 }, (_, number) => {
    const { x, y } = thing(number);
    return `t${number},${x},${y},${x + 0.2 * y + ((number * 97) % 401) / 10 > 80 ? 1 : 0}`;
  });
  const trainings = [1, 2].map((seed) => ({ trainer: "gradient_boosting", seed }));
  return deploy(server, { document, csv: `thing,x,y,big\n${rows.join("\n")}\n`, trainings, sample: thing(1) });
}

/** A request about a thing of its own. */
export function asked(number) {
  return { entity: `t${number}`, ...thing(number) };
}
