//! `millrace rehearse`: the policy of a document over the past, on the real program.

#![expect(clippy::unwrap_used, reason = "what tests share fails as tests do")]

mod served;

use std::fmt::Write as _;
use std::io::Read;
use std::path::Path;
use std::process::{Command, Output};

use chrono::{DateTime, TimeDelta, Utc};
use millrace_test_support::testdata;
use serde_json::{Value, json};

const BINARY: &str = env!("CARGO_BIN_EXE_millrace");

/// A directory with a document and a file of the past.
struct Past(tempfile::TempDir);

impl Past {
    fn of(document: &str, csv: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join("problem.toml"), document).unwrap();
        std::fs::write(directory.path().join("past.csv"), csv).unwrap();
        Self(directory)
    }

    fn rehearse(&self, more: &[&str]) -> Output {
        let mut command = Command::new(BINARY);
        command.current_dir(self.0.path()).args(["--json", "rehearse", "-f", "problem.toml", "--data", "past.csv"]);
        command.args(more).output().unwrap()
    }

    fn rehearsed(&self, more: &[&str]) -> Value {
        let output = self.rehearse(more);
        assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice(&output.stdout).unwrap()
    }

    fn refused(&self, more: &[&str]) -> String {
        let output = self.rehearse(more);
        assert_eq!((output.status.code(), output.stdout.len()), (Some(1), 0));
        String::from_utf8_lossy(&output.stderr).into_owned()
    }
}

fn course<'r>(rehearsed: &'r Value, policy: &str) -> &'r Value {
    rehearsed["courses"].as_array().unwrap().iter().find(|course| course["policy"] == policy).unwrap()
}

fn happened<'r>(course: &'r Value, what: &str) -> Vec<&'r Value> {
    course["events"].as_array().unwrap().iter().filter(|event| event["what"] == what).collect()
}

const TURN: &str = r#"
slug = "turn"
title = "Is it big"
decision = "none"
target = { name = "big", kind = "binary", column = "big", delay = "1d" }
data = { event_time = "at", split = { kind = "time", validation = 0.1, test = 0.2 } }
success = { metric = "roc_auc", at_least = 0.8 }
monitoring = { window = "1d", drift = { metric = "psi", threshold = 0.25, windows = 1 }, min_rows = 50 }
retraining = { on_quality = true, new_labels = 500, cool_down = "1d", give_up_after = 30, promote = "automatic" }
[[features]]
name = "x"
[[features]]
name = "y"
"#;

/// Sixty days of a hundred rows; from the thirtieth on it is `y` that makes a thing big, no longer `x`. The inputs stay as they are.
fn turn() -> String {
    let begin: DateTime<Utc> = "2026-01-01T00:00:00Z".parse().unwrap();
    let mut csv = "at,x,y,big\n".to_owned();
    for row in 0..6_000u32 {
        let at = begin + TimeDelta::minutes(i64::from(row) * 864 / 60);
        let (x, y) = ((row * 37) % 101, (row * 53) % 97);
        let big = if row < 3_000 { x > 50 } else { y > 48 };
        writeln!(csv, "{},{x},{y},{big}", at.format("%Y-%m-%dT%H:%M:%SZ")).unwrap();
    }
    csv
}

#[test]
fn a_policy_that_looks_at_quality_trains_after_a_turn_and_one_that_never_trains_stays_wrong() {
    let past = Past::of(TURN, &turn());
    let rehearsed = past.rehearsed(&["--trained-on", "10d", "--trainer", "logistic"]);
    let (never, policy) = (course(&rehearsed, "never"), course(&rehearsed, "policy"));
    let qualities = |course: &Value| -> Vec<f64> {
        course["windows"].as_array().unwrap().iter().map(|window| window["quality"].as_f64().unwrap()).collect()
    };
    let last = |course: &Value| qualities(course).last().copied().unwrap();
    assert!(last(never) < 0.6 && last(policy) > 0.95, "{never} {policy}");
    // Labels are a day late, so nobody knew before the second day after the turn.
    let alert = happened(policy, "alert")[0];
    assert_eq!(alert["at"], "2026-02-02T00:00:00Z", "{policy}");
    assert!(alert["text"].as_str().unwrap().starts_with("Quality"), "{alert}");
    assert_eq!(never["alerts"]["quality"], 1, "{never}");
    assert_eq!(never["alerts"]["drift"], Value::Null, "the inputs have not moved: {never}");
    assert_eq!((&never["trainings"], &never["rows_fitted"]), (&Value::from(0), &Value::from(0)));
    assert!(policy["mean"].as_f64() > never["mean"].as_f64(), "{rehearsed}");
}

