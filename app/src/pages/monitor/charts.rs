//! The figures of what is watched.

use chrono::{DateTime, Utc};
use millrace_charts::{
    Annotation, CategoryBar, CategoryBars, Figure, Line, LineChart, Quadrant, QuadrantPoint, Threshold, XAxis,
    category_bars, line_chart, quadrant,
};
use millrace_domain::monitor::{Finding, Verdict};
use millrace_domain::view::{BinsView, MonitorView, WindowView};

/// What happened, as marks on an axis of time.
fn annotations(monitor: &MonitorView) -> Vec<Annotation> {
    let at = |time: DateTime<Utc>| time.timestamp() as f64;
    let changes = monitor.changes.iter().map(|(time, what)| Annotation { x: at(*time), label: what.clone() });
    let fired = monitor.incidents.iter().filter_map(|line| {
        Some(Annotation { x: at(line.fired_at?), label: format!("{} alert", line.cause.replace('_', " ")) })
    });
    changes.chain(fired).collect()
}

fn chart(monitor: &MonitorView, title: String, y: &str, lines: Vec<Line>, threshold: Option<(&str, f64)>) -> LineChart {
    LineChart {
        title,
        x: XAxis::Time,
        y: y.to_owned(),
        lines,
        threshold: threshold.map(|(label, value)| Threshold { label: label.to_owned(), value }),
        annotations: annotations(monitor),
        conclusion: None,
    }
}

fn ends(window: &WindowView) -> f64 {
    window.ends.timestamp() as f64
}

/// A line over windows, broken where windows in which nobody asked were left out.
fn course(windows: &[WindowView], value: impl Fn(usize, &WindowView) -> Option<f64>) -> Vec<(f64, f64)> {
    let mut points: Vec<(f64, f64)> = Vec::with_capacity(windows.len());
    let mut last: Option<DateTime<Utc>> = None;
    for (place, window) in windows.iter().enumerate() {
        if last.is_some_and(|last| last != window.begins) {
            points.push((window.begins.timestamp() as f64, f64::NAN));
        }
        points.push((ends(window), value(place, window).unwrap_or(f64::NAN)));
        last = Some(window.ends);
    }
    points
}

/// The distance of the column that is looked at closely, window by window.
pub(super) fn course_figure(monitor: &MonitorView) -> Option<Figure> {
    let bins = monitor.bins.as_ref()?;
    let seen = monitor.courses.iter().find(|course| course.column == bins.column)?;
    let points = course(&monitor.windows, |place, _| *seen.distances.get(place)?);
    let line = Line { label: seen.column.clone(), points, band: Vec::new() };
    let title = format!("{} of {}", monitor.rule.metric, seen.column);
    let threshold = Some(("threshold", monitor.rule.threshold));
    Some(line_chart(&chart(monitor, title, &monitor.rule.metric, vec![line], threshold), "course"))
}

/// What of that column was missing or unseen, window by window; none where nothing was.
pub(super) fn lacking_figure(monitor: &MonitorView) -> Option<Figure> {
    let bins = monitor.bins.as_ref()?;
    let seen = monitor.courses.iter().find(|course| course.column == bins.column)?;
    let line = |label: &str, shares: &[Option<f64>]| {
        let points = course(&monitor.windows, |place, _| Some(*shares.get(place)?.as_ref()? * 100.0));
        let is_any = shares.iter().flatten().any(|share| *share > 0.0);
        is_any.then(|| Line { label: label.to_owned(), points, band: Vec::new() })
    };
    let lines: Vec<_> =
        [line("missing", &seen.missing), line("unseen in training", &seen.unseen)].into_iter().flatten().collect();
    if lines.is_empty() {
        return None;
    }
    let title = format!("Missing and unseen values of {}", seen.column);
    Some(line_chart(&chart(monitor, title, "% of answers", lines, None), "lacking"))
}

/// Answers of each window, and requests without one.
pub(super) fn volume_figure(monitor: &MonitorView) -> Figure {
    let counts =
        |value: fn(&Finding) -> u64| course(&monitor.windows, |_, window| Some(value(window.finding.as_ref()?) as f64));
    let mut lines = vec![Line { label: "answers".to_owned(), points: counts(|finding| finding.n), band: Vec::new() }];
    if monitor.windows.iter().filter_map(|window| window.finding.as_ref()).any(|finding| finding.failed > 0) {
        let points = counts(|finding| finding.failed);
        lines.push(Line { label: "without an answer".to_owned(), points, band: Vec::new() });
    }
    let enough = ("enough for a verdict", monitor.rule.min_rows as f64);
    line_chart(&chart(monitor, "Answers of each window".to_owned(), "answers", lines, Some(enough)), "volume")
}

