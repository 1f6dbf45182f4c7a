//! What another rule about drift would have done in the recorded windows of a deployment.

use chrono::TimeDelta;
use millrace_domain::fault::Fault;
use millrace_domain::monitor::BackTest;
use millrace_domain::policy::{Action, Actor};
use millrace_domain::problem::{Drift, Mistake};
use millrace_domain::view::{BackTestQuery, BackTestView, Permission, TriedRule};
use millrace_storage::{deployment, monitor};

use crate::{Result, Services, fault};

/// Recorded windows that are looked at, the newest: a hundred days of hours; fewer where they have many columns.
const MOST_WINDOWS: usize = 2_500;
const MOST_COLUMNS: usize = 100_000;
/// False alarms that are wanted in thirty days when nobody says.
const USUAL_ALARMS: f64 = 1.0;

impl Services {
    /// Runs the recorded windows of a deployment through a rule about drift. What is not asked for is as the document has it.
    ///
    /// # Errors
    /// 404 when nothing ever was live; 400 for what is no rule.
    pub async fn back_test(&self, actor: &Actor, slug: &str, query: &BackTestQuery) -> Result<BackTestView> {
        self.authorise_on(actor, Action::ReadWorkspace, slug, &format!("deployment/{slug}")).await?;
        let pool = self.db.pool();
        let live = deployment::find(pool, slug).await.map_err(fault)?;
        let live = live.ok_or_else(|| Fault::not_found("deployment"))?;
        let document = self.document_to_show(slug).await?;
        let signed = document.monitoring;
        let (rule, min_rows, alarms) = read(query, &signed.drift, signed.min_rows)?;
        let newest = monitor::findings(pool, live.problem, 1).await.map_err(fault)?;
        let columns = newest.first().map_or(1, |(_, finding)| finding.columns.len().max(1));
        let most = u32::try_from((MOST_COLUMNS / columns).clamp(1, MOST_WINDOWS)).unwrap_or(u32::MAX);
        let found = monitor::findings(pool, live.problem, most).await.map_err(fault)?;
        let windows: Vec<_> = found.iter().map(|(ends, finding)| (*ends, finding)).collect();
        let length = TimeDelta::seconds(i64::try_from(signed.window.seconds()).unwrap_or(i64::MAX / 1_000));
        let days = match (windows.first(), windows.last()) {
            (Some((first, _)), Some((last, _))) => (*last - *first + length).num_seconds() as f64 / 86_400.0,
            _ => 0.0,
        };
        let most = (alarms * days / 30.0).floor() as usize;
        let tested = BackTest::of(&windows, &rule, min_rows, most);
        let told = |drift: &Drift, min_rows: u64| TriedRule {
            metric: drift.metric.as_str().to_owned(),
            threshold: drift.threshold,
            windows: drift.windows,
            keep_firing: drift.in_a_row().ends,
            min_rows,
        };
        Ok(BackTestView {
            slug: slug.to_owned(),
            title: document.title,
            signed: told(&signed.drift, signed.min_rows),
            tried: told(&rule, min_rows),
            begins: windows.first().map(|(first, _)| *first - length),
            ends: windows.last().map(|(last, _)| *last),
            days,
            judged: tested.heights.iter().filter(|height| height.distance.is_some()).count() as u64,
            windows: tested.heights.iter().map(|height| (height.at, height.distance)).collect(),
            fired: tested.fired,
            fired_as_signed: BackTest::of(&windows, &signed.drift, signed.min_rows, most).fired,
            alarms,
            suggested: tested.suggested,
            may_test: Permission::from_result(
                actor.may_on(Action::HandleIncident, slug).map_err(|refused| refused.to_string()),
            ),
        })
    }
}

/// The rule that is asked for, and how many alarms in thirty days are wanted.
fn read(query: &BackTestQuery, signed: &Drift, min_rows: u64) -> Result<(Drift, u64, f64)> {
    let mut mistakes = Vec::new();
    let mut refuse = |key: &str, message: String| {
        mistakes.push(Mistake { pointer: format!("/{key}"), message });
    };
    let metric = match query.metric.as_deref().filter(|metric| !metric.is_empty()) {
        None => signed.metric,
        Some(metric) => metric.parse().unwrap_or_else(|message| {
            refuse("metric", message);
            signed.metric
        }),
    };
    let threshold = query.threshold.unwrap_or(signed.threshold);
    if !(1e-6..=1e6).contains(&threshold) {
        refuse("threshold", format!("must lie between 0.000001 and 1000000, got {threshold}"));
    }
    let windows = query.windows.unwrap_or(signed.windows);
    if !(1..=1_000).contains(&windows) {
        refuse("windows", format!("must lie between 1 and 1000, got {windows}"));
    }
    let keep_firing = query.keep_firing.or(signed.keep_firing);
    if keep_firing.is_some_and(|windows| !(1..=1_000).contains(&windows)) {
        refuse("keep_firing", "must lie between 1 and 1000".to_owned());
    }
    let alarms = query.alarms.unwrap_or(USUAL_ALARMS);
    if !(0.0..=1_000.0).contains(&alarms) {
        refuse("alarms", format!("must lie between 0 and 1000, got {alarms}"));
    }
    match mistakes.as_slice() {
        [] => {}
        [one] => return Err(Fault::field(&one.pointer, one.message.clone())),
        _ => return Err(Fault::invalid("that is no rule that can be tried", mistakes)),
    }
    Ok((Drift { metric, threshold, windows, keep_firing }, query.min_rows.unwrap_or(min_rows), alarms))
}
