use serde_json::Value;

use super::*;

pub(crate) const TAXI: &str = r#"
slug = "taxi-tips"
title = "Will the passenger tip more than 20 % of the fare?"
decision = "Which drivers get an early pay-out"
[target]
name = "big_tip"
kind = "binary"
expression = "tips > fare * 0.2"
delay = "1d"
[data]
entity = "company"
event_time = "trip_start_timestamp"
time_format = "unix_s"
split = { kind = "time", validation = 0.15, test = 0.15 }
[[features]]
name = "log_miles"
expression = "ln(1 + trip_miles)"
type = "number"
min = 0.0
nullable = true
[[features]]
name = "hour"
expression = "trip_start_hour"
type = "category"
[success]
metric = "roc_auc"
at_least = 0.70
[[guardrails]]
metric = "log_loss"
at_most = 0.60
[[slices]]
by = "payment_type"
metric = "roc_auc"
at_least = 0.55
min_rows = 200
[serving]
p99_ms = 100
throughput_rps = 50
[business]
name = "pay-out loss"
unit = "USD"
direction = "down"
[rollout]
shadow = { min_predictions = 500, min_duration = "1h" }
canary = { percent = 5, min_predictions = 2000, min_duration = "6h" }
[monitoring]
window = "1h"
drift = { metric = "kl", threshold = 0.1, windows = 2 }
freshness = "2d"
min_rows = 200
[retraining]
cron = "0 3 * * 1"
timezone = "UTC"
new_rows = 1000000
on_drift = true
cool_down = "6h"
promote = "approval"
[approvals]
specification = 1
promotion = 1
[notify]
on_call = ["oncall@example.org"]
"#;

fn mistakes(text: &str) -> Vec<(String, String)> {
    let found = ProblemDocument::parse(text).expect_err("the document is wrong");
    found.into_iter().map(|mistake| (mistake.pointer, mistake.message)).collect()
}

#[test]
fn the_documented_example_is_valid() {
    let document = ProblemDocument::parse(TAXI).unwrap();
    assert_eq!(document.features.len(), 2);
    assert_eq!(
        document.success,
        Goal { metric: Metric::RocAuc, bound: Bound::AtLeast(0.7), smallest_difference: None }
    );
}

#[test]
fn a_document_reads_back_from_its_own_json() {
    let document = ProblemDocument::parse(TAXI).unwrap();
    assert_eq!(ProblemDocument::from_json(&document.to_json()), Ok(document));
}

#[test]
fn json_and_toml_of_the_same_document_have_one_digest() {
    let value: serde_json::Value = toml::from_str(TAXI).unwrap();
    let from_json = ProblemDocument::parse(&value.to_string()).unwrap();
    assert_eq!(from_json.digest(), ProblemDocument::parse(TAXI).unwrap().digest());
}

#[test]
fn a_changed_limit_is_another_digest() {
    let stricter = TAXI.replace("at_least = 0.70", "at_least = 0.71");
    assert_ne!(ProblemDocument::parse(&stricter).unwrap().digest(), ProblemDocument::parse(TAXI).unwrap().digest());
}

#[test]
fn every_mistake_is_reported_at_once_with_its_pointer() {
    let wrong = TAXI
        .replace("slug = \"taxi-tips\"", "slug = \"Taxi Tips\"")
        .replace("kind = \"binary\"", "kind = \"binery\"")
        .replace("ln(1 + trip_miles)", "pg_sleep(10)")
        .replace("delay = \"1d\"", "delay = \"soon\"")
        .replace("[notify]", "[notifi]");
    let pointers: Vec<String> = mistakes(&wrong).into_iter().map(|(pointer, _)| pointer).collect();
    assert_eq!(pointers, ["/slug", "/target/kind", "/target/delay", "/features/0/expression", "/notifi"]);
}

