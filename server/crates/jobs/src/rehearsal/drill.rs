//! What came of a fire drill: how long it takes until what broke is told and mended.

use chrono::{DateTime, Utc};
use millrace_domain::problem::ProblemDocument;
use millrace_domain::rehearsal::Drill;
use millrace_domain::view::{CourseTold, DrillTold};

use super::history::mean;

/// What came of it, beside the same policy over data that did not break.
pub(super) fn told(document: &ProblemDocument, drill: &Drill, with: &CourseTold, without: &CourseTold) -> DrillTold {
    let last = with.windows.last().map_or(drill.from, |window| window.ends);
    let until = drill.until.map_or(last, |until| until.min(last));
    let alert = with.events.iter().find(|event| {
        let is_new = !without
            .events
            .iter()
            .any(|other| other.what == "alert" && other.at == event.at && other.text == event.text);
        event.what == "alert" && event.at >= drill.from && is_new
    });
    let model = with.events.iter().find(|event| event.what == "live" && event.at > drill.from);
    // A window counts when it lies in the drill, and on its own account: one that would have been outside anyway does not.
    let pairs: Vec<_> = with
        .windows
        .iter()
        .zip(&without.windows)
        .filter(|(window, _)| window.ends > drill.from && window.ends <= until.max(drill.from))
        .collect();
    let bound = document.success.bound;
    let outside: Vec<DateTime<Utc>> = pairs
        .iter()
        .filter(|(window, other)| {
            window.quality.is_some_and(|quality| !bound.holds(quality))
                && other.quality.is_none_or(|quality| bound.holds(quality))
        })
        .map(|(window, _)| window.ends)
        .collect();
    DrillTold {
        title: drill.in_words(),
        from: drill.from,
        until,
        alert: alert.map(|event| (event.at, event.text.clone())),
        model: model.map(|event| event.at),
        outside_until: outside.last().copied(),
        is_still_outside: outside.last().is_some() && outside.last() == pairs.last().map(|(window, _)| &window.ends),
        mean: mean(pairs.iter().filter_map(|(window, _)| Some((window.quality?, window.labelled)))),
        mean_otherwise: mean(pairs.iter().filter_map(|(_, other)| Some((other.quality?, other.labelled)))),
    }
}