#[test]
fn a_past_in_several_files_is_that_of_one_and_a_file_that_does_not_go_on_is_named() {
    let csv = turn();
    let (head, rows) = csv.split_once('\n').unwrap();
    let rows: Vec<&str> = rows.lines().collect();
    let part = |rows: &[&str]| format!("{head}\n{}\n", rows.join("\n"));
    let whole = Past::of(TURN, &csv).rehearsed(&["--trainer", "logistic"]);
    let parts = Past::of(TURN, &part(&rows[..2_000]));
    std::fs::write(parts.0.path().join("more.csv"), part(&rows[2_000..])).unwrap();
    assert!(whole == parts.rehearsed(&["--data", "more.csv", "--trainer", "logistic"]));
    std::fs::write(parts.0.path().join("other.csv"), "at,x,y\n2026-01-01T00:00:00Z,1,2\n").unwrap();
    let refused = parts.refused(&["--data", "other.csv"]);
    assert!(refused.contains("other.csv does not go on") && refused.contains("\"big\""), "{refused}");
}

#[test]
fn nothing_of_the_future_is_known_and_the_same_past_gives_the_same_bytes() {
    let csv = turn();
    let past = Past::of(TURN, &csv);
    let whole = past.rehearse(&["--trainer", "logistic"]);
    assert_eq!(whole.stdout, past.rehearse(&["--trainer", "logistic"]).stdout);
    // A past that ends earlier: what happened until then is the same.
    let rows: Vec<&str> = csv.lines().take(1 + 5_000).collect();
    let from = ["--trainer", "logistic", "--from", "2026-01-21T00:00:00Z"];
    let shorter = Past::of(TURN, &format!("{}\n", rows.join("\n"))).rehearsed(&from);
    let longer = past.rehearsed(&from);
    for policy in ["never", "schedule", "policy"] {
        let (short, long) = (course(&shorter, policy), course(&longer, policy));
        // The last window of the shorter one may be cut off.
        let windows = short["windows"].as_array().unwrap().len() - 1;
        assert_eq!(short["windows"].as_array().unwrap()[..windows], long["windows"].as_array().unwrap()[..windows]);
        let end = &short["windows"][windows - 1]["ends"];
        let until = |course: &Value| -> Vec<Value> {
            let events = course["events"].as_array().unwrap();
            events.iter().filter(|event| event["at"].as_str() <= end.as_str()).cloned().collect()
        };
        assert_eq!(until(short), until(long), "{policy}");
    }
}

#[test]
fn rows_that_became_known_late_are_not_trained_on_before() {
    let loaded =
        |row: usize, at: &str| if (500..1_000).contains(&row) { "2026-02-20T00:00:00Z" } else { at }.to_owned();
    let csv = turn();
    let mut lines = csv.lines();
    let mut late = format!("{},loaded\n", lines.next().unwrap());
    for (row, line) in lines.enumerate() {
        writeln!(late, "{line},{}", loaded(row, line.split(',').next().unwrap())).unwrap();
    }
    let from = ["--trainer", "logistic", "--from", "2026-01-21T00:00:00Z"];
    let first = |document: &str| {
        let rehearsed = Past::of(document, &late).rehearsed(&from);
        happened(course(&rehearsed, "never"), "live")[0]["text"].as_str().unwrap().to_owned()
    };
    // Of 1,900 rows whose label was known by then seven in ten are fitted on.
    assert_eq!(first(TURN), "model 1, fitted on 1330 rows, goes live");
    let known = TURN.replace("event_time = \"at\",", "event_time = \"at\", known_time = \"loaded\",");
    assert_eq!(first(&known), "model 1, fitted on 980 rows, goes live");
}