#[test]
fn an_unknown_key_names_its_neighbour() {
    let wrong = TAXI.replace("[notify]", "[notifi]");
    assert_eq!(
        mistakes(&wrong),
        [("/notifi".to_owned(), r#"is not a key of the problem document; did you mean "notify"?"#.to_owned())]
    );
}

#[test]
fn a_metric_must_fit_the_target_and_its_direction() {
    let wrong = TAXI.replace("metric = \"log_loss\"", "metric = \"rmse\"");
    assert!(mistakes(&wrong)[0].1.contains("rmse does not fit a binary target"));
    let wrong = TAXI.replace("at_most = 0.60", "at_least = 0.60");
    assert_eq!(mistakes(&wrong)[0].1, "less log_loss is better; say at_most");
}

#[test]
fn a_quantile_is_of_a_number_and_has_metrics_of_its_own() {
    const WAITS: &str = r#"
slug = "waits"
title = "How long somebody waits"
decision = "What we promise"
data = {}
features = [{ name = "queue" }]
target = { name = "minutes", kind = "regression", column = "minutes", quantile = 0.9 }
success = { metric = "pinball", at_most = 3 }
guardrails = [{ metric = "coverage_error", at_most = 0.02 }]
"#;
    let document = ProblemDocument::parse(WAITS).unwrap();
    assert_eq!(document.target.quantile, Some(0.9));
    assert_eq!(ProblemDocument::from_json(&document.to_json()), Ok(document.clone()));
    assert!(document.summary().iter().any(|line| line.contains("90 of 100 cases")), "{:?}", document.summary());
    let of_a_mean = mistakes(&WAITS.replace(", quantile = 0.9", ""));
    assert_eq!(of_a_mean.len(), 2, "{of_a_mean:?}");
    assert!(of_a_mean[0].1.starts_with("pinball does not fit a regression target; with target.quantile it would"));
    let beyond = mistakes(&WAITS.replace("quantile = 0.9", "quantile = 1.0"));
    assert_eq!(beyond[0].0, "/target/quantile");
    let of_classes = mistakes(&TAXI.replace("kind = \"binary\"", "kind = \"binary\"\nquantile = 0.5"));
    assert_eq!(of_classes[0].0, "/target/quantile");
}

#[test]
fn a_number_may_have_a_unit_which_errors_are_told_in() {
    const WAITS: &str = r#"
slug = "waits"
title = "How long somebody waits"
decision = "What we promise"
data = {}
features = [{ name = "queue" }]
target = { name = "wait", kind = "regression", column = "wait", unit = "minutes" }
success = { metric = "rmse", at_most = 3 }
guardrails = [{ metric = "r2", at_least = 0.5 }]
"#;
    let document = ProblemDocument::parse(WAITS).unwrap();
    assert_eq!(ProblemDocument::from_json(&document.to_json()), Ok(document.clone()));
    let said = document.summary().join("\n");
    assert!(said.contains("a number (minutes)") && said.contains("at most 3 minutes."), "{said}");
    assert!(said.contains("at least 0.5."), "a share of variance has no unit: {said}");
    let bare = ProblemDocument::parse(&WAITS.replace(", unit = \"minutes\"", "")).unwrap();
    assert!(!bare.to_json().to_string().contains("unit"), "documents that were signed without one keep their digests");
    let of_classes = mistakes(&TAXI.replace("kind = \"binary\"", "kind = \"binary\"\nunit = \"USD\""));
    assert_eq!(of_classes[0].0, "/target/unit");
    let empty = mistakes(&WAITS.replace("\"minutes\"", "\" \""));
    assert_eq!(empty[0].0, "/target/unit");
}

#[test]
fn two_features_of_one_name_are_refused() {
    let wrong = TAXI.replace("name = \"hour\"", "name = \"log_miles\"");
    assert_eq!(mistakes(&wrong)[0].0, "/features/1/name");
}

#[test]
fn a_number_that_is_not_finite_is_refused() {
    let wrong = TAXI.replace("at_least = 0.70", "at_least = nan");
    assert!(!mistakes(&wrong).is_empty());
}

#[test]
fn text_that_is_neither_json_nor_toml_is_one_mistake() {
    assert_eq!(mistakes("slug = ")[0].0, "");
    assert_eq!(mistakes("{\"slug\": }")[0].0, "");
}

#[test]
fn a_feature_named_like_no_sql_name_reads_back() {
    let spaced = TAXI.replace("name = \"hour\"\nexpression = \"trip_start_hour\"", "name = \"fixed acidity\"");
    let document = ProblemDocument::parse(&spaced).unwrap();
    assert_eq!(document.features[1].expression.columns(), ["fixed acidity"]);
    assert_eq!(ProblemDocument::from_json(&document.to_json()), Ok(document));
}

#[test]
fn a_deadline_leaves_time_for_what_each_step_has_to_show() {
    for (deadline, step) in [("1h", "shadow.min_duration, 1h"), ("6h", "canary.min_duration, 6h")] {
        let found = mistakes(&TAXI.replace("[rollout]", &format!("[rollout]\ndeadline = \"{deadline}\"")));
        assert!(found[0].0 == "/rollout/deadline" && found[0].1.contains(step), "{found:?}");
    }
    assert!(ProblemDocument::parse(&TAXI.replace("[rollout]", "[rollout]\ndeadline = \"7h\"")).is_ok());
    let found = mistakes(&TAXI.replace("min_duration = \"6h\"", "min_duration = \"10d\""));
    assert!(found[0].1.contains("it is 1w"), "{found:?}");
    let stored: Value = toml::from_str(&TAXI.replace("[rollout]", "[rollout]\ndeadline = \"1h\"")).unwrap();
    assert!(ProblemDocument::from_json(&stored).is_ok(), "what was signed before there was the rule is read");
}

#[test]
fn steps_of_a_canary_rise_and_leave_room_for_a_control_group() {
    for steps in ["[5]", "[25, 10]", "[60]"] {
        let text = TAXI.replace("percent = 5,", &format!("percent = 5, steps = {steps},"));
        let found = mistakes(&text);
        assert!(found[0].0 == "/rollout/canary/steps" && found[0].1.contains("must rise from 5"), "{found:?}");
    }
}

#[test]
fn what_a_rollout_does_not_say_is_not_part_of_what_is_signed() {
    let document = serde_json::to_value(ProblemDocument::parse(TAXI).unwrap()).unwrap();
    let mut keys: Vec<&String> = document["rollout"].as_object().unwrap().keys().collect();
    keys.sort();
    assert_eq!(keys, ["canary", "shadow"]);
    assert_eq!(ProblemDocument::from_json(&document).unwrap().rollout.watched, []);
}

#[test]
fn where_a_business_metric_is_read_is_signed_and_values_of_predictions_are_reported() {
    let read = |more: &str| TAXI.replace("direction = \"down\"\n", &format!("direction = \"down\"\n{more}"));
    let query = "connection = \"books\"\nquery = \"select paid_at as at, loss as value from paid\"\ndelay = \"2h\"\n";
    let document = ProblemDocument::parse(&read(query)).unwrap();
    let summary = document.summary().join("\n");
    assert!(summary.contains("read at books by a query, those of a window 2 hours after its end"), "{summary}");
    let stored = serde_json::to_value(&document).unwrap();
    assert_eq!(ProblemDocument::from_json(&stored).unwrap(), document);
    let pointers = |more: &str| mistakes(&read(more)).into_iter().map(|(pointer, _)| pointer).collect::<Vec<_>>();
    assert_eq!(pointers(&format!("{query}margin = 0.1\n")), ["/business/margin"]);
    assert_eq!(pointers("connection = \"books\"\n"), ["/business/query"]);
    assert_eq!(pointers("connection = \"books\"\nquery = \"delete from paid\"\n"), ["/business/query"]);
    assert_eq!(pointers("delay = \"2h\"\n"), ["/business/connection", "/business/query"]);
}

#[test]
fn a_check_that_may_not_be_set_aside_is_named() {
    let found = mistakes(&TAXI.replace("[rollout]", "[rollout]\nwatched = [\"failures\"]"));
    assert_eq!(found[0].1, "must name shift, slow, quality or business, got \"failures\"");
}

#[test]
fn other_limits_on_a_version_are_signed_in_words_and_none_of_them_changes_no_digest() {
    let limits = "[gates]\ntrain_gap = 0.05\nnegative_flips = 0.02\nmodel_mb = 20\nmemory_mb = 90\n";
    let document = ProblemDocument::parse(&format!("{TAXI}{limits}")).unwrap();
    let summary = document.summary().join("\n");
    for sentence in [
        "at most 0.05 better than",
        "at most 2 % of the answers wrong",
        "at most 20 MB",
        "memory it takes at most 90 MB, without",
    ] {
        assert!(summary.contains(sentence), "{sentence}: {summary}");
    }
    assert!(!serde_json::to_string(&ProblemDocument::parse(TAXI).unwrap()).unwrap().contains("\"gates\""));
}

#[test]
fn limits_that_cannot_be_held_are_refused() {
    let found = mistakes(&format!("{TAXI}[gates]\nnegative_flips = 2\nflips = 1\n"));
    let pointers: Vec<&str> = found.iter().map(|(pointer, _)| pointer.as_str()).collect();
    assert_eq!(pointers, ["/gates/negative_flips", "/gates/flips"]);
}

#[test]
fn a_schedule_that_cannot_be_read_and_a_window_of_years_are_refused_at_the_door_and_read_where_they_are_kept() {
    let text = TAXI.replace("0 3 * * 1", "0 25 * * 1").replace("window = \"1h\"", "window = \"400d\"");
    let pointers: Vec<String> = mistakes(&text).into_iter().map(|(pointer, _)| pointer).collect();
    assert_eq!(pointers, ["/monitoring/window", "/retraining/cron"]);
    let stored: Value = toml::from_str(&text).unwrap();
    assert!(ProblemDocument::from_json(&stored).is_ok());
    assert_eq!(mistakes(&TAXI.replace("timezone = \"UTC\"", "timezone = \"Mars/Base\""))[0].0, "/retraining/timezone");
}

#[test]
fn rules_of_a_fallback_are_signed_in_words_and_what_is_wrong_with_one_is_named() {
    let rule = |when: &str, rest: &str| {
        let fallback = "fallback = { label = \"false\", score = 0.1, rules = [{ when = WHEN, REST }] }";
        let fallback = fallback.replace("WHEN", &format!("{when:?}")).replace("REST", rest);
        TAXI.replace("[serving]\n", &format!("[serving]\n{fallback}\n"))
    };
    let document = ProblemDocument::parse(&rule("trip_miles > 10", "label = \"true\", score = 0.8")).unwrap();
    let sentence = "the first of these that fits answers: where trip_miles > 10: label true, score 0.8; else: label false, score 0.1.";
    assert!(document.summary().join("\n").contains(sentence), "{:?}", document.summary());
    let found = mistakes(&rule("trip_miles + 1", "label = \"true\", score = 0.8"));
    assert_eq!(
        found,
        [("/serving/fallback/rules/0/when".to_owned(), "a condition needs a boolean, got number".to_owned())]
    );
    let found = mistakes(&rule("trip_miles >", "label = \"true\", score = 2, sure = true"));
    let pointers: Vec<&str> = found.iter().map(|(pointer, _)| pointer.as_str()).collect();
    assert_eq!(
        pointers,
        ["/serving/fallback/rules/0/when", "/serving/fallback/rules/0/score", "/serving/fallback/rules/0/sure"]
    );
}
