//! What came of a fire drill: how long it takes until what broke is told and mended.

use chrono::{DateTime, TimeDelta, Utc};
use millrace_domain::problem::ProblemDocument;
use millrace_domain::rehearsal::Drill;
use millrace_domain::view::{CourseTold, DrillTold, EventTold};

use super::history::mean;

/// What came of it, beside the same policy over data that did not break.
pub(super) fn told(document: &ProblemDocument, drill: &Drill, with: &CourseTold, without: &CourseTold) -> DrillTold {
    let span = |seconds: u64| TimeDelta::seconds(i64::try_from(seconds).unwrap_or(i64::MAX / 1_000_000));
    let (window, delay) = (span(document.monitoring.window.seconds()), span(document.target.delay.seconds()));
    let last = with.windows.last().map_or(drill.from, |window| window.ends);
    let rolled_back = with.events.iter().find(|event| event.what == "rolled_back");
    let until = drill.until.or_else(|| rolled_back.map(|event| event.at)).map_or(last, |until| until.min(last));
    let is_new = |event: &EventTold| {
        let alike = |other: &&EventTold| other.at == event.at && other.what == event.what;
        // Of an alert the cause counts: its numbers differ.
        !without.events.iter().filter(alike).any(|other| event.what != "alert" || cause(other) == cause(event))
    };
    // Later ones are of something else.
    let latest =
        until + delay + window * i32::try_from(document.monitoring.drift.windows).unwrap_or(1).saturating_add(1);
    let find = |what: &str, from: DateTime<Utc>| {
        with.events.iter().find(|event| event.what == what && event.at > from && event.at <= latest && is_new(event))
    };
    // Whoever is on call is written to about both.
    let alert = find("alert", drill.from).into_iter().chain(rolled_back).min_by_key(|event| event.at);
    let model = find("live", drill.from + delay);
    let since = || with.windows.iter().zip(&without.windows).filter(|(own, _)| own.ends > drill.from);
    let within = || since().filter(|(own, _)| own.ends - window < until);
    let seen = within().find_map(|(own, other)| {
        let new = own.drifted.iter().find(|name| !other.drifted.contains(name))?;
        Some((own.ends, new.clone()))
    });
    let seen =
        seen.into_iter().chain(rolled_back.map(|event| (event.at, event.text.clone()))).min_by_key(|seen| seen.0);
    let judged: Vec<(DateTime<Utc>, bool)> =
        since().filter_map(|(own, other)| Some((own.ends, !own.is_met? && other.is_met != Some(false)))).collect();
    DrillTold {
        title: drill.in_words(),
        is_model: drill.is_model,
        from: drill.from,
        until,
        seen,
        alert: alert.map(|event| (event.at, event.text.clone())),
        stays: with.events.iter().find(|event| event.what == "stays").map(|event| event.at),
        rolled_back: rolled_back.map(|event| (event.at, event.text.clone())),
        model: model.map(|event| event.at),
        judged: judged.len() as u64,
        outside_until: judged.iter().rfind(|(_, is_outside)| *is_outside).map(|(ends, _)| *ends),
        is_still_outside: judged.last().is_some_and(|(_, is_outside)| *is_outside),
        mean: mean(within().filter_map(|(own, _)| Some((own.quality?, own.labelled)))),
        mean_otherwise: mean(within().filter_map(|(_, other)| Some((other.quality?, other.labelled)))),
    }
}

fn cause(event: &EventTold) -> &str {
    event.text.split(": ").next().unwrap_or_default()
}
