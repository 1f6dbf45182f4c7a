//! Made-up answers of the use cases for tests of pages, and pages rendered from them.

use leptos::prelude::*;
use leptos_meta::provide_meta_context;
use leptos_router::components::Router;
use leptos_router::location::RequestUrl;
use millrace_domain::case::{Case, Expected};
use millrace_domain::gate::{Gate, Verdict};
use millrace_domain::rollout::{Look, Seen, SliceCompared, Step};
use millrace_domain::run::RolloutStage;
use millrace_domain::schema::{
    CheckOutcome, Column, ColumnProfile, ColumnType, Finding, Profile, Severity, ValidationReport,
};
use millrace_domain::trainer::Condition;
use millrace_domain::view::*;
use serde_json::json;

/// What a browser without WASM gets of a page's content.
pub fn rendered<V: IntoView + 'static>(address: &str, content: impl FnOnce() -> V + Send + 'static) -> String {
    let owner = Owner::new();
    owner.with(|| {
        provide_context(RequestUrl::new(address));
        provide_meta_context();
        view! { <Router>{content()}</Router> }.to_html()
    })
}

/// A dataset version that passed with warnings.
pub fn dataset() -> DatasetSummary {
    DatasetSummary {
        dataset: "5".to_owned(),
        name: "january".to_owned(),
        problem: "taxi-tips".to_owned(),
        version: 2,
        state: "valid".to_owned(),
        rows: Some(15_002),
        columns: Some(3),
        file_name: "january.csv".to_owned(),
        source_bytes: 1_897_533,
        critical: 0,
        warnings: 1,
        role: "examples".to_owned(),
        author: "Engineer".to_owned(),
        created_at: moment("2026-11-23T14:05:00Z"),
    }
}

/// A report with a finding of every outcome.
pub fn report() -> ValidationReport {
    let finding = |check: &str, column: &str, severity, outcome, observed: &str| Finding {
        check: check.to_owned(),
        column: Some(column.to_owned()),
        severity,
        outcome,
        expected: "at most 5 % missing".to_owned(),
        observed: observed.to_owned(),
        unexpected_rows: 11,
        examples: vec![(12, "<blank>".to_owned()), (977, "n/a".to_owned())],
        rows: Vec::new(),
    };
    ValidationReport {
        drift: None,
        findings: vec![
            finding("types", "fare", Severity::Critical, CheckOutcome::Passed, "number in every row"),
            finding("null_share", "company", Severity::Warning, CheckOutcome::Failed, "34 % missing"),
            finding("category_share", "company", Severity::Info, CheckOutcome::Skipped, "no earlier version"),
        ],
    }
}

/// Columns of every kind that a profile tells differently.
pub fn profile() -> Profile {
    let column = |name: &str, column_type| ColumnProfile {
        column: Column { name: name.to_owned(), column_type },
        present: 14_000,
        missing: 1_002,
        distinct: 240,
        quantiles: None,
        mean: None,
        standard_deviation: None,
        top: vec![("Flash Cab".to_owned(), 6_000), ("City Service".to_owned(), 3_000)],
        histogram: Vec::new(),
        notes: vec!["blank text in 11 rows".to_owned()],
    };
    let bins = |low: f64, width: f64| {
        (0..20_u32).map(move |bin| {
            (low + width * f64::from(bin), low + width * f64::from(bin + 1), u64::from(bin * (20 - bin)))
        })
    };
    let (day, start) = (86_400e6, 1_760_000_000e6);
    Profile {
        rows: 15_002,
        columns: vec![
            ColumnProfile {
                quantiles: Some([0.0, 4.2, 6.1, 8.5, 14.0, 45.2, 700.07]),
                mean: Some(11.77),
                standard_deviation: Some(11.54),
                histogram: bins(0.0, 35.0).collect(),
                ..column("fare", ColumnType::Number)
            },
            ColumnProfile {
                quantiles: Some([start; 7]),
                histogram: bins(start, day).collect(),
                ..column("trip_start", ColumnType::Time)
            },
            column("company", ColumnType::Text),
        ],
    }
}

