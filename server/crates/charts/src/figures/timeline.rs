//! Timeline of a run: when each step waited and when it worked.

use serde::{Deserialize, Serialize};

use crate::axis::Axis;
use crate::figure::{Draft, Figure, WIDE, header, no_data};
use crate::ink::{Ink, Pen};
use crate::legend::{Legend, Sample};
use crate::marker::Marker;
use crate::number::{counted, duration, is_plottable, left_out};
use crate::plane::Plane;
use crate::sheet::{Anchor, Drawn, LAYOUT_TEXT_SIZE, Lettering, Sheet, px};
use crate::text;

const ROW: f64 = 28.0;

/// Steps drawn; a run has a dozen, so more means that something else was handed over.
const DRAWN_STEPS: usize = 60;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum SpanState {
    #[default]
    Queued,
    Running,
    Succeeded,
    Failed,
    Cancelled,
    /// Left to another worker.
    HandedOver,
}

/// One attempt at a step. Times are Unix seconds.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Span {
    /// Spans of the same step share one row.
    pub step: String,
    /// From 1.
    pub attempt: u32,
    pub state: SpanState,
    pub queued_at: f64,
    pub started_at: Option<f64>,
    pub finished_at: Option<f64>,
}

#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct RunTimeline {
    pub spans: Vec<Span>,
    /// Where open spans end: the time of looking, passed in.
    pub now: f64,
}

/// A span with its open ends closed, in seconds since the run began.
struct Bar<'a> {
    of: &'a Span,
    row: usize,
    queued: f64,
    started: f64,
    ended: f64,
}

impl Bar<'_> {
    fn words(&self) -> String {
        let attempt = if self.of.attempt > 1 { format!(", attempt {}", self.of.attempt) } else { String::new() };
        format!(
            "{}{attempt}: {}, waited {}, worked {}",
            self.of.step,
            self.of.state.name(),
            duration(self.started - self.queued),
            duration(self.ended - self.started)
        )
    }
}

/// One row per step: waiting as a thin bar, work as a thick one, retries one after the other in the row.
pub fn run_timeline(values: &RunTimeline, id_prefix: &str) -> Figure {
    const TITLE: &str = "Run timeline";
    let (steps, bars, dropped) = bars(values);
    if bars.is_empty() {
        return no_data(id_prefix, TITLE, left_out(dropped).trim_start());
    }
    let legend = legend(&bars);
    Draft {
        id: id_prefix,
        title: TITLE,
        caption: format!("{}{}", conclusion(&steps, &bars), left_out(dropped)),
        header: header(&["Step", "Attempt", "State", "Waited", "Worked"]),
        table: bars.iter().map(row).collect(),
        width: WIDE,
        height: steps.len() as f64 * ROW + 56.0 + legend.height(),
    }
    .draw(|sheet| draw(sheet, &steps, &bars, &legend))
}

impl SpanState {
    const ALL: [SpanState; 6] = [
        SpanState::Queued,
        SpanState::Running,
        SpanState::Succeeded,
        SpanState::Failed,
        SpanState::Cancelled,
        SpanState::HandedOver,
    ];

    fn name(self) -> &'static str {
        match self {
            SpanState::Queued => "queued",
            SpanState::Running => "running",
            SpanState::Succeeded => "succeeded",
            SpanState::Failed => "failed",
            SpanState::Cancelled => "cancelled",
            SpanState::HandedOver => "handed over",
        }
    }

    fn pen(self) -> Pen {
        match self {
            SpanState::Queued => Pen::new(Ink::Muted).opacity(0.6),
            SpanState::Running => Pen::new(Ink::Series(0)),
            SpanState::Succeeded => Pen::new(Ink::Good),
            SpanState::Failed => Pen::new(Ink::Bad),
            SpanState::Cancelled => Pen::new(Ink::Warn),
            SpanState::HandedOver => Pen::new(Ink::Muted),
        }
    }

    /// The shape at the end of a bar, for states that colour alone would tell.
    fn end_marker(self) -> Option<Marker> {
        match self {
            SpanState::Queued | SpanState::Succeeded => None,
            SpanState::Running => Some(Marker::Ring),
            SpanState::Failed => Some(Marker::Cross),
            SpanState::Cancelled => Some(Marker::Square),
            SpanState::HandedOver => Some(Marker::Triangle),
        }
    }
}

fn bars(values: &RunTimeline) -> (Vec<String>, Vec<Bar<'_>>, usize) {
    let times = |s: &Span| [Some(s.queued_at), s.started_at, s.finished_at, Some(values.now)];
    let usable: Vec<&Span> = values.spans.iter().filter(|s| times(s).into_iter().flatten().all(is_plottable)).collect();
    let dropped = values.spans.len() - usable.len();
    let begin = usable.iter().map(|s| s.queued_at).fold(f64::INFINITY, f64::min);
    let mut steps: Vec<String> = Vec::new();
    let mut bars = Vec::new();
    for span in usable {
        let row = steps.iter().position(|step| *step == span.step).unwrap_or_else(|| {
            steps.push(span.step.clone());
            steps.len() - 1
        });
        if row >= DRAWN_STEPS {
            continue;
        }
        let queued = span.queued_at - begin;
        let ended = span.finished_at.unwrap_or(values.now) - begin;
        let started = span.started_at.map_or(ended, |at| at - begin).max(queued);
        bars.push(Bar { of: span, row, queued, started, ended: ended.max(started) });
    }
    steps.truncate(DRAWN_STEPS);
    (steps, bars, dropped)
}

