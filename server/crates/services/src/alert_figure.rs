//! The picture of an alert: what it is about, over its last windows.

use std::time::Duration;

use millrace_charts::{Figure, Line, LineChart, Threshold, XAxis, narrow_line_chart};
use millrace_domain::monitor::incident::Cause;
use millrace_domain::monitor::{Finding, estimates};
use millrace_storage::incident::Kept;
use millrace_storage::monitor::{self, Which, Window};

use crate::{Result, Services, fault};

/// Windows that are drawn.
const DRAWN: u32 = 40;

/// Longest wait for what is drawn.
const PATIENCE: Duration = Duration::from_secs(5);

/// What a window's counts say, where there are enough.
fn judged(window: &Window) -> Option<&Finding> {
    window.finding.as_ref().filter(|finding| finding.is_judged())
}

/// What is drawn of each window, its name, and the limit.
struct Course {
    name: String,
    points: Vec<(f64, f64)>,
    limit: Option<f64>,
}

impl Services {
    /// None of what is no course of windows, of fewer than two, and where it cannot be had: a letter goes out without it.
    pub(crate) async fn alert_figure(&self, kept: &Kept) -> Option<Figure> {
        let drawn = tokio::time::timeout(PATIENCE, self.drawn_alert(kept)).await;
        drawn.unwrap_or(Ok(None)).unwrap_or_else(|error| {
            tracing::warn!(alert = kept.id, detail = error.detail, "a letter goes out without its picture");
            None
        })
    }

    async fn drawn_alert(&self, kept: &Kept) -> Result<Option<Figure>> {
        if kept.window.is_none() {
            return Ok(None);
        }
        let which = Which { problem: kept.problem, after: None, until: self.now(), only_busy: false, limit: DRAWN };
        let mut windows = monitor::windows(self.db.pool(), which).await.map_err(fault)?;
        windows.reverse();
        let course = self.course(kept, &windows).await?.filter(|course| course.points.len() > 1);
        Ok(course.map(|Course { name, points, limit }| {
            let chart = LineChart {
                title: name.clone(),
                x: XAxis::Time,
                y: name.clone(),
                lines: vec![Line { label: name, points, band: Vec::new() }],
                threshold: limit.map(|value| Threshold { label: "limit".to_owned(), value }),
                annotations: Vec::new(),
                conclusion: None,
            };
            narrow_line_chart(&chart, "alert")
        }))
    }

    async fn course(&self, kept: &Kept, windows: &[Window]) -> Result<Option<Course>> {
        let Some(document) = self.document_of(&kept.slug).await? else { return Ok(None) };
        let rule = &document.monitoring;
        let points = |value: &dyn Fn(&Window) -> Option<f64>| -> Vec<(f64, f64)> {
            windows.iter().filter_map(|window| Some((window.ends.timestamp() as f64, value(window)?))).collect()
        };
        let metric = document.success.metric;
        Ok(match kept.cause {
            Cause::Drift => {
                let newest = windows.iter().rev().filter_map(|window| window.finding.as_ref());
                let Some(name) = newest.flat_map(|finding| finding.drifted()).map(|column| column.name.clone()).next()
                else {
                    return Ok(None);
                };
                let value = |window: &Window| {
                    let columns = &judged(window)?.columns;
                    let column = columns.iter().find(|column| column.name == name)?;
                    Some(column.distance_by(rule.drift.metric))
                };
                let limit = Some(rule.drift.threshold);
                Some(Course { points: points(&value), name: format!("{} of {name}", rule.drift.metric), limit })
            }
            Cause::Quality => {
                let limit = Some(document.success.bound.limit());
                let value = |window: &Window| window.quality.as_ref().map(|quality| quality.value);
                Some(Course { points: points(&value), name: metric.title().to_owned(), limit })
            }
            Cause::Estimate => {
                let estimate = |window: &Window| judged(window).and_then(|finding| finding.estimate);
                let newest = windows.iter().rev().find_map(|window| Some((window.version, estimate(window)?)));
                let limit = match newest {
                    None => None,
                    Some((version, newest)) => {
                        let reference = self.reference(version).await?;
                        let both = reference.and_then(|reference| estimates(&reference, metric, Some(newest)));
                        both.zip(rule.estimated_loss).map(|((held_out, _), loss)| held_out - loss)
                    }
                };
                let value = |window: &Window| estimate(window).and_then(|estimate| estimate.of(metric));
                Some(Course { points: points(&value), name: format!("{}, estimated", metric.title()), limit })
            }
            Cause::Business => document.business.as_ref().map(|business| {
                let value = |window: &Window| window.business.map(|(mean, _)| mean);
                let name = format!("{} ({})", business.name, business.unit);
                Course { points: points(&value), name, limit: business.limit }
            }),
            Cause::NoData => {
                let value = |window: &Window| window.finding.as_ref().map(|finding| finding.n as f64);
                Some(Course { points: points(&value), name: "answers in a window".to_owned(), limit: None })
            }
            Cause::Freshness | Cause::Retraining => None,
        })
    }
}
