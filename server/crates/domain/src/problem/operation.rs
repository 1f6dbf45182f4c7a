//! What is watched once a model answers, who is told, and when a new one is trained.

use serde::{Deserialize, Serialize};

use super::Span;
use crate::metric::Direction;
use crate::monitor::incident::InARow;
use crate::run::RolloutStage;

/// Seconds of a year: nobody waits for longer.
const YEAR: u64 = 366 * 86_400;
/// Seconds of an hour: nobody learns of an alert later than that.
const HOUR: u64 = 3_600;

/// The business number that the predictions should move.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Business {
    /// Its name.
    pub name: String,
    /// Its unit.
    pub unit: String,
    /// Which way is better.
    pub direction: Direction,
    /// On-call is told when the mean of a window is worse than that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<f64>,
    /// Its values belong to predictions, and a canary compares them: the mean of what the candidate answers may be worse by this share of
    /// the champion's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub margin: Option<f64>,
    /// Where its values are read; they are reported when absent.
    #[serde(flatten, default, skip_serializing_if = "Option::is_none")]
    pub read: Option<BusinessRead>,
}

/// Where values of the business metric are read, window by window.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BusinessRead {
    /// Name of the connection: a Postgres database that whoever runs the server has named.
    pub connection: String,
    /// Gives a row a value, with its time in `at` and the value in `value`.
    pub query: String,
    /// How long after the end of a window its values are there.
    pub delay: Span,
}

/// What is watched in production.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Monitoring {
    /// Length of a window.
    pub window: Span,
    /// When a distribution counts as drifted.
    pub drift: Drift,
    /// Data older than this is stale.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub freshness: Option<Span>,
    /// Windows with fewer rows give no verdict.
    pub min_rows: u64,
    /// What is done when nobody asks for predictions.
    #[serde(default, skip_serializing_if = "NoData::is_shown")]
    pub no_data: NoData,
    /// By how much the success metric may be estimated to be worse than on the held-out rows, before outcomes are known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub estimated_loss: Option<f64>,
}

/// What is done when nobody asks for predictions.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NoData {
    /// It is shown, and nobody is woken for it.
    #[default]
    Show,
    /// On-call is told.
    Mail,
}

impl NoData {
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks by reference")]
    const fn is_shown(&self) -> bool {
        matches!(self, Self::Show)
    }
}

/// When a distribution counts as drifted.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Drift {
    /// The distance.
    pub metric: DriftMetric,
    /// Its limit.
    pub threshold: f64,
    /// Windows in a row that must be beyond a limit before an alert fires.
    pub windows: u32,
    /// Windows in a row that must be as they should before it is over; as many as make it fire when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keep_firing: Option<u32>,
}

impl Drift {
    /// How many windows in a row make an alert, and end it.
    pub fn in_a_row(&self) -> InARow {
        InARow { fires: self.windows, ends: self.keep_firing.unwrap_or(self.windows) }
    }
}

/// A distance between two distributions over the same bins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DriftMetric {
    /// Kullback–Leibler divergence.
    Kl,
    /// Jensen–Shannon divergence.
    Js,
    /// Population stability index.
    Psi,
    /// Kolmogorov–Smirnov statistic.
    Ks,
}

impl DriftMetric {
    /// All of them with the document's words.
    pub const ALL: [(&'static str, Self); 4] =
        [("kl", Self::Kl), ("js", Self::Js), ("psi", Self::Psi), ("ks", Self::Ks)];

    /// The document's word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Kl => "kl",
            Self::Js => "js",
            Self::Psi => "psi",
            Self::Ks => "ks",
        }
    }
}

impl std::str::FromStr for DriftMetric {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let known = Self::ALL.into_iter().find(|(word, _)| *word == text);
        known.map(|(_, metric)| metric).ok_or_else(|| format!("must be one of kl, js, psi, ks, got {text:?}"))
    }
}