#[test]
fn a_class_that_is_seen_for_the_first_time_at_the_end_changes_nothing_of_what_was_before() {
    let begin: DateTime<Utc> = "2026-01-01T00:00:00Z".parse().unwrap();
    let mut csv = "at,x,kind\n".to_owned();
    for row in 0..3_000u32 {
        let (at, x) = (begin + TimeDelta::minutes(i64::from(row) * 864 / 60), (row * 37) % 101);
        let kind = if row >= 2_900 && x % 7 == 0 { "new" } else { ["low", "middle", "high"][(x / 34) as usize] };
        writeln!(csv, "{},{x},{kind}", at.format("%Y-%m-%dT%H:%M:%SZ")).unwrap();
    }
    let document = TURN
        .replace(
            "target = { name = \"big\", kind = \"binary\", column = \"big\"",
            "target = { name = \"kind\", kind = \"multiclass\", column = \"kind\"",
        )
        .replace("roc_auc", "accuracy")
        .replace("[[features]]\nname = \"y\"\n", "");
    let rehearsed = Past::of(&document, &csv).rehearsed(&[]);
    let never = course(&rehearsed, "never");
    let windows = never["windows"].as_array().unwrap();
    let last = windows.last().unwrap();
    // What it does not know is left out of what it is judged by.
    assert!(last["labelled"].as_u64() < last["rows"].as_u64() && last["quality"].as_f64() > Some(0.9), "{last}");
    assert!(windows[..windows.len() - 1].iter().all(|window| window["labelled"] == window["rows"]), "{never}");
}

#[test]
fn what_cannot_be_rehearsed_is_refused_with_the_way_out() {
    let past = Past::of(&TURN.replace("event_time = \"at\", ", ""), &turn());
    assert!(past.refused(&[]).contains("data.event_time"));
    let past = Past::of(TURN, &turn());
    for (asked, expected) in [
        (&["--from", "2027-01-01T00:00:00Z"][..], "begin earlier"),
        (&["--from", "2026-01-01T12:00:00Z"], "the first model cannot be trained"),
        (&["--from", "0001-01-01T00:00:00Z"], "at most 20000 are gone through"),
        (&["--trainer", "guesswork"], "/trainer"),
        (&["--parameters", "{"], "--parameters is no JSON"),
        (&["--schedule", "every monday"], "is not minute, hour"),
        (&["--table", "weather=past.csv"], "no table \"weather\""),
    ] {
        let said = past.refused(asked);
        assert!(said.contains(expected), "{asked:?}: {said}");
    }
}

/// The price of power in New South Wales, half an hour a row.
fn electricity(path: &Path) -> String {
    let mut text = String::new();
    flate2::read::GzDecoder::new(std::fs::File::open(path).unwrap()).read_to_string(&mut text).unwrap();
    let begin: DateTime<Utc> = "1996-05-07T00:00:00Z".parse().unwrap();
    let mut lines = text.lines();
    let mut csv = format!("at,{}\n", lines.next().unwrap());
    for (row, line) in lines.enumerate() {
        let at = begin + TimeDelta::minutes(30 * row as i64);
        writeln!(csv, "{},{line}", at.format("%Y-%m-%dT%H:%M:%SZ")).unwrap();
    }
    csv
}

const ELECTRICITY: &str = r#"
slug = "electricity"
title = "Does the price of power rise"
decision = "none"
target = { name = "up", kind = "binary", expression = "class = 1" }
data = { event_time = "at", split = { kind = "time", validation = 0.0, test = 0.1 } }
success = { metric = "accuracy", at_least = 0.7 }
monitoring = { window = "8w", drift = { metric = "psi", threshold = 0.25, windows = 1 }, min_rows = 200 }
retraining = { on_drift = true, on_quality = true, cool_down = "1d", promote = "automatic" }
features = [
    { name = "day", type = "category" }, { name = "period" }, { name = "nswprice" }, { name = "nswdemand" }, { name = "vicprice" },
    { name = "vicdemand" }, { name = "transfer" },
]
"#;