/// How old data was at the end of each window, in hours or days, and its limit; none of one window.
pub(super) fn ages_figure(monitor: &MonitorView) -> Option<Figure> {
    let oldest = monitor.ages.iter().flat_map(|age| age.seconds.iter().flatten()).max().copied().unwrap_or(0);
    let (unit, seconds) = if oldest < 3 * 86_400 { ("hours", 3_600.0) } else { ("days", 86_400.0) };
    let lines: Vec<_> = monitor
        .ages
        .iter()
        .map(|age| {
            let points = course(&monitor.windows, |place, _| Some((*age.seconds.get(place)?)? as f64 / seconds));
            Line { label: age.dataset.clone(), points, band: Vec::new() }
        })
        .collect();
    if lines.is_empty() || monitor.windows.len() < 2 {
        return None;
    }
    let limit =
        monitor.freshness.iter().find_map(|data| data.limit_seconds).map(|limit| ("limit", limit as f64 / seconds));
    Some(line_chart(&chart(monitor, "Age of the newest rows".to_owned(), unit, lines, limit), "ages"))
}

/// The bins of that column beside those of the reference.
pub(super) fn bins_figure(bins: &BinsView, window: &WindowView) -> Figure {
    let missing = bins.binning.missing();
    let bars = bins
        .binning
        .names()
        .into_iter()
        .zip(bins.reference.iter().zip(&bins.current))
        .take(missing)
        .filter(|(_, (before, now))| **before + **now > 0)
        .map(|(label, (before, now))| CategoryBar { label, count: *now, reference: Some(*before) })
        .collect();
    let name =
        format!("{}, {} to {}", bins.column, window.begins.format("%Y-%m-%d %H:%M"), window.ends.format("%H:%M UTC"));
    let values =
        CategoryBars { name, bars, missing: bins.current[missing], reference_missing: Some(bins.reference[missing]) };
    category_bars(&values, "bins")
}

/// Features by how much they matter and how far they moved.
pub(super) fn quadrant_figure(monitor: &MonitorView, finding: &Finding) -> Figure {
    let features = finding.columns.split_last().map_or(&[][..], |(_, features)| features);
    let points = features.iter().map(|column| QuadrantPoint {
        label: column.name.clone(),
        importance: column.importance,
        distance: column.distance,
        is_drifted: column.verdict == Verdict::Drifted,
    });
    let values =
        Quadrant { metric: monitor.rule.metric.clone(), threshold: monitor.rule.threshold, points: points.collect() };
    quadrant(&values, "quadrant")
}

/// Quality as outcomes came in, its estimate before they did, and what the document asks for; none without either.
pub(super) fn quality_figure(monitor: &MonitorView) -> Option<Figure> {
    let measured: Vec<_> =
        monitor.windows.iter().filter_map(|window| window.quality.as_ref().map(|quality| (window, quality))).collect();
    let (word, limit) = match measured.last() {
        Some((_, last)) => (last.metric.as_str(), last.limit),
        None => (monitor.rule.success.as_str(), monitor.rule.success_limit),
    };
    let metric = word.replace('_', " ");
    let points = measured.iter().map(|(window, quality)| (ends(window), quality.value)).collect();
    let band = measured.iter().map(|(_, quality)| quality.interval.unwrap_or((quality.value, quality.value))).collect();
    let measured = (!measured.is_empty()).then(|| Line { label: "measured".to_owned(), points, band });
    let mut lines: Vec<Line> = measured.into_iter().collect();
    let estimated = course(&monitor.windows, |_, window| {
        let estimate = window.finding.as_ref()?.estimate?;
        match word {
            "roc_auc" => Some(estimate.roc_auc),
            "accuracy" => Some(estimate.accuracy),
            _ => None,
        }
    });
    if estimated.iter().any(|(_, value)| value.is_finite()) {
        lines.push(Line { label: "estimated before outcomes".to_owned(), points: estimated, band: Vec::new() });
    }
    if lines.is_empty() {
        return None;
    }
    Some(line_chart(&chart(monitor, format!("Quality: {metric}"), &metric, lines, Some(("limit", limit))), "quality"))
}

/// The business metric, window by window; none where the document names none or nothing was reported.
pub(super) fn business_figure(monitor: &MonitorView) -> Option<Figure> {
    let (name, unit, limit) = monitor.business.as_ref()?;
    if monitor.windows.iter().all(|window| window.business.is_none()) {
        return None;
    }
    let points = course(&monitor.windows, |_, window| window.business.map(|(mean, _)| mean));
    let line = Line { label: name.clone(), points, band: Vec::new() };
    let values =
        chart(monitor, name.clone(), &format!("{name}, {unit}"), vec![line], limit.map(|limit| ("limit", limit)));
    Some(line_chart(&values, "business"))
}