impl std::fmt::Display for DriftMetric {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Kl => "KL divergence",
            Self::Js => "JS divergence",
            Self::Psi => "PSI",
            Self::Ks => "KS statistic",
        })
    }
}

/// When a new model is trained.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Retraining {
    /// Five-field cron.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cron: Option<String>,
    /// Zone of the cron.
    pub timezone: String,
    /// New rows since the last training.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub new_rows: Option<u64>,
    /// New outcomes of predictions since the last training.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub new_labels: Option<u64>,
    /// Whether confirmed drift starts a training.
    pub on_drift: bool,
    /// Whether answers that are shown to be worse than allowed start a training.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub on_quality: bool,
    /// Whether answers that are estimated to be worse than allowed start a training.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub on_estimated_loss: bool,
    /// Whether one of the reasons is enough.
    #[serde(default, skip_serializing_if = "When::is_any")]
    pub when: When,
    /// Least time between two trainings.
    pub cool_down: Span,
    /// Trainings that may be started by themselves within thirty days.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub most: Option<u32>,
    /// Processor time that they may use within thirty days: none is started once so much is used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpu: Option<Span>,
    /// Times of day, in the zone, at which none is started.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub blackout: Option<Blackout>,
    /// After so many trainings in a row that came to no better model, none is started any more; 3 when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub give_up_after: Option<u32>,
    /// How far a retrained version may go without a person.
    pub promote: Promote,
}

impl Retraining {
    /// Trainings in a row that may come to nothing.
    pub fn patience(&self) -> u32 {
        self.give_up_after.unwrap_or(3)
    }
}

/// Whether one reason is enough.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum When {
    /// One of them.
    #[default]
    Any,
    /// All of them.
    All,
}

impl When {
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks by reference")]
    const fn is_any(&self) -> bool {
        matches!(self, Self::Any)
    }
}

/// A time of day, over midnight where it ends before it begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Blackout {
    /// Minutes after midnight.
    from: u16,
    to: u16,
}

impl Blackout {
    /// Whether that minute of the day is within it.
    pub const fn holds(self, minute: u16) -> bool {
        if self.from <= self.to {
            self.from <= minute && minute < self.to
        } else {
            minute >= self.from || minute < self.to
        }
    }
}

impl TryFrom<String> for Blackout {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let minute = |part: &str| {
            let (hours, minutes) = part.trim().split_once(':')?;
            let (hours, minutes) = (hours.parse::<u16>().ok()?, minutes.parse::<u16>().ok()?);
            (hours < 24 && minutes < 60).then_some(hours * 60 + minutes)
        };
        let read = text.split_once('-').and_then(|(from, to)| Some((minute(from)?, minute(to)?)));
        match read {
            Some((from, to)) if from != to => Ok(Self { from, to }),
            _ => Err(format!("{text:?} is no time of day as in \"22:00-06:00\"")),
        }
    }
}

impl From<Blackout> for String {
    fn from(Blackout { from, to }: Blackout) -> Self {
        format!("{:02}:{:02}-{:02}:{:02}", from / 60, from % 60, to / 60, to % 60)
    }
}

/// How far a retrained version may go without a person.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Promote {
    /// Nowhere: it is registered, and a person approves every promotion.
    Approval,
    /// Into the shadow; a person approves what goes to callers.
    Shadow,
    /// Through the canary; a person approves what goes to everybody.
    Canary,
    /// Goes live when its gates and stages pass.
    Automatic,
}

impl Promote {
    /// Whether a version may take part in that stage without a person's approval.
    pub const fn reaches(self, stage: RolloutStage) -> bool {
        match self {
            Self::Approval => false,
            Self::Shadow => matches!(stage, RolloutStage::Shadow),
            Self::Canary => matches!(stage, RolloutStage::Shadow | RolloutStage::Canary),
            Self::Automatic => true,
        }
    }
}

