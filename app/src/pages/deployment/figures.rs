//! What a rollout has counted, drawn: how the evidence of each check grew, and what came of one step.

use millrace_charts::{
    Annotation, CategoryBar, CategoryBars, Figure, Line, LineChart, Threshold, XAxis, category_bars, line_chart,
    narrow_line_chart, number,
};
use millrace_domain::gate::Verdict;
use millrace_domain::rollout::{Look, Seen};
use millrace_domain::view::{RolloutCounts, RolloutMinute, RolloutSide, RolloutView};

/// Looks at the beginning know next to nothing: one whose interval is so many times wider than the narrowest is not drawn, so that the
/// others can be told apart.
const WIDER: f64 = 20.0;

/// The checks whose evidence is a difference or a distance: the name, what is drawn, and the axis.
const DRAWN: [(&str, &str, &str); 5] = [
    ("failures", "Requests without an answer", "candidate less champion, share of requests"),
    ("slow", "Slow answers", "candidate less champion, share of answers"),
    ("shift", "Distance of the answers", "distance of both distributions"),
    ("quality", "Loss where the truth is known", "candidate less champion"),
    ("business", "Business metric", "how much worse with the candidate"),
];

/// How the evidence of each check grew, with its bounds, its limit, and where steps began; nothing of a check that was seen once.
pub fn course(rollout: &RolloutView, prefix: &str) -> Vec<Figure> {
    let begins = begins(rollout);
    let figure = |(name, title, y): (&str, &str, &str)| {
        let seen: Vec<(f64, &Seen)> = rollout.looks.iter().filter_map(|look| observed(look, name)).collect();
        let width = |seen: &Seen| seen.interval.map(|(low, high)| high - low);
        let widths = seen.iter().filter_map(|(_, seen)| width(seen)).filter(|width| *width > 0.0);
        let narrowest = widths.fold(f64::INFINITY, f64::min);
        let is_told = |seen: &Seen| width(seen).is_none_or(|width| width <= narrowest * WIDER);
        let (_, last) = *seen.last()?;
        let drawn: Vec<&(f64, &Seen)> = seen.iter().filter(|(_, one)| *one == last || is_told(one)).collect();
        let points: Vec<(f64, f64)> = drawn.iter().filter_map(|(at, seen)| Some((*at, seen.observed?))).collect();
        if points.len() < 2 {
            return None;
        }
        let unknown = (f64::NAN, f64::NAN);
        let mut lines = vec![Line {
            label: format!("version {} beside {}", rollout.candidate, rollout.champion),
            points,
            band: drawn.iter().map(|(_, seen)| seen.interval.unwrap_or(unknown)).collect(),
        }];
        // A limit that is a share of what the champion does moves with it.
        let moves = drawn.iter().any(|(_, seen)| seen.threshold != last.threshold);
        let limit = last.threshold.filter(|_| !moves);
        if moves {
            let points = drawn.iter().map(|(at, seen)| (*at, seen.threshold.unwrap_or(f64::NAN))).collect();
            lines.push(Line { label: "limit".to_owned(), points, band: Vec::new() });
        }
        let chart = LineChart {
            title: title.to_owned(),
            x: XAxis::Time,
            y: y.to_owned(),
            lines,
            threshold: limit.map(|value| Threshold { label: "limit".to_owned(), value }),
            annotations: begins.clone(),
            conclusion: Some(conclusion(title, last)),
        };
        Some(narrow_line_chart(&chart, &format!("{prefix}-{name}")))
    };
    DRAWN.into_iter().filter_map(figure).collect()
}

/// When each step began, as far as is known: the first at the beginning, others when they were looked at first.
fn begins(rollout: &RolloutView) -> Vec<Annotation> {
    let title = |step: usize| rollout.steps.get(step).map(|step| step.title()).unwrap_or_default();
    let mut begins = vec![Annotation { x: rollout.started_at.timestamp() as f64, label: title(0) }];
    for pair in rollout.looks.windows(2) {
        if pair[1].step > pair[0].step {
            begins.push(Annotation { x: pair[1].at.timestamp() as f64, label: title(pair[1].step) });
        }
    }
    begins
}