#[test]
fn power_that_is_trained_anew_every_eight_weeks_is_told_two_percent_better_and_yesterday_s_answer_is_better_still() {
    let Some(path) = testdata("elec2/elec2.csv.gz") else { return };
    let past = Past::of(ELECTRICITY, &electricity(&path));
    let mean = |rehearsed: &Value, policy: &str| course(rehearsed, policy)["mean"].as_f64().unwrap();
    let all = past.rehearsed(&["--trainer", "logistic"]);
    let newest = past.rehearsed(&["--trainer", "logistic", "--trained-on", "16w"]);
    let (never, schedule) = (mean(&all, "never"), mean(&newest, "schedule"));
    assert!((never - 0.717).abs() < 0.01, "{never}");
    assert!(schedule - never >= 0.02, "{schedule} against {never}");
    // Prices have moved, and it is told.
    assert!(course(&all, "never")["alerts"]["drift"].as_u64() >= Some(1), "{all}");
    let repeated = all["repeat_last"].as_f64().unwrap();
    assert!((repeated - 0.853).abs() < 0.01 && repeated > schedule, "{repeated}");
}

/// Sixty days of a hundred rows of which `x` says all the time what is big.
fn steady() -> String {
    let begin: DateTime<Utc> = "2026-01-01T00:00:00Z".parse().unwrap();
    let mut csv = "at,x,y,big\n".to_owned();
    for row in 0..6_000u32 {
        let at = begin + TimeDelta::minutes(i64::from(row) * 864 / 60);
        let (x, y) = ((row * 37) % 101, (row * 53) % 97);
        writeln!(csv, "{},{x},{y},{}", at.format("%Y-%m-%dT%H:%M:%SZ"), x > 50).unwrap();
    }
    csv
}

#[test]
fn a_drill_tells_after_how_long_what_broke_would_have_been_told() {
    let past = Past::of(&TURN.replace("name = \"x\"", "name = \"x\"\nnullable = true"), &steady());
    let drilled = |how: &str| {
        let drill = format!("x:{how}@2026-02-10T00:00:00Z");
        past.rehearsed(&["--trainer", "logistic", "--drill", &drill])
    };
    // Inputs as they always were, with other rows: only labels tell, a day after the window's end.
    let shuffled = drilled("shuffled");
    let drill = &shuffled["drill"];
    assert_eq!(drill["alert"][0], "2026-02-12T00:00:00Z", "{drill}");
    assert!(drill["alert"][1].as_str().unwrap().starts_with("Quality"), "{drill}");
    assert_eq!(drill["seen"], Value::Null, "{drill}");
    // A model is trained at once, passes on what it knows from before, and is no better.
    assert_eq!((&drill["is_still_outside"], &drill["model"]), (&Value::from(true), &drill["alert"][0]), "{drill}");
    assert!(drill["mean"].as_f64() < Some(0.6) && drill["mean_otherwise"].as_f64() > Some(0.95), "{drill}");
    // What is the same for all rows is seen at the end of the first window.
    for how in ["stuck", "missing"] {
        let drill = &drilled(how)["drill"];
        assert_eq!(drill["alert"][0], "2026-02-11T00:00:00Z", "{how}: {drill}");
        assert_eq!(drill["seen"][0], "2026-02-11T00:00:00Z", "{how}: {drill}");
        assert!(drill["alert"][1].as_str().unwrap().starts_with("Drift: "), "{how}: {drill}");
    }
    // Nothing else is changed by it.
    let without = past.rehearsed(&["--trainer", "logistic"]);
    for policy in ["never", "schedule", "policy"] {
        assert!(course(&shuffled, policy) == course(&without, policy), "{policy}");
    }
    let before = |rehearsed: &Value, policy: &str| -> Vec<Value> {
        let windows = course(rehearsed, policy)["windows"].as_array().unwrap().clone();
        windows.into_iter().filter(|window| window["ends"].as_str() <= Some("2026-02-10T00:00:00Z")).collect()
    };
    assert_eq!(before(&shuffled, "drill"), before(&without, "policy"));
}

#[test]
fn a_bad_model_is_taken_back_before_anybody_is_answered_by_it() {
    let past = Past::of(TURN, &steady());
    let bad = ["--trainer", "logistic", "--drill-model", "--drill", "big:shuffled@2026-02-10T00:00:00Z"];
    let rehearsed = past.rehearsed(&bad);
    let drill = &rehearsed["drill"];
    // Fifty rows, which is what the document asks for before anything is said of answers, have come by noon.
    assert_eq!(drill["rolled_back"], json!(["2026-02-10T12:00:00Z", "in shadow it failed: shift"]), "{drill}");
    assert_eq!((&drill["seen"], &drill["alert"]), (&drill["rolled_back"], &drill["rolled_back"]), "{drill}");
    assert_eq!((&drill["until"], &drill["outside_until"]), (&drill["rolled_back"][0], &Value::Null), "{drill}");
    let course = course(&rehearsed, "drill");
    assert_eq!(course["alerts"]["rollout"], 1, "{}", course["alerts"]);
    let quality = |window: &Value| window["quality"].as_f64();
    assert!(course["windows"].as_array().unwrap().iter().all(|window| quality(window) > Some(0.95)));
    assert_eq!(past.rehearsed(&bad), rehearsed, "the same again");
}

