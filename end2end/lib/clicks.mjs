// Ad clicks for benches: twelve numbers and eight categories, which look drawn and depend on the place of a row alone.

const [NUMBERS, CATEGORIES, LEVELS] = [12, 8, 20];

/** The problem of that slug. */
export function problem(slug) {
  return {
    slug,
    title: "Is it clicked",
    decision: "what is shown",
    target: { name: "clicked", kind: "binary", column: "clicked" },
    data: { split: { kind: "random", validation: 0.2, test: 0.2, seed: 1 } },
    features: [
      ...Array.from({ length: NUMBERS }, (_, place) => ({ name: `n${place}` })),
      ...Array.from({ length: CATEGORIES }, (_, place) => ({ name: `c${place}`, type: "category" })),
    ],
    success: { metric: "roc_auc", at_least: 0.5 },
    serving: { p99_ms: 250, throughput_rps: 50 },
  };
}

/** What a model is asked about one row. */
export function instance(number) {
  const drawn = (place) => (Math.imul(number * 20 + place + 1, 2_654_435_761) >>> 0) / 2 ** 32;
  const numbers = Array.from({ length: NUMBERS }, (_, place) => [`n${place}`, Number((drawn(place) * 100).toFixed(3))]);
  const level = (place) => `level ${Math.floor(drawn(NUMBERS + place) * LEVELS)}`;
  const categories = Array.from({ length: CATEGORIES }, (_, place) => [`c${place}`, level(place)]);
  return Object.fromEntries([...numbers, ...categories]);
}

/** The first rows with their labels, as a file. */
export function csv(rows) {
  const lines = Array.from({ length: rows }, (_, number) => {
    const row = instance(number);
    const lean = row.n0 + 0.5 * row.n1 - 0.3 * row.n2 + (row.c0 < "level 15" ? 30 : 0) + (Math.imul(number, 40_503) % 97) / 2;
    return [...Object.values(row), lean > 75 ? 1 : 0].join(",");
  });
  return `${[...Object.keys(instance(0)), "clicked"].join(",")}\n${lines.join("\n")}\n`;
}
