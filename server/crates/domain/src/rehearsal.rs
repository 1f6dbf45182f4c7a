//! What a rehearsal is asked to do, read at once for every door.

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use crate::problem::{Feature, Mistake, ProblemDocument, Span};
use crate::schedule::Schedule;
use crate::trainer::{CalibrationMethod, FitPlan, TrainerConfig};
use crate::view::{DrillRequest, RehearsalRequest, breakage};

/// Mondays at three.
const USUAL_SCHEDULE: &str = "0 3 * * 1";
/// Bytes of another policy.
const LONGEST_POLICY: usize = 64 * 1024;
/// What drifts gets no farther.
const MOST_DRIFT: f64 = 100.0;
/// Tables of a document that another policy may replace.
const POLICY: [&str; 2] = ["monitoring", "retraining"];

/// What is rehearsed on which document.
#[derive(Debug, Clone, PartialEq)]
pub struct RehearsalPlan {
    /// The document; its policy is `retraining`, judged by `monitoring`.
    pub document: ProblemDocument,
    /// What every training fits.
    pub config: TrainerConfig,
    /// What makes probabilities of its scores.
    pub calibration: CalibrationMethod,
    /// Seed of every training.
    pub seed: u64,
    /// When the first model is trained, on what was known then; after the first third of the rows when absent.
    pub begins: Option<DateTime<Utc>>,
    /// Trainings see rows of so long before them; all when absent.
    pub trained_on: Option<Span>,
    /// The schedule (cron, UTC) beside which the policy is shown.
    pub schedule: String,
    /// Whether a trained model goes out step by step, as the document's rollout says; else it answers from the next window on.
    pub staged: bool,
    /// What breaks, in a fire drill.
    pub drill: Option<Drill>,
}

/// Data that breaks, or a model that was fitted on data that broke.
#[derive(Debug, Clone, PartialEq)]
pub struct Drill {
    /// A column that features are computed from; for a model also one that the label is read from.
    pub column: String,
    /// How.
    pub how: Breakage,
    /// How far what drifts gets.
    pub by: f64,
    /// From when on; of a model, when it goes out.
    pub from: DateTime<Utc>,
    /// Until when; to the end of the past when absent.
    pub until: Option<DateTime<Utc>>,
    /// Whether what comes stays whole, and a model goes out that was fitted on rows whose column was broken all along.
    pub is_model: bool,
}

/// How a column breaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Breakage {
    /// No value arrives.
    Missing,
    /// The last value before arrives for every row.
    Stuck,
    /// Values arrive at other rows.
    Shuffled,
    /// Numbers move evenly, until the end by so many of their standard deviations; of other values a share that grows evenly, to
    /// so much and at most all, arrives as the commonest.
    Drifting,
}