#[test]
fn a_model_that_is_no_worse_goes_through_every_step_and_trainings_wait_for_it() {
    let rollout = r#"
rollout = { deadline = "40d", shadow = { min_predictions = 100 }, canary = { percent = 50, min_predictions = 100 } }
[[features]]
name = "x"
"#;
    let past = Past::of(&TURN.replacen("[[features]]\nname = \"x\"\n", rollout, 1), &steady());
    // Nothing hangs on y, so a model that was fitted on other rows' is as good.
    let from = ["--trainer", "logistic", "--from", "2026-01-10T00:00:00Z"];
    let rehearsed =
        past.rehearsed(&[&from[..], &["--drill-model", "--drill", "y:shuffled@2026-01-12T00:00:00Z"]].concat());
    let (drill, course) = (&rehearsed["drill"], course(&rehearsed, "drill"));
    assert_eq!((&drill["rolled_back"], &drill["is_model"]), (&Value::Null, &Value::from(true)), "{drill}");
    assert_eq!(drill["model"], Value::Null, "no other one: {drill}");
    let steps: Vec<&str> = happened(course, "stage").iter().map(|event| event["text"].as_str().unwrap()).collect();
    let begun = ["shadow begins", "canary 50 % begins", "full, watched begins"];
    assert!(steps.iter().zip(begun).all(|(step, begun)| step.ends_with(begun)) && steps.len() == 3, "{steps:?}");
    let full = happened(course, "stage")[2]["at"].as_str().unwrap();
    let trained = happened(course, "live").iter().any(|event| {
        let at = event["at"].as_str().unwrap();
        ("2026-01-12T00:00:01Z".."2026-02-19T00:00:00Z").contains(&at) && at < full
    });
    assert!(!trained && !happened(course, "waits").is_empty(), "{course}");
    let by_it = course["windows"].as_array().unwrap().iter().filter(|window| window["model"] == 2);
    assert!(by_it.count() > 5, "{course}");
}

/// Sixty days of a hundred rows of which `x` says most of the time what is big.
fn noisy() -> String {
    let lines = steady();
    let mut csv = "at,x,y,big\n".to_owned();
    for (row, line) in (0u32..).zip(lines.lines().skip(1)) {
        let mut cells = line.split(',');
        let (at, x, y) = (cells.next().unwrap(), cells.next().unwrap(), cells.next().unwrap());
        // Noise that goes with nothing else in the row.
        let mixed = (row ^ (row >> 4)).wrapping_mul(0x2c1b_3c6d);
        let mixed = (mixed ^ (mixed >> 12)).wrapping_mul(0x297a_2d39);
        let big = x.parse::<u32>().unwrap() + (mixed ^ (mixed >> 15)) % 61 > 80;
        writeln!(csv, "{at},{x},{y},{big}").unwrap();
    }
    csv
}

/// The document with a rollout.
fn rolled_out(rollout: &str) -> String {
    TURN.replacen("[[features]]", &format!("rollout = {rollout}\n[[features]]"), 1)
}

