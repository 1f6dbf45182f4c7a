//! Model cards, made of what is known of a version.

use millrace_domain::card::{Card, Section};
use millrace_domain::gate::{Gate, Verdict};
use millrace_domain::policy::Actor;
use millrace_domain::problem::ProblemDocument;
use millrace_domain::view::{MetricView, ModelVersionView};
use millrace_storage::model;

use crate::model::missing;
use crate::{Result, Services, fault};

/// Inputs whose importance is listed.
const MOST_IMPORTANT: usize = 15;

impl Services {
    /// The card of a version.
    ///
    /// # Errors
    /// 404 when there is none.
    pub async fn model_card(&self, actor: &Actor, slug: &str, number: i32) -> Result<Card> {
        let shown = self.model_version(actor, slug, number).await?;
        let version = model::find_numbered(self.db.pool(), slug, number).await.map_err(fault)?.ok_or_else(missing)?;
        let lineage = self.lineage(self.db.pool(), version).await?;
        Ok(card(&shown, &lineage.problem.document, lineage.problem.number))
    }
}

fn card(version: &ModelVersionView, document: &ProblemDocument, signed: i32) -> Card {
    let summary = &version.summary;
    let sections = vec![
        Section::of_lines(
            "What it is",
            vec![
                format!("Version {} of the model {}, {}.", summary.version, summary.slug, state(version)),
                format!(
                    "Fitted by run {}, which {} launched, and registered on {}.",
                    summary.run,
                    summary.author,
                    summary.created_at.format("%Y-%m-%d")
                ),
                format!("Fitted with {}.", parameters(version)),
            ],
        ),
        Section::of_lines("What it is for", document.summary()),
        Section::of_rows(
            "What it is asked",
            vec!["Every input must be sent; null where a value is missing.".to_owned()],
            &["input", "type"],
            version.inputs.iter().map(|(name, kind)| vec![name.clone(), kind.clone()]).collect(),
        ),
        Section::of_rows(
            "How well it does",
            vec!["On rows that it was not trained on, with 95 % intervals where one is known.".to_owned()],
            &["metric", "test part", "interval", "rows", "always alike", "last label again", "validation part"],
            version.metrics.iter().filter_map(|metric| metric_row(metric, version)).collect(),
        ),
        Section::of_rows(
            "What it had to prove",
            Vec::new(),
            &["gate", "observed", "limit", "rows", "verdict"],
            version.gates.iter().map(gate_row).collect(),
        ),
        Section::of_lines("What to be careful about", cautions(version)),
        Section::of_rows(
            "What it relies on",
            Vec::new(),
            &["input", "importance"],
            version
                .importance
                .iter()
                .take(MOST_IMPORTANT)
                .map(|(name, share)| vec![name.clone(), number(*share)])
                .collect(),
        ),
        Section::of_lines("Who approved it", approvals(version)),
        Section::of_lines(
            "Where it comes from",
            vec![
                format!("Document: version {signed} of {}.", summary.slug),
                format!(
                    "Data: {} version {}, {} rows.",
                    version.dataset.name,
                    version.dataset.version,
                    version.dataset.rows.unwrap_or(0)
                ),
                format!("Digest of the version: {}.", version.digest),
                format!("Digest of the model's bytes: {}.", version.artifact),
            ],
        ),
    ];
    Card { title: format!("{} version {}", summary.slug, summary.version), sections }
}

fn state(version: &ModelVersionView) -> String {
    let stage = version.summary.stage.replace('_', " ");
    if version.summary.archived { format!("{stage}, archived") } else { stage }
}

/// Hyperparameters with their values.
fn parameters(version: &ModelVersionView) -> String {
    let given = version.parameters.as_ref().and_then(serde_json::Value::as_object);
    let listed: Vec<String> = given.into_iter().flatten().map(|(name, value)| format!("{name} {value}")).collect();
    if listed.is_empty() { "the trainer's own settings".to_owned() } else { listed.join(", ") }
}

/// A metric on the test part, beside what the two floors reach there and the validation part; none for those other parts.
fn metric_row(metric: &MetricView, version: &ModelVersionView) -> Option<Vec<String>> {
    let name = metric.name.strip_prefix("test.").filter(|_| metric.step == 0)?;
    let elsewhere = |part: &str| {
        let wanted = format!("{part}.{name}");
        let found = version.metrics.iter().find(|other| other.name == wanted && other.step == 0);
        found.map(|other| number(other.value)).unwrap_or_default()
    };
    let interval = metric.interval.map(|(low, high)| format!("{} to {}", number(low), number(high)));
    Some(vec![
        name.to_owned(),
        number(metric.value),
        interval.unwrap_or_default(),
        metric.n.to_string(),
        elsewhere("baseline"),
        elsewhere("repeat_last"),
        elsewhere("validation"),
    ])
}

fn gate_row(gate: &Gate) -> Vec<String> {
    let value = |value: Option<f64>| value.map(number).unwrap_or_default();
    let verdict = match (gate.verdict, &gate.overridden) {
        (Verdict::Pass, _) => "pass".to_owned(),
        (verdict, None) => verdict.to_string(),
        (verdict, Some(given)) => format!("{verdict}, overridden by {}", given.by),
    };
    vec![gate.rule.clone(), value(gate.observed), value(gate.threshold), gate.n.to_string(), verdict]
}

/// What somebody who uses the version must know: what it did not prove, and what was found in its data.
fn cautions(version: &ModelVersionView) -> Vec<String> {
    let overridden = version.gates.iter().filter_map(|gate| {
        let given = gate.overridden.as_ref()?;
        Some(format!(
            "{} was not shown; {} let it go on until {}: {}",
            gate.rule,
            given.by,
            given.until.format("%Y-%m-%d"),
            given.reason
        ))
    });
    let lines: Vec<String> = overridden.chain(version.warnings.iter().cloned()).collect();
    if lines.is_empty() { vec!["Nothing was found.".to_owned()] } else { lines }
}

fn approvals(version: &ModelVersionView) -> Vec<String> {
    let given = version.review.decisions.iter().filter(|decision| decision.stands && decision.decision == "approve");
    let mut lines: Vec<String> =
        given.map(|decision| format!("{} on {}", decision.by, decision.at.format("%Y-%m-%d"))).collect();
    if !version.review.complete {
        lines.push(format!("{} of {} approvals: it may not be used yet", version.review.given, version.review.needed));
    }
    lines
}

/// Four digits behind the point, or as many as show something.
fn number(value: f64) -> String {
    if value == 0.0 || (1e-3..1e6).contains(&value.abs()) { format!("{value:.4}") } else { format!("{value:.3e}") }
}