/// Who is told.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Notify {
    /// Mail addresses of people on call.
    pub on_call: Vec<String>,
    /// Mail addresses of those who are told when nobody on call acknowledges.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub escalation: Vec<String>,
    /// After how long; half an hour when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub escalate_after: Option<Span>,
    /// The time from letters about the model to the next ones, in which what comes up is gathered; five minutes when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group_interval: Option<Span>,
    /// Where it is written what to do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub runbook: Option<String>,
}

impl Notify {
    /// After how long others are told; none when nobody is named.
    pub fn escalate_after(&self) -> Option<chrono::TimeDelta> {
        let after = self.escalate_after.map_or(1_800, Span::seconds);
        (!self.escalation.is_empty()).then(|| chrono::TimeDelta::seconds(after.min(YEAR) as i64))
    }

    /// The time from letters to the next ones.
    pub fn group_interval(&self) -> chrono::TimeDelta {
        chrono::TimeDelta::seconds(self.group_interval.map_or(300, Span::seconds).min(HOUR) as i64)
    }
}

#[cfg(feature = "parse")]
mod read {
    use super::{
        Blackout, Business, BusinessRead, Direction, Drift, DriftMetric, HOUR, Monitoring, NoData, Notify, Promote,
        Retraining, Span, When,
    };
    use crate::problem::source;
    use crate::problem::walk::Table;
    use crate::problem::{Mistake, Rollout};
    use crate::rollout::Plan;
    use crate::schedule::Schedule;

    /// Windows are not longer: what is judged once in a quarter comes too late for anybody.
    const LONGEST_WINDOW: Span = Span::of_seconds(90 * 86_400);

    impl crate::problem::ProblemDocument {
        /// What is wrong with how a document wants to be operated, by rules that are younger than documents that are kept: a text that comes in
        /// is held against them, a document that was signed before is not.
        pub(crate) fn operation_mistakes(&self) -> Vec<Mistake> {
            let mut mistakes = Vec::new();
            let mut wrong = |pointer: &str, message: String| {
                mistakes.push(Mistake { pointer: pointer.to_owned(), message });
            };
            if self.monitoring.window.seconds() > LONGEST_WINDOW.seconds() {
                wrong("/monitoring/window", format!("must be at most {}", LONGEST_WINDOW.in_words()));
            }
            if let Some(policy) = &self.retraining
                && let Err((key, reason)) =
                    Schedule::read(policy.cron.as_deref().unwrap_or("0 0 * * *"), &policy.timezone)
            {
                wrong(&format!("/retraining/{key}"), reason);
            }
            let deadline = self.rollout.deadline.unwrap_or(Rollout::USUAL_DEADLINE);
            for (name, step) in [("shadow", &self.rollout.shadow), ("canary", &self.rollout.canary.evidence)] {
                if step.min_duration.seconds() >= deadline.seconds() {
                    let least = step.min_duration;
                    let rule = format!(
                        "must be longer than {name}.min_duration, {least}, or no candidate can come through; it is {deadline}"
                    );
                    wrong("/rollout/deadline", rule);
                }
            }
            let plan = Plan::of(self);
            let own = self.retraining.as_ref().and_then(|retraining| match retraining.promote {
                Promote::Shadow => Some(crate::run::RolloutStage::Shadow),
                Promote::Canary => Some(crate::run::RolloutStage::Canary),
                Promote::Approval | Promote::Automatic => None,
            });
            if let Some(own) = own.filter(|own| plan.steps.iter().all(|step| step.stage != *own)) {
                let first = plan.step(0).title();
                wrong(
                    "/retraining/promote",
                    format!(
                        "names a step that the rollout does not have, whose first is {first}: it has no {}",
                        own.as_str()
                    ),
                );
            }
            mistakes
        }
    }

