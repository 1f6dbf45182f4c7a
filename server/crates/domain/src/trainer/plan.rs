//! How a run's model is fitted: the trainer, or a search for the best one.

use serde::Deserialize;
use serde_json::{Value as Json, json};

use super::program::{EXTERNAL, ProgramName};
use super::setting::TrainerConfig;
use super::space::{Branch, Space};
use super::{Aim, CalibrationMethod, Pruner, Sampler, Trainer};
use crate::problem::Mistake;

/// Most trials that a search may begin.
pub const MOST_TRIALS: u32 = 1_000;
/// Most trials of a search that may run at once.
pub const MOST_PARALLEL: u32 = 64;
/// Asks for every trainer that fits the target.
pub const ANY_TRAINER: &str = "any";
/// Trials of a search that may run at once when nobody says otherwise.
const USUAL_PARALLEL: u32 = 4;
/// Successive halving goes on with one trial of so many, on so many times the rows.
const REDUCTION: u32 = 4;
/// No trial of successive halving sees fewer rows of the dataset.
const LEAST_ROWS: f64 = 500.0;

/// How a run's model is fitted.
#[derive(Debug, Clone, PartialEq)]
pub struct FitPlan {
    /// The trainers, what is fixed, and what is drawn.
    pub space: Space,
    /// What makes probabilities of the model's scores.
    pub calibration: CalibrationMethod,
    /// How trials are drawn.
    pub sampler: Sampler,
    /// Which trials are ended early.
    pub pruner: Pruner,
    /// Trials that a search begins with; 0 fits once, without a search.
    pub trials: u32,
    /// How many may run at once. A trial is drawn from the ones that must have ended before it may begin, so this is part of
    /// what makes a search the same again; the number of workers is not.
    pub parallel: u32,
    /// The search ends when its trials have used so many seconds of processor time, those that run included.
    pub cpu_seconds: Option<f64>,
    /// The search ends so many seconds after its first trial began.
    pub wall_seconds: Option<f64>,
    /// The search ends once the trials that are left are expected to gain less than this, in units of its metric.
    pub least_gain: Option<f64>,
}

/// A part of a search in which every trial sees the same share of the training rows.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rung {
    /// Number of its first trial.
    pub first: u32,
    /// How many trials it has.
    pub trials: u32,
    /// The share of the training rows that they see.
    pub share: f64,
    /// The part whose best trials go on in this one; none where trials are drawn.
    pub below: Option<usize>,
}

#[derive(Deserialize)]
struct Asked {
    trainer: Option<String>,
    #[serde(default)]
    parameters: Json,
    #[serde(default)]
    search: Json,
    calibration: Option<String>,
    sampler: Option<String>,
    pruner: Option<String>,
    budget: Option<u32>,
    parallel: Option<u32>,
    cpu_seconds: Option<f64>,
    wall_seconds: Option<f64>,
    least_gain: Option<f64>,
}

impl FitPlan {
    /// What it asks of a validation part that is not there.
    pub fn lacks_validation(&self) -> Vec<Mistake> {
        let needs = |pointer: &str, what: &str| {
            let message = format!("{what} by the validation part, and the problem has none (data.split.validation)");
            Mistake { pointer: pointer.to_owned(), message }
        };
        let trials = (self.trials > 0).then(|| needs("/budget", "must be 0: trials are judged"));
        let calibrated = self.calibration != CalibrationMethod::None;
        let calibrated = calibrated.then(|| needs("/calibration", "must be none: scores are calibrated"));
        trials.into_iter().chain(calibrated).collect()
    }

    /// Fills in what a launch leaves out. What is stored with a run is complete: what is missing from it is from before there was
    /// a choice, and [`Self::read`] then does what was done then.
    #[must_use]
    pub fn filled_in(mut asked: Json) -> Json {
        let usual = [
            ("trainer", json!(Trainer::ALL[0])),
            ("parameters", json!({})),
            ("calibration", json!(CalibrationMethod::ALL[0])),
            ("sampler", json!(Sampler::ALL[0])),
            ("pruner", json!(Pruner::ALL[0])),
            ("budget", json!(0)),
            ("parallel", json!(USUAL_PARALLEL)),
        ];
        for (name, usual) in usual {
            if asked[name].is_null() {
                asked[name] = usual;
            }
        }
        asked
    }

