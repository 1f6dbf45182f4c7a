//! What a search drew, and which hyperparameters mattered in it.

use millrace_domain::metric::Metric;
use millrace_domain::trainer::{
    Axis, Branch, FitPlan, Importance, Range, Scale, Settings, Values, expected_gain, importance,
};
use millrace_domain::view::{DrawnView, SearchedView};
use millrace_storage::run::Trial;
use serde::Deserialize;

/// By trainer. Of trials that saw different shares of the rows those that saw fewest count, which are all that were drawn.
pub(crate) fn searched(plan: &FitPlan, trials: &[Trial], metric: Metric) -> Vec<SearchedView> {
    let first_rung = trials.iter().map(|trial| trial.share).reduce(f64::min);
    let of_branch = |branch: &Branch| {
        let own =
            trials.iter().filter(|trial| trial.trainer == branch.base().asked_as() && Some(trial.share) == first_rung);
        let scored = own.filter_map(|trial| {
            // Trials that were ended early had fallen behind; those that failed say nothing.
            let cost = match trial.state.as_str() {
                "pruned" => f64::MAX,
                _ => metric.as_loss(trial.score.filter(|score| score.is_finite())?),
            };
            Some((Settings::deserialize(&trial.parameters).ok()?, cost))
        });
        let scored: Vec<(Settings, f64)> = scored.collect();
        let found = importance(branch, &scored);
        let mut hyperparameters: Vec<DrawnView> =
            branch.axes().iter().map(|(name, axis)| drawn(branch, name, axis, &found)).collect();
        let share = |one: &DrawnView| one.importance.unwrap_or_default();
        hyperparameters.sort_by(|a, b| share(b).total_cmp(&share(a)));
        let trainer = branch.base().asked_as();
        SearchedView { trainer, trials: scored.len() as u64, hyperparameters }
    };
    plan.space.branches().iter().map(of_branch).collect()
}

/// What ten more trials, fifty more, and as many again as there were are expected to gain; nothing where trials saw few rows first.
pub(crate) fn forecast(plan: &FitPlan, trials: &[Trial], metric: Metric) -> Vec<(u32, f64)> {
    if plan.pruner.sees_few_rows() {
        return Vec::new();
    }
    let ended = trials.iter().filter(|trial| trial.state != "stopped");
    let costs: Vec<f64> = ended.map(|trial| trial.score.map_or(f64::INFINITY, |score| metric.as_loss(score))).collect();
    let again = u32::try_from(costs.len()).unwrap_or(u32::MAX);
    let mut more = vec![10, 50, again];
    more.sort_unstable();
    more.dedup();
    more.into_iter().filter_map(|more| Some((more, expected_gain(&costs, more)?))).collect()
}

fn drawn(branch: &Branch, name: &str, axis: &Axis, found: &[Importance]) -> DrawnView {
    let found = found.iter().find(|one| one.name == name);
    let is_log = match &axis.values {
        Values::Range(Range::Number { scale, .. } | Range::Integer { scale, .. }) => *scale == Scale::Log,
        Values::Choice(_) => false,
    };
    DrawnView {
        name: name.to_owned(),
        is_log,
        when: branch.condition(name),
        importance: found.map(|one| one.share),
        interval: found.map(|one| (one.least, one.most)),
    }
}