    impl Business {
        /// The `business` of a document.
        pub(in crate::problem) fn read(document: &Table<'_>) -> Option<Self> {
            let table = document.optional_table("business")?;
            let name = table.line("name", 100);
            let unit = table.line("unit", 40);
            let ways = [("up", Direction::Up), ("down", Direction::Down)];
            let direction = table.word_of("direction", &ways, Direction::Up);
            let limit = table.has("limit").then(|| table.number_in("limit", f64::MIN, f64::MAX, None));
            let margin = table.has("margin").then(|| table.number_in("margin", 0.0, 1.0, None));
            let read = BusinessRead::read(&table);
            table.close();
            Some(Self {
                name: name?,
                unit: unit?,
                direction: direction?,
                limit: limit.flatten(),
                margin: margin.flatten(),
                read,
            })
        }
    }

    impl BusinessRead {
        /// What the `business` of a document says of where its values are; none when they are reported.
        fn read(table: &Table<'_>) -> Option<Self> {
            let of_it = ["connection", "query", "delay"];
            if of_it.iter().all(|key| !table.has(key)) {
                return None;
            }
            if table.has("margin") {
                table.mistake(
                    "margin",
                    "needs values of predictions, which are reported: leave it out, or connection and query",
                );
            }
            let connection = table.line("connection", 63);
            let query = source::read::query(table);
            let delay = table.span_or("delay", "0s");
            Some(Self { connection: connection?, query: query?, delay: delay? })
        }
    }

    impl Monitoring {
        /// The `monitoring` of a document; the defaults when it has none.
        pub(in crate::problem) fn read(document: &Table<'_>) -> Option<Self> {
            let usual = Drift { metric: DriftMetric::Kl, threshold: 0.1, windows: 2, keep_firing: None };
            let Some(table) = document.optional_table("monitoring") else {
                let (window, no_data) = (Span::of_seconds(3_600), NoData::Show);
                let defaults =
                    Self { window, drift: usual, freshness: None, min_rows: 200, no_data, estimated_loss: None };
                return (!document.has("monitoring")).then_some(defaults);
            };
            let window = table.span_or("window", "1h").filter(|window| {
                let long_enough = window.seconds() >= 1;
                if !long_enough {
                    table.mistake("window", "must be at least one second");
                }
                long_enough
            });
            let drift = match table.optional_table("drift") {
                Some(drift) => Drift::read(&drift),
                None => Some(usual),
            };
            let freshness = table.optional_span("freshness");
            let min_rows = table.whole_or("min_rows", 200);
            let no_data = table.word_of("no_data", &[("show", NoData::Show), ("mail", NoData::Mail)], NoData::Show);
            let estimated_loss =
                table.has("estimated_loss").then(|| table.number_in("estimated_loss", 1e-6, 1.0, None)).flatten();
            table.close();
            Some(Self { window: window?, drift: drift?, freshness, min_rows, no_data: no_data?, estimated_loss })
        }
    }

    impl Drift {
        fn read(table: &Table<'_>) -> Option<Self> {
            let metric = table.word_of("metric", &DriftMetric::ALL, DriftMetric::Kl);
            let threshold = table.number_in("threshold", 1e-6, 1e6, Some(0.1));
            let windows = table.number_in("windows", 1.0, 1_000.0, Some(2.0));
            let keep_firing =
                table.has("keep_firing").then(|| table.number_in("keep_firing", 1.0, 1_000.0, None)).flatten();
            table.close();
            let keep_firing = keep_firing.map(|windows| windows as u32);
            Some(Self { metric: metric?, threshold: threshold?, windows: windows? as u32, keep_firing })
        }
    }