/// What a check said at a look, where something was observed.
fn observed<'a>(look: &'a Look, name: &str) -> Option<(f64, &'a Seen)> {
    let seen = look.checks.iter().find(|seen| seen.name == name)?;
    seen.observed.map(|_| (look.at.timestamp_millis() as f64 / 1e3, seen))
}

/// "Slow answers: 0.002 (−0.001 to 0.005), limit 0.01, shown, n = 1 204."
fn conclusion(title: &str, last: &Seen) -> String {
    let observed = last.observed.map(number).unwrap_or_default();
    let interval = last.interval.map(|(low, high)| format!(" ({} to {})", number(low), number(high)));
    let limit = last.threshold.map(|limit| format!(", limit {}", number(limit)));
    let verdict = match last.verdict {
        Verdict::Pass => "shown",
        Verdict::Fail => "failed",
        Verdict::Insufficient => "not enough evidence",
    };
    let (interval, limit) = (interval.unwrap_or_default(), limit.unwrap_or_default());
    format!("{title}: {observed}{interval}{limit}, {verdict}, n = {}.", millrace_charts::count(last.n))
}

/// Times of answers, the two distributions of answers, and answers by minute.
pub fn of_step(counted: &RolloutCounts, limit_ms: Option<f64>, prefix: &str) -> Vec<Figure> {
    let mut figures = Vec::new();
    figures.extend(times(counted, limit_ms, &format!("{prefix}-times")));
    figures.extend(distributions(counted, &format!("{prefix}-scores")));
    if counted.minutes.len() > 1 {
        let line = |label: &str, of: fn(&RolloutMinute) -> u64| Line {
            label: label.to_owned(),
            points: counted
                .minutes
                .iter()
                .map(|minute| (minute.minute.timestamp() as f64, of(minute) as f64))
                .collect(),
            band: Vec::new(),
        };
        let mut lines =
            vec![line("candidate", |minute| minute.candidate), line("champion beside it", |minute| minute.control)];
        if counted.minutes.iter().any(|minute| minute.failed > 0) {
            lines.push(line("candidate, not answered", |minute| minute.failed));
        }
        let chart = LineChart {
            title: "Answers by minute".to_owned(),
            x: XAxis::Time,
            y: "answers a minute".to_owned(),
            lines,
            threshold: None,
            annotations: Vec::new(),
            conclusion: None,
        };
        figures.push(line_chart(&chart, &format!("{prefix}-minutes")));
    }
    figures
}

/// What a side of a comparison is called.
pub fn side_words(arm: &str) -> &'static str {
    if arm == "candidate" { "candidate" } else { "champion beside it" }
}

/// Which share of answers took at most so long, on both sides, and what 99 of 100 may take.
fn times(counted: &RolloutCounts, limit_ms: Option<f64>, id: &str) -> Option<Figure> {
    let line = |side: &RolloutSide| Line {
        label: side_words(&side.arm).to_owned(),
        points: cumulative(side.times.iter().copied()),
        band: Vec::new(),
    };
    let lines: Vec<Line> = counted.sides.iter().filter(|side| !side.times.is_empty()).map(line).collect();
    let slowest = |side: &RolloutSide| Some(format!("{} {} ms", side_words(&side.arm), number(side.p99_ms?)));
    let slowest: Vec<String> = counted.sides.iter().filter_map(slowest).collect();
    let limit = limit_ms.map(|limit| format!(" The document allows {} ms.", number(limit))).unwrap_or_default();
    let chart = LineChart {
        title: "Time of an answer".to_owned(),
        x: XAxis::Logarithm("ms, at most".to_owned()),
        y: "share of answers".to_owned(),
        lines,
        threshold: Some(Threshold { label: "99 of 100".to_owned(), value: 0.99 }),
        annotations: limit_ms.map(|x| Annotation { x, label: "limit".to_owned() }).into_iter().collect(),
        conclusion: Some(format!("99 of 100 answers took at most: {}.{limit}", slowest.join(", "))),
    };
    (!chart.lines.is_empty()).then(|| line_chart(&chart, id))
}