/// A valid dataset version.
pub fn dataset_version() -> DatasetVersionView {
    DatasetVersionView {
        summary: dataset(),
        digest: Some("3f".repeat(32)),
        source_digest: "9c".repeat(32),
        format: Some("csv".to_owned()),
        profile: Some(profile()),
        report: Some(report()),
        failure: None,
        steps: vec![step("ingest", "succeeded"), step("validate", "succeeded")],
        versions: vec![dataset(), DatasetSummary { version: 1, state: "rejected".to_owned(), ..dataset() }],
        may_launch: Permission::refused("only an ML engineer may launch runs"),
        appended_to: None,
        corrects: None,
        quarantine: None,
        history_of: vec![1, 2],
        history: vec![CheckHistory {
            check: "null_share".to_owned(),
            column: Some("tips".to_owned()),
            marks: "fw".to_owned(),
        }],
        schema_since: Some(1),
        schema_changes: vec![SchemaChange {
            column: "tolls".to_owned(),
            before: None,
            after: Some("number".to_owned()),
        }],
        mutes: Vec::new(),
        may_mute: Permission::granted(),
    }
}

/// A step in some state.
pub fn step(kind: &str, state: &str) -> StepView {
    StepView {
        kind: kind.to_owned(),
        title: format!("The step {kind}"),
        state: state.to_owned(),
        attempt: 1,
        max_attempts: 3,
        progress: None,
        failure: None,
        reused: false,
        cpu_s: 9.5,
        peak_bytes: Some(412_000_000),
        worker: Some("host-serve-1".to_owned()),
        started_at: Some(moment("2026-11-23T14:05:00Z")),
        finished_at: (state != "running").then(|| moment("2026-11-23T14:05:14.200Z")),
    }
}

/// Gates of every verdict.
pub fn gates() -> Vec<Gate> {
    let gate = |name: &str, rule: &str, verdict, observed| Gate {
        verdict,
        observed,
        threshold: Some(0.7),
        n: 4_812,
        interval: Some((0.861, 0.88)),
        ..Gate::new(name, rule)
    };
    vec![
        gate("success.roc_auc", "ROC AUC at least 0.70 on the test part", Verdict::Pass, Some(0.871)),
        gate("guardrail.log_loss", "log loss at most 0.60 on the test part", Verdict::Fail, Some(0.64)),
        Gate {
            note: Some("12 rows; 200 are needed".to_owned()),
            interval: None,
            ..gate("slice.payment_type", "ROC AUC at least 0.55 in every payment type", Verdict::Insufficient, None)
        },
    ]
}