fn draw(sheet: &Sheet, steps: &[String], bars: &[Bar<'_>], legend: &Legend) -> Drawn {
    let (top, rest) = sheet.area().split_vertically(px(legend.height()));
    legend.draw(sheet, &top)?;
    let end = bars.iter().map(|b| b.ended).fold(0.0, f64::max);
    let x = elapsed_axis(end);
    let right = x.high;
    let plane = Plane::draw(sheet, &rest, x, Axis::names("", steps.iter().cloned()).reversed())?;
    for bar in bars {
        let at = bar.row as f64;
        sheet.tip(&bar.words());
        plane.rectangle([(bar.queued, at - 0.08), (bar.started, at + 0.08)], SpanState::Queued.pen())?;
        if bar.of.started_at.is_some() {
            sheet.tip(&bar.words());
            plane.rectangle([(bar.started, at - 0.3), (bar.ended, at + 0.3)], bar.of.state.pen().opacity(0.85))?;
        }
        if let Some(marker) = bar.of.state.end_marker() {
            plane.marker((bar.ended, at), marker, bar.of.state.pen(), 4.5)?;
        }
    }
    for (row, _) in steps.iter().enumerate() {
        let last = bars.iter().filter(|b| b.row == row).max_by(|a, b| a.ended.total_cmp(&b.ended));
        let Some(bar) = last else { continue };
        let words = label(bar);
        let room = plane.place((right, 0.0)).0 - plane.place((bar.ended, 0.0)).0 - 10.0;
        if text::width(&words, LAYOUT_TEXT_SIZE) <= room {
            plane.text((bar.ended, row as f64), (9.0, 0.0), &words, Anchor::Start, Lettering::LABEL)?;
        } else {
            let before = bars.iter().filter(|b| b.row == row).map(|b| b.queued).fold(bar.queued, f64::min);
            plane.text((before, row as f64), (-6.0, 0.0), &words, Anchor::End, Lettering::LABEL)?;
        }
    }
    Ok(())
}

/// Seconds, minutes or hours since the run began, whichever the run's length asks for.
fn elapsed_axis(end: f64) -> Axis {
    let (unit, name) = if end < 180.0 {
        (1.0, "Seconds since the run was queued")
    } else if end < 3.0 * 3600.0 {
        (60.0, "Minutes since the run was queued")
    } else {
        (3600.0, "Hours since the run was queued")
    };
    let axis = Axis::tight(name, [0.0, end / unit], 7, 0.0);
    Axis {
        low: 0.0,
        high: (axis.high * unit).max(1e-3),
        ticks: axis.ticks.into_iter().map(|(at, text)| (at * unit, text)).collect(),
        ..axis
    }
}

fn label(bar: &Bar<'_>) -> String {
    let length = match bar.of.started_at {
        Some(_) => duration(bar.ended - bar.started),
        None => format!("waiting {}", duration(bar.ended - bar.queued)),
    };
    match bar.of.attempt {
        0 | 1 => length,
        n => format!("{length}, attempt {n}"),
    }
}

fn legend(bars: &[Bar<'_>]) -> Legend {
    let mut entries = vec![(Sample::Swatch(SpanState::Queued.pen()), "waiting".to_owned())];
    for state in SpanState::ALL {
        if state != SpanState::Queued && bars.iter().any(|b| b.of.state == state) {
            entries.push((
                match state.end_marker() {
                    Some(marker) => Sample::Marker(marker, state.pen()),
                    None => Sample::Swatch(state.pen().opacity(0.85)),
                },
                state.name().to_owned(),
            ));
        }
    }
    Legend::layout(entries, WIDE)
}

fn conclusion(steps: &[String], bars: &[Bar<'_>]) -> String {
    let worked = |b: &Bar<'_>| b.ended - b.started;
    let end = bars.iter().map(|b| b.ended).fold(0.0, f64::max);
    let waited: f64 = bars.iter().map(|b| b.started - b.queued).sum();
    let handed_over = bars.iter().filter(|b| b.of.state == SpanState::HandedOver).count();
    let retries = bars.iter().filter(|b| b.of.attempt > 1).count().saturating_sub(handed_over);
    let mut words = format!("{} in {}", counted(steps.len(), "step", "steps"), duration(end));
    if let Some(longest) = bars.iter().max_by(|a, b| worked(a).total_cmp(&worked(b))) {
        words.push_str(&format!("; longest: {} ({})", longest.of.step, duration(worked(longest))));
    }
    words.push_str(&format!("; waited {} in all", duration(waited)));
    if retries > 0 {
        words.push_str(&format!("; {}", counted(retries, "retry", "retries")));
    }
    words.push('.');
    words
}

fn row(bar: &Bar<'_>) -> Vec<String> {
    vec![
        bar.of.step.clone(),
        bar.of.attempt.to_string(),
        bar.of.state.name().to_owned(),
        duration(bar.started - bar.queued),
        duration(bar.ended - bar.started),
    ]
}