    /// Reads what was asked for.
    ///
    /// `trainer` is a name, several with commas between them, or `any`. Of several trainers, `parameters` and `search` are told
    /// for each under its name. `external:` and a name is an external trainer, alone; what it declares ([`super::Program`]) is
    /// for whoever knows the programs to hold this against.
    ///
    /// # Errors
    /// Every mistake with its pointer.
    pub fn read(asked: &Json, aim: impl Into<Aim>) -> Result<Self, Vec<Mistake>> {
        let aim = aim.into();
        let asked: Asked = serde_json::from_value(asked.clone())
            .map_err(|error| vec![Mistake { pointer: String::new(), message: error.to_string() }])?;
        let mut mistakes = Mistakes::default();
        let program = asked.trainer.as_deref().and_then(|trainer| trainer.trim().strip_prefix(EXTERNAL));
        let (space, trainers) = match program {
            Some(name) => (external(name, &asked, &mut mistakes), Vec::new()),
            None => {
                let trainers = mistakes.keep("/trainer", trainers(asked.trainer.as_deref(), aim)).unwrap_or_default();
                (space(&trainers, &asked.parameters, &asked.search, &mut mistakes), trainers)
            }
        };
        let calibration = mistakes.keep("/calibration", calibration(asked.calibration.as_deref(), aim));
        let sampler = asked.sampler.as_deref().map_or(Ok(Sampler::Random), str::parse);
        let sampler = mistakes.keep("/sampler", sampler);
        let pruner = asked.pruner.as_deref().map_or(Ok(Pruner::None), str::parse);
        let pruner = mistakes.keep("/pruner", pruner);
        let trials = mistakes.keep("/budget", within(asked.budget.unwrap_or(0), 0, MOST_TRIALS, "trials"));
        let parallel =
            mistakes.keep("/parallel", within(asked.parallel.unwrap_or(1), 1, MOST_PARALLEL, "trials at once"));
        let cpu_seconds = mistakes.keep("/cpu_seconds", positive(asked.cpu_seconds));
        let wall_seconds = mistakes.keep("/wall_seconds", positive(asked.wall_seconds));
        let least_gain = mistakes.keep("/least_gain", above_zero(asked.least_gain, "a gain of the metric"));
        if least_gain.flatten().is_some() && pruner.is_some_and(Pruner::sees_few_rows) {
            mistakes.add(
                "/least_gain",
                "does not go with trials on few rows, whose scores say little of those on all".to_owned(),
            );
        }
        if trials == Some(0) && trainers.len() > 1 {
            mistakes.add(
                "/budget",
                "must be at least 1: which of several trainers is best is found out by trials".to_owned(),
            );
        }
        let read = || {
            Some(Self {
                space: space?,
                calibration: calibration?,
                sampler: sampler?,
                pruner: pruner?,
                trials: trials?,
                parallel: parallel?,
                cpu_seconds: cpu_seconds?,
                wall_seconds: wall_seconds?,
                least_gain: least_gain?,
            })
        };
        match read() {
            Some(plan) if mistakes.0.is_empty() => Ok(plan),
            _ => Err(mistakes.0),
        }
    }

    /// The parts of the search over a dataset of so many rows, in order; none without a search.
    pub fn rungs(&self, rows: u64) -> Vec<Rung> {
        if self.trials == 0 {
            return Vec::new();
        }
        let shares: Vec<f64> = match self.pruner.sees_few_rows() {
            false => vec![1.0],
            true => {
                let shares = [2, 1, 0].map(|power| f64::from(REDUCTION).powi(-power));
                shares.into_iter().filter(|share| *share == 1.0 || rows as f64 * share >= LEAST_ROWS).collect()
            }
        };
        let brackets = if self.pruner == Pruner::Hyperband { shares.len() } else { 1 };
        let mut rungs: Vec<Rung> = Vec::new();
        let begun = begun(self.trials, brackets).into_iter().enumerate();
        for (bracket, begun) in begun.filter(|(_, begun)| *begun > 0) {
            let (mut trials, mut below) = (begun, None);
            for share in &shares[bracket..] {
                let first = rungs.last().map_or(0, |rung| rung.first + rung.trials);
                rungs.push(Rung { first, trials, share: *share, below });
                below = Some(rungs.len() - 1);
                trials = trials.div_ceil(REDUCTION);
            }
        }
        rungs
    }

    /// For each trial in order: how many of those before it must have ended before it may begin.
    pub fn waits(&self, rows: u64) -> Vec<u32> {
        let wait = |rung: &Rung, number: u32| rung.first.max((number + 1).saturating_sub(self.parallel));
        self.rungs(rows)
            .iter()
            .flat_map(|rung| (rung.first..rung.first + rung.trials).map(move |number| wait(rung, number)))
            .collect()
    }
}

/// How many trials each bracket of Hyperband begins with, of so many in all: one that begins on a share of `r^-s` of the rows with
/// `r^s / (s + 1)` as many as the last one, so that all cost alike.
fn begun(trials: u32, brackets: usize) -> Vec<u32> {
    let weight = |bracket: usize| {
        let levels = (brackets - 1 - bracket) as u32;
        f64::from(REDUCTION.pow(levels)) / f64::from(levels + 1)
    };
    let total: f64 = (0..brackets).map(weight).sum();
    let mut left = trials;
    let mut begun: Vec<u32> = Vec::new();
    for bracket in (0..brackets).rev() {
        let own = match bracket {
            0 => left,
            _ => ((f64::from(trials) * weight(bracket) / total).round() as u32).max(1).min(left),
        };
        left -= own;
        begun.push(own);
    }
    begun.reverse();
    begun
}

/// Mistakes that are collected while reading.
#[derive(Default)]
struct Mistakes(Vec<Mistake>);