#[test]
fn a_trained_model_goes_through_the_steps_of_the_document_s_rollout_before_it_answers_everybody() {
    let rollout = r#"{ watched = ["shift"], deadline = "40d", shadow = { min_predictions = 100 }, canary = { percent = 50, min_predictions = 100 } }"#;
    // Of a hundred rows a day, a model that knows more says something else of many; whether it is better is for their outcomes to say.
    let past = Past::of(&rolled_out(rollout), &noisy());
    let rehearsed = past.rehearsed(&["--trainer", "logistic", "--from", "2026-01-10T00:00:00Z", "--staged"]);
    let course = course(&rehearsed, "policy");
    let steps: Vec<&str> = happened(course, "stage").iter().map(|event| event["text"].as_str().unwrap()).collect();
    let begun = ["shadow begins", "canary 50 % begins", "full, watched begins"];
    assert!(
        steps.len() >= 3 && steps.iter().zip(begun).all(|(step, begun)| step.ends_with(begun)),
        "{steps:?} {:?}",
        happened(course, "rolled_back")
    );
    assert!(steps[0].starts_with("model 2, fitted on") && steps[0].contains("passes and goes out"), "{steps:?}");
    let at = |what: &str, place: usize| happened(course, what)[place]["at"].as_str().unwrap().to_owned();
    // The first model is live from the beginning; the second when its watch begins, and not before.
    assert_eq!(
        (at("live", 1), happened(course, "live")[1]["text"].as_str()),
        (at("stage", 2), Some("model 2 answers everybody"))
    );
    let windows = course["windows"].as_array().unwrap();
    assert!(
        windows.iter().all(|window| (window["model"] == 1) == (window["ends"].as_str() < Some(at("live", 1).as_str()))
            || window["model"].as_u64() > Some(2)),
        "{course}"
    );
    let at_once = past.rehearsed(&["--trainer", "logistic", "--from", "2026-01-10T00:00:00Z"]);
    let policy =
        rehearsed["courses"].as_array().unwrap().iter().position(|course| course["policy"] == "policy").unwrap();
    let at_once = &at_once["courses"][policy];
    assert_eq!(
        happened(at_once, "live")[1]["at"],
        happened(course, "stage")[0]["at"],
        "without it the next window is its own"
    );
}

#[test]
fn a_trained_model_that_its_rollout_takes_back_came_to_nothing_and_after_enough_of_them_the_policy_gives_up() {
    // A tenth of the callers, of a hundred a day, can never be so many within the deadline.
    let rollout = r#"{ watched = ["shift"], deadline = "2d", shadow = { min_predictions = 50 }, canary = { percent = 10, min_predictions = 10000 } }"#;
    let document = rolled_out(rollout).replace("give_up_after = 30", "give_up_after = 2");
    let past = Past::of(&document, &noisy());
    let rehearsed = past.rehearsed(&["--trainer", "logistic", "--from", "2026-01-10T00:00:00Z", "--staged"]);
    let course = course(&rehearsed, "policy");
    let back = happened(course, "rolled_back");
    assert_eq!(back.len(), 2, "{course}");
    assert!(back[0]["text"].as_str().unwrap().contains("did not show within its deadline"), "{back:?}");
    assert_eq!((happened(course, "given_up").len(), &course["trainings"]), (1, &Value::from(2)), "{course}");
    assert_eq!((&course["alerts"]["rollout"], &course["alerts"]["retraining"]), (&Value::from(2), &Value::from(1)));
    assert!(course["windows"].as_array().unwrap().iter().all(|window| window["model"] == 1), "{course}");
}

#[test]
fn days_without_a_row_are_told_where_the_document_wants_to_know() {
    let steady = steady();
    let gap = |line: &&str| !("2026-02-10T".."2026-02-13T").contains(line);
    let past: String = steady.lines().filter(gap).map(|line| format!("{line}\n")).collect();
    let told = |document: &str| {
        let rehearsed = Past::of(document, &past).rehearsed(&["--trainer", "logistic"]);
        course(&rehearsed, "never").clone()
    };
    let document = TURN.replace("min_rows = 50", "min_rows = 50, no_data = \"mail\"");
    let course = told(&document);
    assert_eq!(course["alerts"]["no_data"], 1, "{course}");
    let alert = happened(&course, "alert")[0];
    assert_eq!(
        (alert["at"].as_str(), alert["text"].as_str()),
        (Some("2026-02-11T00:00:00Z"), Some("No traffic: nobody asked within 1 day"))
    );
    assert_eq!(told(TURN)["alerts"]["no_data"], Value::Null);
}