impl Breakage {
    /// All of them with the words of a request.
    pub const ALL: [(&'static str, Self); 4] = [
        ("missing", Self::Missing),
        ("stuck", Self::Stuck),
        ("shuffled", Self::Shuffled),
        ("drifting", Self::Drifting),
    ];
}

/// The columns that may break: features are computed from them, and labels and times are not.
pub fn breakable(document: &ProblemDocument) -> Vec<&str> {
    let times = [document.data.event_time.as_deref(), document.data.known_time.as_deref()];
    let labels = document.target.columns();
    let mut columns: Vec<&str> = document.features.iter().flat_map(|feature| feature.expression.columns()).collect();
    columns.retain(|name| !times.contains(&Some(name)) && !labels.contains(name) && !document.is_joined(name));
    columns.sort_unstable();
    columns.dedup();
    columns
}

/// The columns that labels are read from, which may be broken for a model; times are what a history is ordered by.
pub fn label_columns(document: &ProblemDocument) -> Vec<&str> {
    let times = [document.data.event_time.as_deref(), document.data.known_time.as_deref()];
    let mut columns = document.target.columns();
    columns.retain(|name| !times.contains(&Some(name)));
    columns
}

impl Drill {
    /// Reads what is to break of a document's data.
    fn read(document: &ProblemDocument, request: &DrillRequest) -> Result<Self, Vec<Mistake>> {
        let mut mistakes = Vec::new();
        let mut refuse = |field: &str, message: String| {
            mistakes.push(Mistake { pointer: format!("/drill/{field}"), message });
        };
        let DrillRequest { column, how, by, from, until, model } = request;
        let read = breakable(document);
        let is_label = *model && label_columns(document).contains(&column.as_str());
        if !is_label && !read.contains(&column.as_str()) {
            refuse(
                "column",
                format!(
                    "must be a column that features are computed from and labels are not ({}){}, got {column:?}",
                    read.join(", "),
                    if *model { ", or one that labels are read from" } else { "" }
                ),
            );
        }
        let known = Breakage::ALL.into_iter().find(|(word, _)| word == how);
        if known.is_none() {
            refuse("how", format!("must be missing, stuck, shuffled or drifting, got {how:?}"));
        }
        if is_label && known.is_some_and(|(_, how)| how != Breakage::Shuffled) {
            refuse("how", format!("must be shuffled for a label: nothing can be learned when it is {how}"));
        }
        let drifts = known.is_some_and(|(_, how)| how == Breakage::Drifting);
        match by {
            Some(_) if !drifts => refuse("by", "is for what is drifting; leave it out".to_owned()),
            Some(by) if !by.is_finite() || *by == 0.0 || by.abs() > MOST_DRIFT => {
                refuse("by", format!("must be a number between -{MOST_DRIFT} and {MOST_DRIFT}, and not 0"));
            }
            _ => {}
        }
        if *model && until.is_some() {
            refuse("until", "must be absent for a model: it goes out at one time".to_owned());
        }
        let reads = |feature: &&Feature| feature.expression.columns().contains(&column.as_str());
        if let (Some((_, Breakage::Missing)), Some(feature)) =
            (known, document.features.iter().filter(reads).find(|feature| !feature.nullable))
        {
            refuse(
                "how",
                format!(
                    "cannot be missing: rows without the feature {} are not answered, and data with them is not valid, since it is not \
                     nullable; let it be stuck or shuffled",
                    feature.name
                ),
            );
        }
        if until.is_some_and(|until| until <= *from) {
            refuse("until", "must be later than from".to_owned());
        }
        match known {
            Some((_, how)) if mistakes.is_empty() => {
                let by = by.unwrap_or(1.0);
                Ok(Self { column: column.clone(), how, by, from: *from, until: *until, is_model: *model })
            }
            _ => Err(mistakes),
        }
    }

