//! What searches of fifty trials come to, and what they cost.

use std::fs;
use std::thread;

use millrace_domain::metric::Metric;
use millrace_domain::trainer::FitPlan;
use millrace_ml::evaluate::{Evaluation, evaluate};
use millrace_ml::model::outcomes;
use millrace_ml::split::Part;
use millrace_ml::train::train;
use millrace_ml::tune::{Search, Shared, Study, Trial};
use serde_json::{Value as Json, json};

use crate::sets::{Ready, ready, sets};

const ABOUT: &str = "
## Searches

Fifty trials of boosting over its usual space, four side by side, with five seeds; of each number the median. The score is the area
under the ROC curve of the best trial on the validation part, processor time that of one thread. *Caught up* is the processor time after
which a search had come to the median best of the searches at random, as a share of what these take in all; a search that never did counts
as later than all others. Halving over rows begins with fifty trials on a sixteenth of them. Fails if a Bayesian search or halving over
rounds comes to less than one at random, or this halving catches up only after more than a third of its processor time.

";
const TRIALS: u32 = 50;
const SEEDS: u64 = 5;

/// A search by its name and what is asked for besides its trials.
struct Way {
    name: &'static str,
    asked: Json,
}

/// What a search came to.
struct Found {
    /// Of the trial that decides, on the validation part.
    score: f64,
    /// Of its model, on the test part.
    test: f64,
    /// The processor time of all its trials.
    cpu_s: f64,
    /// The best score so far after that much of it.
    course: Vec<(f64, f64)>,
}

impl Found {
    /// The processor time after which it had come to a score.
    fn after(&self, score: f64) -> f64 {
        self.course.iter().find(|(_, best)| *best >= score).map_or(f64::INFINITY, |(cpu_s, _)| *cpu_s)
    }
}

/// Prints their table.
pub fn table() {
    let ways = [
        Way { name: "random", asked: json!({ "sampler": "random" }) },
        Way { name: "Bayesian (TPE)", asked: json!({ "sampler": "tpe" }) },
        Way {
            name: "successive halving over rounds (ASHA), TPE",
            asked: json!({ "sampler": "tpe", "pruner": "asha" }),
        },
        Way { name: "successive halving over rows, TPE", asked: json!({ "sampler": "tpe", "pruner": "halving" }) },
    ];
    print!("{ABOUT}");
    println!("| set | search | best trial | its model, test part | CPU-seconds | of random's | caught up |");
    println!("|---|---|---|---|---|---|---|");
    let mut behind = Vec::new();
    for set in sets().into_iter().filter(|set| ["Adult: income", "Credit default"].contains(&set.name)) {
        let Some(ready) = ready(&set) else { continue };
        let found: Vec<Vec<Found>> = ways.iter().map(|way| searched(&ready, set.metric, way)).collect();
        let score = |found: &[Found]| median(found, |found| found.score);
        let (best, cpu_in_all) = (score(&found[0]), median(&found[0], |found| found.cpu_s));
        for (way, found) in ways.iter().zip(&found) {
            let (score, test, cpu_s) =
                (score(found), median(found, |found| found.test), median(found, |found| found.cpu_s));
            let caught_up = median(found, |found| found.after(best)) / cpu_in_all;
            let caught_up = if caught_up.is_finite() { format!("{caught_up:.2}") } else { "not".to_owned() };
            println!(
                "| {} | {} | {score:.4} | {test:.4} | {cpu_s:.1} | {:.2} | {caught_up} |",
                set.name,
                way.name,
                cpu_s / cpu_in_all
            );
        }
        let is_late = median(&found[2], |found| found.after(best)) > cpu_in_all / 3.0;
        if score(&found[1]) < best || score(&found[2]) < best || is_late {
            behind.push(set.name);
        }
    }
    assert!(behind.is_empty(), "a search comes to less than one at random, or catches up too late, on {behind:?}");
}

/// The search with each seed, two at a time, each on one thread.
fn searched(ready: &Ready, metric: Metric, way: &Way) -> Vec<Found> {
    let one = |seed: u64| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
        pool.install(|| search(ready, metric, way, seed))
    };
    thread::scope(|scope| {
        let halves = [0, 1].map(|first| scope.spawn(move || (first..SEEDS).step_by(2).map(one).collect::<Vec<_>>()));
        halves.into_iter().flat_map(|half| half.join().unwrap()).collect()
    })
}

fn search(ready: &Ready, metric: Metric, way: &Way, seed: u64) -> Found {
    let Ready { kind, table, labels, split } = ready;
    let mut asked = way.asked.clone();
    asked["budget"] = json!(TRIALS);
    let plan = FitPlan::read(&FitPlan::filled_in(asked), *kind).unwrap();
    let search = Search::new(&plan, table.rows() as u64, metric, seed);
    let shared = Shared::default();
    let study = Study {
        table,
        labels,
        split,
        kind: *kind,
        calibration: plan.calibration,
        metric,
        seed,
        shared: &shared,
        unfit: &|_| None,
    };
    let begun = cpu_s();
    let (mut trials, mut course): (Vec<Trial>, Vec<(f64, f64)>) = (Vec::new(), Vec::new());
    while let Some(wait) = search.waits(trials.len() as u32) {
        let draw = search.next(trials.len() as u32, &trials[..wait as usize]).unwrap();
        trials.push(study.run(&draw, &()).unwrap());
        // Of halving over rows what was seen on some of them says nothing yet.
        let best = search.best(&trials).filter(|best| best.share == 1.0).and_then(|best| best.score);
        course.extend(best.map(|best| (cpu_s() - begun, best)));
    }
    let cpu_s = cpu_s() - begun;
    let best = search.best(&trials).unwrap();
    let fitted = train(table, labels, split, *kind, &best.config, seed, &()).unwrap();
    let test = split.rows(Part::Test);
    let predictions = fitted.predictor.predict_table(table, test).unwrap();
    let Evaluation { metrics, .. } = evaluate(Part::Test, &outcomes(labels, test, &predictions).unwrap(), 0);
    eprintln!("{} seed {seed}: {:?} after {cpu_s:.1} s, test {:.4}", way.name, best.score, metrics[&metric]);
    Found { score: best.score.unwrap(), test: metrics[&metric], cpu_s, course }
}

/// The median of a number.
fn median(found: &[Found], number: impl Fn(&Found) -> f64) -> f64 {
    let mut numbers: Vec<f64> = found.iter().map(number).collect();
    numbers.sort_by(f64::total_cmp);
    numbers[numbers.len() / 2]
}

/// Processor time of this thread, as Linux counts it.
fn cpu_s() -> f64 {
    let stat = fs::read_to_string("/proc/thread-self/stat").unwrap();
    let (_, after_name) = stat.rsplit_once(')').unwrap();
    let ticks = after_name.split_ascii_whitespace().skip(11).take(2).map(|ticks| ticks.parse::<f64>().unwrap());
    // A hundred ticks a second.
    ticks.sum::<f64>() / 100.0
}