#[test]
fn data_that_does_not_go_on_is_told_once_the_newest_row_whose_label_is_known_is_too_old() {
    let steady = steady();
    let gap = |line: &&str| !("2026-02-10T".."2026-02-13T").contains(line);
    let past: String = steady.lines().filter(gap).map(|line| format!("{line}\n")).collect();
    let document = TURN.replace("min_rows = 50", "min_rows = 50, freshness = \"36h\"");
    let rehearsed = Past::of(&document, &past).rehearsed(&["--trainer", "logistic"]);
    let course = course(&rehearsed, "never");
    // Labels take a day: at the end of the tenth those up to its beginning are known, and are a day old.
    let alert = happened(course, "alert")[0];
    assert_eq!(alert["at"], "2026-02-12T00:00:00Z", "{course}");
    let text = alert["text"].as_str().unwrap();
    assert!(text.starts_with("Stale data: the newest row is of 2026-02-09") && text.contains("36 hours"), "{text}");
    assert_eq!(happened(course, "over")[0]["at"], "2026-02-15T00:00:00Z", "{course}");
    assert_eq!(course["alerts"]["freshness"], 1);
}

#[test]
fn a_model_of_power_that_was_fitted_on_labels_of_other_rows_is_taken_back_within_five_days() {
    let Some(path) = testdata("elec2/elec2.csv.gz") else { return };
    let document = ELECTRICITY
        .replace("expression = \"class = 1\"", "expression = \"class = 1\", delay = \"1d\"")
        .replace("window = \"8w\"", "window = \"1w\"")
        .replace("on_drift = true, on_quality = true, cool_down = \"1d\"", "on_quality = true, cool_down = \"8w\"");
    let past = Past::of(&document, &electricity(&path));
    let drill = ["--trainer", "logistic", "--drill-model", "--drill", "class:shuffled@1998-01-01T00:00:00Z"];
    let rehearsed = past.rehearsed(&drill);
    let drill = &rehearsed["drill"];
    let rolled_back = drill["rolled_back"][0].as_str().expect("it is taken back");
    // By the second day nearly all labels are alike, and whoever says no more often has the lesser loss; over four days the losses of the two
    // are as good as equal. It is its answers that are of another kind.
    assert!(("1998-01-03T00:00:00Z".."1998-01-06T00:00:00Z").contains(&rolled_back), "{drill}");
    assert!(drill["rolled_back"][1].as_str().unwrap().ends_with("shift"), "{drill}");
    // Nobody was answered by it.
    assert_eq!(drill["mean"], drill["mean_otherwise"], "{drill}");
}

#[test]
fn what_drifts_is_seen_when_it_has_got_far_enough() {
    let past = Past::of(TURN, &steady());
    let seen = |by: &str| {
        let drill = format!("x:drifting={by}@2026-02-10T00:00:00Z");
        let rehearsed = past.rehearsed(&["--trainer", "logistic", "--drill", &drill]);
        rehearsed["drill"]["seen"][0].as_str().map(str::to_owned)
    };
    let (much, little) = (seen("6").expect("it is seen"), seen("2").expect("it is seen"));
    assert!("2026-02-11T00:00:00Z" <= much.as_str() && much < little, "{much} and {little}");
}

#[test]
fn a_drill_that_cannot_be_held_is_refused_with_the_way_out() {
    let past = Past::of(TURN, &steady());
    for (drill, expected) in [
        ("x:stuck", "is not like"),
        ("big:stuck@2026-02-10T00:00:00Z", "(x, y)"),
        ("x:gone@2026-02-10T00:00:00Z", "missing, stuck, shuffled or drifting"),
        ("x:drifting=0@2026-02-10T00:00:00Z", "and not 0"),
        ("x:missing@2026-02-10T00:00:00Z", "it is not nullable"),
        ("x:stuck@2026-01-02T00:00:00Z", "after the first model"),
        ("x:stuck@2027-01-02T00:00:00Z", "before the end"),
    ] {
        let said = past.refused(&["--trainer", "logistic", "--drill", drill]);
        assert!(said.contains(expected), "{drill}: {said}");
    }
    let same: String =
        steady().lines().map(|line| format!("{line},{}\n", if line.ends_with("big") { "z" } else { "7" })).collect();
    let past_of_same = Past::of(&format!("{TURN}[[features]]\nname = \"z\"\n"), &same);
    let said = past_of_same.refused(&["--trainer", "logistic", "--drill", "z:drifting@2026-02-10T00:00:00Z"]);
    assert!(said.contains("the drill changes nothing"), "{said}");
    let of_labels = ["--trainer", "logistic", "--drill-model", "--drill", "big:stuck@2026-02-10T00:00:00Z"];
    let said = past.refused(&of_labels);
    assert!(said.contains("must be shuffled for a label"), "{said}");
}