/// A run in some state, with every part of a run that has been evaluated.
pub fn run(state: &str) -> RunView {
    let metric = |name: &str, value: f64| MetricView {
        name: name.to_owned(),
        step: 0,
        value,
        interval: Some((value - 0.01, value + 0.009)),
        n: 4_812,
    };
    let trial = |number: i32, score: Option<f64>| TrialView {
        number,
        trainer: "gradient_boosting".to_owned(),
        share: if number == 0 { 0.25 } else { 1.0 },
        iterations: Some(120),
        cpu_s: Some(1.5),
        reused: false,
        parameters: json!({"max_depth": 3 + number, "eta": 0.1}),
        score,
        state: if score.is_some() { "succeeded" } else { "failed" }.to_owned(),
        message: None,
    };
    let drawn = |name: &str| DrawnView {
        when: Condition::new(),
        name: name.to_owned(),
        is_log: name == "eta",
        importance: Some(0.5),
        interval: Some((0.4, 0.7)),
    };
    let curve: Vec<(f64, f64)> = (0..=50).map(|i| f64::from(i) / 50.0).map(|x| (x, x.powf(0.2))).collect();
    let bins: Vec<(f64, f64, u64)> = (0..20_u32).map(|i| (f64::from(i) / 20.0, f64::from(i + 1) / 20.0, 300)).collect();
    RunView {
        summary: RunSummary {
            id: "17".to_owned(),
            problem: "taxi-tips".to_owned(),
            problem_version: 3,
            state: state.to_owned(),
            trainer: "gradient_boosting".to_owned(),
            metric: "roc_auc".to_owned(),
            value: Some(0.871),
            interval: Some((0.861, 0.88)),
            model_version: (state == "succeeded").then_some(4),
            author: "Engineer".to_owned(),
            created_at: moment("2026-11-23T14:05:00Z"),
            seconds: (state != "running").then_some(74.2),
            reproduces: None,
            tracked: None,
            values: Vec::new(),
        },
        dataset: Some(dataset()),
        tags: vec![("team".to_owned(), "risk".to_owned())],
        courses: vec![Course { name: "loss".to_owned(), points: vec![(1, 0.6), (2, 0.4)], times: Vec::new() }],
        log: None,
        forecast: vec![(10, 0.0004), (50, 0.0011)],
        request: json!({"trainer": "gradient_boosting", "budget": 3, "parameters": {}, "search": null}),
        parameters: Some(json!({"max_depth": 5, "eta": 0.1})),
        provenance: json!({"git_sha": null, "problem_digest": "ab".repeat(32), "seed": 7}),
        failure: None,
        steps: vec![step("features", "succeeded"), step("tune", "succeeded"), step("train", "running")],
        timeline: timeline(state),
        metrics: vec![metric("test.roc_auc", 0.871), metric("test.log_loss", 0.64), metric("validation.roc_auc", 0.88)],
        gates: gates(),
        effects: None,
        trials: vec![trial(0, Some(0.85)), trial(1, None), trial(2, Some(0.88))],
        searched: vec![SearchedView {
            trainer: "gradient_boosting".to_owned(),
            trials: 2,
            hyperparameters: ["eta", "max_depth"].map(drawn).to_vec(),
        }],
        artifacts: vec![ArtifactView {
            name: "model".to_owned(),
            digest: "5e".repeat(32),
            bytes: 812_000,
            media_type: "application/json".to_owned(),
        }],
        evaluation: Some(json!({
            "kind": "binary",
            "test": {
                "roc": curve, "pr": curve.iter().map(|(x, y)| (x, 1.0 - 0.5 * x * y)).collect::<Vec<_>>(),
                "calibration": [[0.1, 0.08, 900], [0.5, 0.55, 900], [0.9, 0.91, 900]],
                "confusion": {"labels": ["false", "true"], "counts": [[2900, 300], [412, 1200]]},
                "scores": bins, "prevalence": 0.33, "threshold": 0.5,
            },
            "importance": [["fare", 0.61], ["company", 0.22], ["trip_start", 0.02]],
            "contributions": {"unit": "log-odds", "rows": 400, "features": [
                {"name": "fare", "mean": 0.8, "points": [[0.9, 0.95], [-0.7, 0.1], [0.1, 0.5]]},
                {"name": "company", "mean": 0.3, "points": [[0.3, null], [-0.3, null]]}]},
            "dependence": [{"feature": "fare", "points": [[1.0, 0.2, 0.1, 0.3, 0.5], [9.0, 0.6, 0.4, 0.7, 0.5]]},
                {"feature": "company", "points": [["Blue", 0.4, 0.3, 0.5, 0.6], ["Other", 0.3, 0.2, 0.5, 0.4]]}],
        })),
        held_out: Some(HeldOutView { looks: 6, luck: 0.007 }),
        may_cancel: Permission::granted(),
        may_retry: Permission::refused("only a run that failed or was cancelled is tried again"),
        may_reproduce: Permission::granted(),
        may_override: (state == "rejected").then(Permission::granted),
        compared: Vec::new(),
        reproductions: vec![Reproduction {
            run: "18".to_owned(),
            state: "succeeded".to_owned(),
            differing: Vec::new(),
            program_version: Some("0.1.0".to_owned()),
            at: moment("2026-11-23T15:05:00Z"),
        }],
    }
}

/// A first step that was taken up again after its worker died, and one that goes on while the run does.
fn timeline(state: &str) -> Vec<SpanView> {
    let span = |step: &str, attempt: i32, state: &str, [queued, started, until]: [&str; 3]| SpanView {
        step: step.to_owned(),
        attempt,
        state: state.to_owned(),
        queued_at: moment(queued),
        started_at: Some(moment(started)),
        until: moment(until),
    };
    let last = if state == "running" { "running" } else { "succeeded" };
    vec![
        span("features", 1, "lost", ["2026-11-23T14:05:00Z", "2026-11-23T14:05:01Z", "2026-11-23T14:05:09Z"]),
        span("features", 2, "succeeded", ["2026-11-23T14:05:09Z", "2026-11-23T14:05:12Z", "2026-11-23T14:05:20Z"]),
        span("train", 1, last, ["2026-11-23T14:05:20Z", "2026-11-23T14:05:21Z", "2026-11-23T14:06:14Z"]),
    ]
}

/// A line of the list of models.
pub fn model(version: i32, stage: &str) -> ModelSummary {
    ModelSummary {
        slug: "taxi-tips".to_owned(),
        title: "Big tips".to_owned(),
        version,
        stage: stage.to_owned(),
        run: "17".to_owned(),
        trainer: "gradient_boosting".to_owned(),
        data: "january v2".to_owned(),
        data_page: "/datasets/5/v/2".to_owned(),
        metric: "roc_auc".to_owned(),
        value: Some(0.8 + 0.01 * f64::from(version)),
        interval: Some((0.79 + 0.01 * f64::from(version), 0.81 + 0.01 * f64::from(version))),
        guardrails: vec![("log_loss".to_owned(), 0.431)],
        author: "Engineer".to_owned(),
        overridden: false,
        archived: false,
        live: None,
        created_at: moment("2026-11-23T14:05:00Z"),
        asked_at: None,
    }
}