    /// What breaks, in words.
    pub fn in_words(&self) -> String {
        let word = Breakage::ALL.into_iter().find(|(_, how)| *how == self.how).map_or("", |(word, _)| word);
        let broken = format!("{} {}", self.column, breakage(word));
        if self.is_model { format!("a model of data in which {broken}") } else { broken }
    }
}

impl RehearsalPlan {
    /// Reads what is asked for of a document.
    ///
    /// # Errors
    /// Every mistake at once, each with its pointer into the request.
    pub fn read(document: &ProblemDocument, request: &RehearsalRequest) -> Result<Self, Vec<Mistake>> {
        let mut mistakes = Vec::new();
        let mut refuse = |pointer: &str, message: String| {
            mistakes.push(Mistake { pointer: pointer.to_owned(), message });
        };
        if document.data.event_time.is_none() {
            refuse(
                "/version",
                "names no data.event_time, so it is not known what came when: name the column with the time of each row".to_owned(),
            );
        }
        let schedule = request.schedule.clone().unwrap_or_else(|| USUAL_SCHEDULE.to_owned());
        if let Err((_, reason)) = Schedule::read(&schedule, "UTC") {
            refuse("/schedule", reason);
        }
        let trained_on = request.trained_on.as_deref().map(str::parse::<Span>).transpose().unwrap_or_else(|reason| {
            refuse("/trained_on", reason);
            None
        });
        let asked = json!({
            "trainer": request.trainer, "parameters": request.parameters, "calibration": request.calibration,
        });
        let of_one = || Mistake {
            pointer: "/trainer".to_owned(),
            message: "must be one of the built-in trainers: a rehearsal trains it again and again".to_owned(),
        };
        let fit = match FitPlan::read(&FitPlan::filled_in(asked), &document.target) {
            Ok(plan) => match plan.space.branches() {
                [branch] if branch.base().program().is_none() => Some((branch.base().clone(), plan.calibration)),
                _ => {
                    mistakes.push(of_one());
                    None
                }
            },
            Err(found) => {
                // A choice among trainers would want a budget.
                mistakes.extend(found.into_iter().map(|own| if own.pointer == "/budget" { of_one() } else { own }));
                None
            }
        };
        let drill = request.drill.as_ref().map(|drill| Drill::read(document, drill)).transpose();
        let drill = drill.map_err(|found| mistakes.extend(found)).ok().flatten();
        let policy = request.policy.as_deref().filter(|policy| !policy.trim().is_empty());
        let tried = policy.map_or_else(|| Ok(document.clone()), |policy| with_policy(document, policy));
        match (tried, fit) {
            (Ok(document), Some((config, calibration))) if mistakes.is_empty() => Ok(Self {
                document,
                config,
                calibration,
                seed: request.seed.unwrap_or(0),
                begins: request.from,
                trained_on,
                schedule,
                staged: request.staged,
                drill,
            }),
            (tried, _) => {
                mistakes.extend(tried.err().unwrap_or_default());
                Err(mistakes)
            }
        }
    }
}

/// The document with another policy.
fn with_policy(document: &ProblemDocument, policy: &str) -> Result<ProblemDocument, Vec<Mistake>> {
    let mistake = |message: String| vec![Mistake { pointer: "/policy".to_owned(), message }];
    if policy.len() > LONGEST_POLICY {
        return Err(mistake(format!("is longer than {LONGEST_POLICY} bytes")));
    }
    let tables: Value =
        toml::from_str(policy).map_err(|error| mistake(format!("is not TOML: {}", error.to_string().trim_end())))?;
    let mut changed = document.to_json();
    for (name, table) in tables.as_object().into_iter().flatten() {
        if !POLICY.contains(&name.as_str()) {
            return Err(mistake(format!("may have the tables {}, got {name:?}", POLICY.join(" and "))));
        }
        changed[name] = table.clone();
    }
    let in_policy = |own: Mistake| Mistake {
        message: format!("{} {}", own.pointer.trim_start_matches('/').replace('/', "."), own.message),
        pointer: "/policy".to_owned(),
    };
    let refused = |found: Vec<Mistake>| -> Vec<Mistake> { found.into_iter().map(in_policy).collect() };
    let changed = ProblemDocument::from_json(&changed).map_err(refused)?;
    // The rest was signed, by the rules of its time.
    let is_of_policy = |own: &Mistake| POLICY.iter().any(|name| own.pointer.starts_with(&format!("/{name}")));
    let own: Vec<Mistake> = changed.operation_mistakes().into_iter().filter(is_of_policy).collect();
    if own.is_empty() { Ok(changed) } else { Err(refused(own)) }
}

/// `monitoring` and `retraining` of a document as TOML.
pub fn policy_of(document: &ProblemDocument) -> String {
    let whole = document.to_json();
    let mut tables = serde_json::Map::new();
    for name in POLICY {
        if let Some(table) = whole.get(name).filter(|table| !table.is_null()) {
            tables.insert(name.to_owned(), table.clone());
        }
    }
    toml::to_string(&tables).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn document() -> ProblemDocument {
        let text = r#"
slug = "turn"
title = "Is it big"
decision = "none"
target = { name = "big", kind = "binary", column = "big", delay = "1d" }
data = { event_time = "at", split = { kind = "time", validation = 0.1, test = 0.2 } }
success = { metric = "roc_auc", at_least = 0.8 }
monitoring = { window = "1d", drift = { metric = "psi", threshold = 0.25, windows = 1 }, min_rows = 50 }
retraining = { on_quality = true, cool_down = "1d", promote = "automatic" }
[[features]]
name = "x"
"#;
        ProblemDocument::parse(text).expect("a document")
    }

    #[test]
    fn the_policy_of_a_document_read_again_is_the_same_document() {
        let document = document();
        let request = RehearsalRequest { policy: Some(policy_of(&document)), ..RehearsalRequest::default() };
        assert_eq!(RehearsalPlan::read(&document, &request).expect("a plan").document, document);
    }

    #[test]
    fn another_policy_takes_the_place_of_the_document_s_and_changes_nothing_else() {
        let policy = "[retraining]\ncron = \"0 3 * * *\"\npromote = \"approval\"\n".to_owned();
        let request = RehearsalRequest { policy: Some(policy), ..RehearsalRequest::default() };
        let changed = RehearsalPlan::read(&document(), &request).expect("a plan").document;
        assert_eq!(changed.retraining.as_ref().and_then(|own| own.cron.as_deref()), Some("0 3 * * *"));
        assert_eq!(ProblemDocument { retraining: document().retraining, ..changed }, document());
    }

    #[test]
    fn every_mistake_is_told_at_once_and_names_its_field() {
        let text = |text: &str| Some(text.to_owned());
        let request = RehearsalRequest {
            policy: text("[data]\nevent_time = \"other\"\n"),
            trainer: text("any"),
            trained_on: text("long"),
            schedule: text("now and then"),
            ..RehearsalRequest::default()
        };
        let mistakes = RehearsalPlan::read(&document(), &request).expect_err("mistakes");
        let mut pointers: Vec<&str> = mistakes.iter().map(|mistake| mistake.pointer.as_str()).collect();
        pointers.sort_unstable();
        assert_eq!(pointers, ["/policy", "/schedule", "/trained_on", "/trainer"]);
    }

    #[test]
    fn what_breaks_in_a_drill_is_what_features_read_and_no_label_or_time() {
        let at = |text: &str| text.parse().expect("a time");
        let drill = |column: &str| DrillRequest {
            column: column.to_owned(),
            how: "stuck".to_owned(),
            by: None,
            from: at("2026-02-01T00:00:00Z"),
            until: None,
            model: false,
        };
        let read = |drill: DrillRequest| {
            RehearsalPlan::read(&document(), &RehearsalRequest { drill: Some(drill), ..RehearsalRequest::default() })
        };
        assert_eq!(read(drill("x")).expect("a plan").drill.expect("a drill").how, Breakage::Stuck);
        for column in ["big", "at", "y"] {
            assert_eq!(read(drill(column)).expect_err(column)[0].pointer, "/drill/column");
        }
        // Rows without it would neither be answered nor loaded.
        let missing = DrillRequest { how: "missing".to_owned(), ..drill("x") };
        assert_eq!(read(missing).expect_err("not nullable")[0].pointer, "/drill/how");
        let wrong = DrillRequest { how: "gone".to_owned(), until: Some(at("2026-01-01T00:00:00Z")), ..drill("x") };
        let pointers: Vec<String> = read(wrong).expect_err("mistakes").into_iter().map(|own| own.pointer).collect();
        assert_eq!(pointers, ["/drill/how", "/drill/until"]);
        // A model may have been fitted on labels of other rows, and goes out once.
        let model = |drill: DrillRequest| DrillRequest { model: true, ..drill };
        let labels = DrillRequest { how: "shuffled".to_owned(), ..drill("big") };
        let plan = read(model(labels.clone())).expect("a plan").drill.expect("a drill");
        assert_eq!(plan.in_words(), "a model of data in which big comes with other rows");
        assert_eq!(read(labels).expect_err("a label of data")[0].pointer, "/drill/column");
        let wrong = DrillRequest { by: Some(2.0), until: Some(at("2026-03-01T00:00:00Z")), ..drill("big") };
        let pointers: Vec<String> =
            read(model(wrong)).expect_err("mistakes").into_iter().map(|own| own.pointer).collect();
        assert_eq!(pointers, ["/drill/how", "/drill/by", "/drill/until"]);
    }

    #[test]
    fn windows_put_together_keep_their_rows_their_mean_by_rows_and_their_greatest_distance() {
        use crate::view::{CourseTold, Rehearsed, WindowTold};
        let at: DateTime<Utc> = "2026-01-01T00:00:00Z".parse().expect("a time");
        let window = |hour: i64, labelled: u64, quality: Option<f64>| WindowTold {
            ends: at + chrono::TimeDelta::hours(hour),
            rows: 10,
            labelled,
            model: 1,
            quality,
            is_met: quality.map(|quality| quality > 0.5),
            distance: quality,
            drifted: vec!["x".to_owned()],
        };
        let course = CourseTold {
            policy: "never".to_owned(),
            title: String::new(),
            mean: None,
            trainings: 0,
            rows_fitted: 0,
            alerts: std::collections::BTreeMap::new(),
            windows: vec![window(1, 1, Some(0.2)), window(2, 3, Some(0.6)), window(3, 9, None)],
            events: Vec::new(),
        };
        let told = Rehearsed {
            metric: "roc_auc".to_owned(),
            better: "higher".to_owned(),
            limit: 0.8,
            drift: "psi".to_owned(),
            drift_limit: 0.25,
            begins: at,
            window: 3_600,
            courses: vec![course],
            drill: None,
            repeat_last: None,
        };
        let windows = &told.thinned(2).courses[0].windows;
        assert_eq!(windows.len(), 2);
        assert_eq!((windows[0].rows, windows[0].labelled, windows[0].distance), (20, 4, Some(0.6)));
        assert!((windows[0].quality.expect("a mean") - 0.5).abs() < 1e-12, "{windows:?}");
        assert_eq!((windows[0].drifted.len(), windows[1].quality), (1, None));
    }
}