    impl Retraining {
        /// The `retraining` of a document.
        pub(in crate::problem) fn read(document: &Table<'_>) -> Option<Self> {
            let table = document.optional_table("retraining")?;
            let cron = table.optional_text("cron").map(str::to_owned);
            let timezone = table.optional_text("timezone").unwrap_or("UTC").to_owned();
            let new_rows = table.optional_whole("new_rows");
            let new_labels = table.optional_whole("new_labels");
            let on_drift = table.truth_or("on_drift", false);
            let on_quality = table.truth_or("on_quality", false);
            let on_estimated_loss = table.truth_or("on_estimated_loss", false);
            let when = table.word_of("when", &[("any", When::Any), ("all", When::All)], When::Any);
            let cool_down = table.span_or("cool_down", "6h");
            let small = |key: &'static str| {
                table.has(key).then(|| table.number_in(key, 1.0, 1_000.0, None).map(|number| number as u32)).flatten()
            };
            let (most, give_up_after) = (small("most"), small("give_up_after"));
            let cpu = table.optional_span("cpu");
            let blackout = table.optional_text("blackout").and_then(|text| {
                Blackout::try_from(text.to_owned()).map_err(|reason| table.mistake("blackout", reason)).ok()
            });
            let ways = [
                ("approval", Promote::Approval),
                ("shadow", Promote::Shadow),
                ("canary", Promote::Canary),
                ("automatic", Promote::Automatic),
            ];
            let promote = table.word_of("promote", &ways, Promote::Approval);
            table.close();
            Some(Self {
                cron,
                timezone,
                new_rows,
                new_labels,
                on_drift,
                on_quality,
                on_estimated_loss,
                when: when?,
                cool_down: cool_down?,
                most,
                cpu,
                blackout,
                give_up_after,
                promote: promote?,
            })
        }
    }

    impl Notify {
        /// The `notify` of a document; nobody when it has none.
        pub(in crate::problem) fn read(document: &Table<'_>) -> Self {
            let Some(table) = document.optional_table("notify") else { return Self::default() };
            let on_call = addresses(&table, "on_call");
            let escalation = addresses(&table, "escalation");
            let escalate_after = table.optional_span("escalate_after");
            let group_interval = table.optional_span("group_interval");
            if group_interval.is_some_and(|interval| interval.seconds() > HOUR) {
                table.mistake("group_interval", "must be at most 1h: what fires again after that is another alert");
            }
            let runbook = table.optional_text("runbook").map(str::to_owned);
            if runbook.as_ref().is_some_and(|link| !is_link(link)) {
                table.mistake("runbook", "must be an address that begins with https://, of at most 500 characters");
            }
            table.close();
            Self { on_call, escalation, escalate_after, group_interval, runbook }
        }
    }

    fn is_link(text: &str) -> bool {
        let plain = |c: char| c.is_ascii_graphic() && !"<>\"'`\\".contains(c);
        text.len() <= 500
            && text.chars().all(plain)
            && text.strip_prefix("https://").is_some_and(|rest| !rest.is_empty())
    }

    fn addresses(table: &Table<'_>, key: &'static str) -> Vec<String> {
        let addresses = table.optional_texts(key).unwrap_or_default();
        for address in &addresses {
            let plausible = address.len() <= 254
                && address.split_once('@').is_some_and(|(local, host)| !local.is_empty() && host.contains('.'))
                && !address.contains(|c: char| c.is_whitespace() || c.is_control() || "<>,;".contains(c));
            if !plausible {
                table.mistake(key, format!("{address:?} is not a mail address"));
            }
        }
        addresses
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_blackout_may_go_over_midnight() {
        let night = Blackout::try_from("22:00-06:00".to_owned()).unwrap();
        assert_eq!([0, 359, 360, 1_319, 1_320].map(|minute| night.holds(minute)), [true, true, false, false, true]);
        let noon = Blackout::try_from("11:30-13:00".to_owned()).unwrap();
        assert_eq!([689, 690, 779, 780].map(|minute| noon.holds(minute)), [false, true, true, false]);
        assert_eq!(String::from(noon), "11:30-13:00");
    }

    #[test]
    fn what_is_no_time_of_day_is_refused() {
        for text in ["", "22:00", "24:00-01:00", "9-10", "09:00-09:00", "aa:bb-cc:dd"] {
            assert!(Blackout::try_from(text.to_owned()).is_err(), "{text}");
        }
    }
}