/// An approved model version that the reader may put live.
pub fn model_version() -> ModelVersionView {
    let digest = "d1".repeat(32);
    let decision = DecisionView {
        by: "Stakeholder".to_owned(),
        decision: "approve".to_owned(),
        comment: "The slices look right.".to_owned(),
        digest: digest.clone(),
        at: moment("2026-11-23T15:00:00Z"),
        waiver: None,
        shown: None,
        stands: true,
    };
    ModelVersionView {
        goes_on_by: None,
        summary: model(4, "approved"),
        digest,
        artifact: "a7".repeat(32),
        gates: gates(),
        metrics: run("succeeded").metrics,
        parameters: Some(json!({"max_depth": 5})),
        provenance: json!({"problem_digest": "ab".repeat(32), "seed": 7}),
        dataset: dataset(),
        lineage: lineage(),
        importance: vec![("fare".to_owned(), 0.61), ("company".to_owned(), 0.22)],
        inputs: vec![("fare".to_owned(), "number".to_owned()), ("company".to_owned(), "text".to_owned())],
        warnings: vec!["company: 34 % missing (null_share)".to_owned()],
        callers: vec![CallerView {
            name: "Engineer".to_owned(),
            token: "checkout".to_owned(),
            first_at: moment("2026-11-23T15:05:00Z"),
            last_at: moment("2026-11-24T08:00:00Z"),
        }],
        review: ReviewView {
            is_open: true,
            given: 1,
            needed: 1,
            complete: true,
            roles: Vec::new(),
            ends_at: None,
            valid_for: None,
            waiting_for: Vec::new(),
            unproven: None,
            dropped: Vec::new(),
            decisions: vec![decision],
            may_decide: Permission::refused("this version is approved already"),
            may_comment: Permission::granted(),
        },
        live: Some(3),
        generation: 3,
        promotion: Permission::granted(),
        rollout: ["shadow", "canary 5 %", "full, watched"].map(str::to_owned).to_vec(),
        may_deploy: Permission::granted(),
        may_archive: Permission::granted(),
    }
}

/// A deployment after a rollback.
pub fn deployment() -> DeploymentView {
    let change = |generation: i64, kind: &str, champion: i32, previous: Option<i32>| DeploymentChange {
        generation,
        kind: kind.to_owned(),
        champion: Some(champion),
        previous,
        candidate: None,
        percent: 0.0,
        by: Some("On-call".to_owned()),
        reason: "Scores dropped after the deployment.".to_owned(),
        at: moment("2026-11-23T16:00:00Z"),
    };
    DeploymentView {
        slug: "taxi-tips".to_owned(),
        title: "Will the passenger tip more than 20 % of the fare?".to_owned(),
        generation: 3,
        fallback: None,
        fallback_answer: Some(json!({ "label": "false", "score": 0.1 })),
        may_switch: Permission::granted(),
        may_drill: Permission::granted(),
        champion: Some(2),
        candidate: None,
        stage: "full".to_owned(),
        candidate_percent: 0.0,
        analysis: Vec::new(),
        rollout: None,
        predictions: 120_431,
        outcomes: 98_002,
        changed_at: Some(moment("2026-11-23T16:00:00Z")),
        rollback_to: Some(1),
        history: vec![change(3, "rollback", 2, Some(3)), change(2, "deploy", 3, Some(2)), change(1, "deploy", 2, None)],
        spread: SpreadView {
            servers: vec![ServerView { name: "a".to_owned(), after_ms: 210.0 }],
            waiting: Vec::new(),
            last_answer_ms: None,
        },
        may_roll_back: Permission::granted(),
        parity: ParityView { compared: 0, differing: 0, checked_at: None, examples: Vec::new() },
        joined: Vec::new(),
    }
}