/// The share of all up to each end, in the order of ends.
fn cumulative(bins: impl Iterator<Item = (f64, u64)> + Clone) -> Vec<(f64, f64)> {
    let all: u64 = bins.clone().map(|(_, n)| n).sum();
    let mut below = 0;
    let share = |(end, n): (f64, u64)| {
        below += n;
        (end, below as f64 / all.max(1) as f64)
    };
    bins.map(share).collect()
}

/// The answers of both: which share is at most so high, or is each class.
fn distributions(counted: &RolloutCounts, id: &str) -> Option<Figure> {
    let scores = &counted.scores;
    if scores.iter().all(|group| group.candidate == 0 && group.control == 0) {
        return None;
    }
    if scores.iter().any(|group| group.class.is_some()) {
        let bar = |group: &millrace_domain::view::ScoreGroup| CategoryBar {
            label: group.class.clone().unwrap_or_default(),
            count: group.candidate,
            reference: Some(group.control),
        };
        let bars = CategoryBars {
            name: "answers: the candidate's, the champion's as reference".to_owned(),
            bars: scores.iter().map(bar).collect(),
            missing: 0,
            reference_missing: None,
        };
        return Some(category_bars(&bars, id));
    }
    let line = |label: &str, of: fn(&millrace_domain::view::ScoreGroup) -> u64| Line {
        label: label.to_owned(),
        points: cumulative(scores.iter().filter_map(|group| Some((group.at_most?, of(group))))),
        band: Vec::new(),
    };
    let lines = vec![line("candidate", |group| group.candidate), line("champion beside it", |group| group.control)];
    let chart = LineChart {
        title: "Answers to the same requests".to_owned(),
        x: XAxis::Number("answer, at most".to_owned()),
        y: "share of answers".to_owned(),
        conclusion: Some(furthest(&lines[0].points, &lines[1].points)),
        lines,
        threshold: None,
        annotations: Vec::new(),
    };
    Some(line_chart(&chart, id))
}

/// "Furthest apart at 0.4: 31 % of the candidate's answers are at most that, 28 % of the champion's."
fn furthest(candidate: &[(f64, f64)], champion: &[(f64, f64)]) -> String {
    let apart = |pair: &(&(f64, f64), &(f64, f64))| (pair.0.1 - pair.1.1).abs();
    let found = candidate.iter().zip(champion).max_by(|a, b| apart(a).total_cmp(&apart(b)));
    let Some(((at, new), (_, old))) = found else { return String::new() };
    let percent = |share: f64| format!("{} %", number((share * 1e3).round() / 10.0));
    format!(
        "Furthest apart at {}: {} of the candidate's answers are at most that, {} of the champion's.",
        number(*at),
        percent(*new),
        percent(*old)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(observed: f64, half: f64) -> Seen {
        Seen {
            name: "failures".to_owned(),
            verdict: Verdict::Pass,
            observed: Some(observed),
            interval: Some((observed - half, observed + half)),
            threshold: Some(0.01),
            n: 1_204,
        }
    }

    #[test]
    fn a_conclusion_names_value_bounds_limit_and_verdict() {
        assert_eq!(
            conclusion("Slow answers", &seen(0.002, 0.003)),
            "Slow answers: 0.002 (−0.001 to 0.005), limit 0.01, shown, n = 1\u{202f}204."
        );
    }

    #[test]
    fn distributions_are_furthest_apart_where_their_shares_differ_most() {
        let said = furthest(&[(0.2, 0.1), (0.4, 0.5), (1.0, 1.0)], &[(0.2, 0.12), (0.4, 0.3), (1.0, 1.0)]);
        assert_eq!(
            said,
            "Furthest apart at 0.4: 50 % of the candidate's answers are at most that, 30 % of the champion's."
        );
    }
}