impl Mistakes {
    fn add(&mut self, pointer: &str, message: String) {
        self.0.push(Mistake { pointer: pointer.to_owned(), message });
    }

    fn keep<T>(&mut self, pointer: &str, read: Result<T, String>) -> Option<T> {
        read.map_err(|message| self.add(pointer, message)).ok()
    }

    /// Those of a part, which lies under that pointer.
    fn keep_all<T>(&mut self, pointer: &str, read: Result<T, Vec<Mistake>>) -> Option<T> {
        let under = |mistake: Mistake| Mistake { pointer: format!("{pointer}{}", mistake.pointer), ..mistake };
        read.map_err(|mistakes| self.0.extend(mistakes.into_iter().map(under))).ok()
    }
}

fn trainers(asked: Option<&str>, aim: Aim) -> Result<Vec<Trainer>, String> {
    let asked = asked.unwrap_or(Trainer::ALL[0].as_str());
    if asked == ANY_TRAINER {
        return Ok(Trainer::of(aim).collect());
    }
    let mut trainers = Vec::new();
    for name in asked.split(',').map(str::trim) {
        let trainer: Trainer = name.parse()?;
        if !trainer.fits(aim) {
            let fitting: Vec<&str> = Trainer::of(aim).map(Trainer::as_str).collect();
            return Err(format!("{trainer} does not fit a {aim} target; fitting are {}", fitting.join(", ")));
        }
        if trainers.contains(&trainer) {
            return Err(format!("names {trainer} twice"));
        }
        trainers.push(trainer);
    }
    Ok(trainers)
}

/// An external trainer with what is given to it.
fn external(name: &str, asked: &Asked, mistakes: &mut Mistakes) -> Option<Space> {
    let name = mistakes.keep("/trainer", ProgramName::try_from(name.to_owned()))?;
    let config = mistakes.keep_all("/parameters", TrainerConfig::external(name, &asked.parameters))?;
    let branch = match &asked.search {
        Json::Null => Branch::declared(config),
        search => mistakes.keep_all("/search", Branch::read(config, search))?,
    };
    Space::new(vec![branch])
}

fn calibration(asked: Option<&str>, aim: Aim) -> Result<CalibrationMethod, String> {
    let method = asked.map_or(Ok(CalibrationMethod::None), str::parse)?;
    match (method, method.fits(aim)) {
        (_, true) => Ok(method),
        (CalibrationMethod::Conformal, false) => {
            Err(format!("is of a quantile (target.quantile); this is a {aim} target"))
        }
        (_, false) => Err(format!("is of the scores of a binary target; this one is {}", aim.kind.as_str())),
    }
}

fn space(trainers: &[Trainer], parameters: &Json, search: &Json, mistakes: &mut Mistakes) -> Option<Space> {
    let several = trainers.len() > 1;
    for (pointer, given) in [("/parameters", parameters), ("/search", search)] {
        match given {
            Json::Null => {}
            Json::Object(members) if several => {
                let strange = members.keys().filter(|name| trainers.iter().all(|trainer| trainer.as_str() != *name));
                for name in strange {
                    let message = "is none of the trainers; of several trainers each is told under its name".to_owned();
                    mistakes.add(&format!("{pointer}/{name}"), message);
                }
            }
            Json::Object(_) => {}
            _ => mistakes.add(pointer, "must be an object of hyperparameters".to_owned()),
        }
    }
    let of = |given: &Json, trainer: &Trainer| match (given, several) {
        (Json::Object(members), true) => members.get(trainer.as_str()).cloned(),
        (Json::Object(_), false) => Some(given.clone()),
        _ => None,
    };
    let under = |pointer: &str, trainer: &Trainer| {
        if several { format!("{pointer}/{trainer}") } else { pointer.to_owned() }
    };
    let mut branches = Vec::new();
    for trainer in trainers {
        let base = TrainerConfig::read(*trainer, &of(parameters, trainer).unwrap_or_else(|| json!({})));
        // Mistaken or not, so that the mistakes of the space are told as well.
        let base = mistakes.keep_all(&under("/parameters", trainer), base);
        let base = base.unwrap_or_else(|| TrainerConfig::default_of(*trainer));
        let branch = match of(search, trainer) {
            None => Ok(Branch::declared(base)),
            Some(given) => Branch::read(base, &given),
        };
        branches.extend(mistakes.keep_all(&under("/search", trainer), branch));
    }
    Space::new(branches)
}

fn within(number: u32, least: u32, most: u32, what: &str) -> Result<u32, String> {
    if (least..=most).contains(&number) {
        return Ok(number);
    }
    Err(format!("must be from {least} to {most} {what}, got {number}"))
}

fn positive(seconds: Option<f64>) -> Result<Option<f64>, String> {
    above_zero(seconds, "a number of seconds")
}

fn above_zero(number: Option<f64>, what: &str) -> Result<Option<f64>, String> {
    match number {
        Some(number) if !(number > 0.0 && number.is_finite()) => Err(format!("must be {what} above 0, got {number}")),
        number => Ok(number),
    }
}