/// The same while a candidate answers a twentieth of the units.
pub fn deployment_with_canary() -> DeploymentView {
    let step = |stage, percent, min_predictions| Step { stage, percent, min_predictions, min_seconds: 3_600 };
    let check = |name: &str, verdict| Gate {
        verdict,
        observed: Some(0.001),
        threshold: Some(0.01),
        n: 2_000,
        interval: Some((-0.002, 0.004)),
        ..Gate::new(name, format!("{name} as it should be"))
    };
    let side = |arm: &str| RolloutSide {
        arm: arm.to_owned(),
        answered: 1_400,
        failed: 2,
        p50_ms: Some(0.2),
        p95_ms: Some(0.4),
        p99_ms: Some(0.9),
        times: vec![(0.2, 800), (0.4, 560), (0.9, 40)],
    };
    let minute =
        |minute: &str| RolloutMinute { minute: moment(minute), candidate: 70, control: 68, rest: 1_300, failed: 1 };
    let look = |step, at: &str, half: f64| Look {
        step,
        at: moment(at),
        checks: vec![Seen {
            interval: Some((0.001 - half, 0.001 + half)),
            ..Seen::from(&check("failures", Verdict::Pass))
        }],
    };
    let score = |at_most, candidate, control| ScoreGroup { at_most: Some(at_most), class: None, candidate, control };
    DeploymentView {
        candidate: Some(3),
        stage: "canary".to_owned(),
        candidate_percent: 5.0,
        rollback_to: Some(2),
        analysis: vec![
            check("failures", Verdict::Pass),
            check("slow", Verdict::Pass),
            check("quality", Verdict::Insufficient),
        ],
        rollout: Some(RolloutView {
            id: "1".to_owned(),
            candidate: 3,
            champion: 2,
            steps: vec![
                step(RolloutStage::Shadow, 0.0, 500),
                step(RolloutStage::Canary, 5.0, 2_000),
                step(RolloutStage::Watch, 100.0, 0),
            ],
            step: 1,
            state: "running".to_owned(),
            seconds: 1_200.0,
            deadline_seconds: 604_800,
            waits_for: Some("everything is shown; somebody has to let it go on".to_owned()),
            paused: None,
            rules: 1,
            by: "Engineer".to_owned(),
            reason: "trained on newer data".to_owned(),
            started_at: moment("2026-11-23T15:00:00Z"),
            looked_at: Some(moment("2026-11-23T16:00:00Z")),
            ended_at: None,
            disagreements: vec![DisagreementView {
                prediction: "018f3c6e-0000-7000-8000-000000000001".to_owned(),
                entity: Some("cab-12".to_owned()),
                champion: json!({ "score": 0.31, "label": "false" }),
                candidate: json!({ "score": 0.84, "label": "true" }),
                at: moment("2026-11-23T15:05:00Z"),
            }],
            slices: vec![
                SliceCompared {
                    slice: None,
                    n: 2_000,
                    differed: 64,
                    means: Some((0.41, 0.44)),
                    labelled: 310,
                    outcome: Some((0.4, 0.43, 0.425)),
                },
                SliceCompared {
                    slice: Some(("payment_type".to_owned(), "cash".to_owned())),
                    n: 412,
                    differed: 31,
                    means: Some((0.12, 0.2)),
                    labelled: 0,
                    outcome: None,
                },
            ],
            counted: RolloutCounts {
                share: Some(4.9),
                sides: vec![side("candidate"), side("control")],
                agreed: 2_700,
                differed: 90,
                dropped: 0,
                scores: vec![score(0.2, 10, 12), score(0.6, 600, 580), score(0.9, 90, 110)],
                minutes: vec![minute("2026-11-23T15:59:00Z"), minute("2026-11-23T16:00:00Z")],
            },
            looks: vec![
                look(0, "2026-11-23T15:10:00Z", 0.02),
                look(1, "2026-11-23T15:40:00Z", 0.01),
                look(1, "2026-11-23T16:00:00Z", 0.004),
            ],
            limit_ms: Some(100.0),
            may_advance: Permission::granted(),
            may_pause: Permission::refused("only an ML engineer may"),
        }),
        ..deployment()
    }
}

pub fn moment(text: &str) -> chrono::DateTime<chrono::Utc> {
    text.parse().expect("samples hold valid times")
}

/// A file that became a dataset version and a model.
pub fn lineage() -> LineageView {
    let mut graph = LineageView { things: Vec::new(), links: Vec::new(), here: None };
    let file = graph.add(0, "file", "january.csv", None);
    let data = graph.add(1, "dataset version", "january v2", Some("/datasets/5/v/2".to_owned()));
    let model = graph.add(3, "model version", "taxi-tips v4", Some("/models/taxi-tips/v/4".to_owned()));
    graph.link(file, data);
    graph.link(data, model);
    graph.here = Some(model);
    graph
}

