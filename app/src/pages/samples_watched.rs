//! Made-up answers about what is watched, for tests of pages.

use millrace_domain::drift::Binning;
use millrace_domain::monitor::{Column, Finding, Reference, Uncounted, judge};
use millrace_domain::problem::{Drift, DriftMetric, Monitoring, NoData, Span};
use millrace_domain::view::*;

use super::samples::moment;

fn numbers(name: &str, counts: [u64; 3], importance: f64) -> Column {
    Column {
        name: name.to_owned(),
        binning: Binning::Numbers { edges: vec![2.0] },
        counts: counts.to_vec(),
        importance,
    }
}

fn finding() -> Finding {
    let reference = Reference {
        features: vec![numbers("miles", [800, 200, 0], 0.7), numbers("hour", [500, 500, 0], 0.3)],
        prediction: numbers("big_tip", [500, 500, 0], 0.0),
        positives: vec![Some(0.2), Some(0.7)],
        threshold: 0.5,
    };
    let mut counts = vec![0; reference.width()];
    for place in 0..400u16 {
        reference.count(&mut counts, &[u16::from(place % 10 > 2), place % 2, place / 2 % 2], 1_200);
    }
    let drift = Drift { metric: DriftMetric::Psi, threshold: 0.25, windows: 2, keep_firing: None };
    let (window, no_data) = (Span::of_seconds(3_600), NoData::Show);
    let rule = Monitoring { window, drift, freshness: None, min_rows: 200, no_data, estimated_loss: None };
    judge(&reference, &counts, &rule).expect("counts fit their reference")
}

/// A deployment of which one feature has drifted.
pub fn monitor() -> MonitorView {
    let ends = moment("2026-11-23T15:00:00Z");
    MonitorView {
        slug: "taxi-tips".to_owned(),
        title: "Will the passenger tip?".to_owned(),
        champion: Some(2),
        is_watched: true,
        rule: MonitorRule {
            window_seconds: 3_600,
            metric: "PSI".to_owned(),
            threshold: 0.25,
            windows: 2,
            min_rows: 200,
            delay_seconds: 86_400,
            success: "roc_auc".to_owned(),
            success_limit: 0.7,
        },
        windows: vec![WindowView {
            begins: moment("2026-11-23T14:00:00Z"),
            ends,
            version: 2,
            finding: Some(finding()),
            quality: Some(QualityView {
                metric: "roc_auc".to_owned(),
                value: 0.78,
                interval: Some((0.74, 0.82)),
                labelled: 380,
                answered: 400,
                limit: 0.7,
                verdict: "pass".to_owned(),
            }),
            business: Some((12.5, 3)),
            uncounted: vec![Uncounted { server: "serve@web-1:7".to_owned(), since: moment("2026-11-23T14:31:02Z") }],
        }],
        has_older: false,
        shown_until: None,
        courses: vec![CourseView {
            column: "miles".to_owned(),
            distances: vec![Some(1.3)],
            missing: vec![Some(0.02)],
            unseen: vec![None],
        }],
        baseline: None,
        chosen: Some(ends),
        bins: Some(BinsView {
            column: "miles".to_owned(),
            binning: Binning::Numbers { edges: vec![2.0] },
            reference: vec![800, 200, 0],
            current: vec![120, 280, 0],
        }),
        freshness: vec![FreshnessView {
            dataset: "january".to_owned(),
            version: 2,
            newest: moment("2026-11-20T00:00:00Z"),
            age_seconds: 313_200,
            limit_seconds: Some(172_800),
            is_stale: true,
        }],
        ages: vec![AgesView { dataset: "january".to_owned(), seconds: vec![Some(313_200)] }],
        business: Some(("pay-out loss".to_owned(), "USD".to_owned(), Some(20.0))),
        business_read: Some(BusinessReadView {
            connection: "books".to_owned(),
            query: "SELECT paid_at AS at, loss AS value FROM pay_outs".to_owned(),
            delay_seconds: 7_200,
            looked_at: Some(moment("2026-11-23T15:06:00Z")),
            error: Some("the database says: relation \"pay_outs\" does not exist".to_owned()),
        }),
        incidents: vec![alert().line],
        changes: vec![(moment("2026-11-23T14:10:00Z"), "full v2".to_owned())],
        estimate_error: Some((0.02, 1)),
        unreachable: vec!["nobody@example.org".to_owned()],
    }
}

/// An alert that fires.
pub fn alert() -> IncidentView {
    IncidentView {
        line: IncidentLine {
            id: "7".to_owned(),
            slug: "taxi-tips".to_owned(),
            cause: "drift".to_owned(),
            title: "Drift: taxi-tips / miles PSI 0.31 > 0.25".to_owned(),
            state: "firing".to_owned(),
            opened_at: moment("2026-11-23T14:05:00Z"),
            fired_at: Some(moment("2026-11-23T15:05:00Z")),
            resolved_at: None,
            acknowledged_by: None,
            silenced_until: None,
            version: Some(2),
            blind_since: None,
        },
        facts: vec![("miles".to_owned(), "PSI 0.31 > 0.25; from 2 went from 20 % to 70 %".to_owned())],
        window: Some((moment("2026-11-23T14:00:00Z"), moment("2026-11-23T15:00:00Z"))),
        events: vec![IncidentEvent {
            at: moment("2026-11-23T15:05:00Z"),
            kind: "fired".to_owned(),
            text: "Drift: taxi-tips / miles PSI 0.31 > 0.25".to_owned(),
            by: None,
        }],
        runbook: Some("https://example.org/runbook".to_owned()),
        may_act: Permission::granted(),
        may_roll_back: Permission::granted(),
    }
}

/// A policy of which one reason has started a run.
pub fn triggers() -> TriggersView {
    TriggersView {
        slug: "taxi-tips".to_owned(),
        title: "Will the passenger tip?".to_owned(),
        has_policy: true,
        policy: vec!["A new model is trained by itself on confirmed drift; at most one every 6 hours.".to_owned()],
        cron: Some(("0 3 * * 1".to_owned(), "Europe/Berlin".to_owned())),
        next: vec![(moment("2026-11-30T02:00:00Z"), "Mon 2026-11-30 03:00 CET".to_owned())],
        paused: None,
        standing: "Nothing has come up that is reason to train.".to_owned(),
        has_given_up: false,
        nearness: vec![("New rows".to_owned(), "120 of 1000".to_owned())],
        events: vec![TriggerEventView {
            id: "1".to_owned(),
            reason: "drift".to_owned(),
            detail: "alert 7: Drift: taxi-tips / miles PSI 0.31 > 0.25".to_owned(),
            at: moment("2026-11-23T15:05:00Z"),
            run: Some("42".to_owned()),
            run_state: Some("succeeded".to_owned()),
            version: Some(3),
            ended: None,
        }],
        may_act: Permission::granted(),
    }
}