/// A feature set that two model versions use.
pub fn feature_set() -> FeatureSetView {
    let feature = |name: &str, expression: &str| FeatureView {
        name: name.to_owned(),
        description: None,
        feature_type: "number".to_owned(),
        expression: expression.to_owned(),
        reads: vec!["trip_miles".to_owned(), "trip_seconds".to_owned()],
        allowed: "at least 0; never missing".to_owned(),
        statistics: Some(FeatureStatistics {
            missing_share: 0.0,
            distinct: 812,
            mean: Some(0.004),
            range: Some((0.0, 0.02)),
            top: Vec::new(),
            histogram: Vec::new(),
        }),
        importance: Some(0.61),
        leak: None,
    };
    let leaking = FeatureView { leak: Some("its order is that of the labels".to_owned()), ..feature("tips", "tips") };
    FeatureSetView {
        summary: FeatureSetSummary {
            slug: "taxi-tips".to_owned(),
            title: "Will the tip be large?".to_owned(),
            version: 2,
            digest: "5e".repeat(32),
            problem_version: 3,
            state: "approved".to_owned(),
            entity: None,
            features: 2,
            tables: Vec::new(),
            owner: "rides@example.org".to_owned(),
            description: Some("What is known when a ride ends.".to_owned()),
            live_model: Some(3),
            models: 2,
            created_at: moment("2026-11-23T14:05:00Z"),
        },
        features: vec![feature("speed", "trip_miles / trip_seconds"), leaking],
        computed_by: Some("7".to_owned()),
        parity: Some("100 served answers, computed again as training does, came to the same bits".to_owned()),
        parity_broken: false,
        versions: vec![FeatureSetVersion {
            version: 2,
            digest: "5e".repeat(32),
            problem_version: 3,
            author: "Engineer".to_owned(),
            created_at: moment("2026-11-23T14:05:00Z"),
            changes: vec!["speed is new".to_owned()],
        }],
        models: vec![FeatureSetModel { model: model(4, "approved"), feature_set: Some(2) }],
        lineage: lineage(),
    }
}

/// Regression cases.
pub fn cases() -> CasesView {
    let case = |id: &str, name: &str, prediction: Option<&str>| Case {
        id: id.to_owned(),
        name: name.to_owned(),
        instance: json!({ "fare": 7.5, "company": "12" }).as_object().cloned().unwrap_or_default(),
        expect: Expected { label: Some("true".to_owned()), at_least: Some(0.7), at_most: None },
        prediction: prediction.map(str::to_owned),
        by: "On-call".to_owned(),
        at: moment("2026-11-23T16:00:00Z"),
    };
    CasesView {
        slug: "taxi-tips".to_owned(),
        kind: "binary".to_owned(),
        cases: vec![
            case("7", "An airport run", Some("018f3c6e-0000-7000-8000-000000000001")),
            case("4", "A short hop", None),
        ],
        retired: 2,
        may_keep: Permission::granted(),
        may_retire: Permission::granted(),
    }
}

/// A prediction in a canary, whose outcome is known.
pub fn prediction() -> PredictionView {
    PredictionView {
        id: "018f3c6e-0000-7000-8000-000000000001".to_owned(),
        slug: "taxi-tips".to_owned(),
        model_version: 2,
        generation: 3,
        arm: Some("control".to_owned()),
        entity: Some("12".to_owned()),
        inputs: json!({ "fare": 7.5, "company": "12" }),
        output: json!({ "score": 0.31, "label": "false" }),
        joined: Some(JoinedView {
            cells: vec![
                JoinedCellView {
                    name: "trips_1d".to_owned(),
                    value: json!(4.0),
                    as_of: Some(moment("2026-11-23T12:05:00Z")),
                    age_seconds: Some(7_200.0),
                },
                JoinedCellView {
                    name: "company_now.size".to_owned(),
                    value: serde_json::Value::Null,
                    as_of: None,
                    age_seconds: None,
                },
            ],
            loads: json!({ "own": { "id": 4, "number": 2, "created_at": "2026-11-23T00:00:00Z" } }),
        }),
        event_time: Some(moment("2026-11-23T14:05:00Z")),
        predicted_at: moment("2026-11-23T14:05:01Z"),
        micros: Some(182),
        counterpart: Some(CounterpartView {
            model_version: 3,
            output: Some(json!({ "score": 0.84, "label": "true" })),
            failure: None,
        }),
        label: Some(json!(true)),
        observed_at: Some(moment("2026-11-24T14:05:00Z")),
        may_keep: Permission::granted(),
    }
}
