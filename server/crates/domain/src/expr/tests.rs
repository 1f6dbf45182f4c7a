use std::borrow::Cow;

use super::*;
use crate::schema::{Column, ColumnType, Value};

const MOMENT: i64 = 1_388_582_400_000_000; // 2014-01-01T13:20:00Z, a Wednesday

fn columns() -> Vec<Column> {
    [
        ("tips", ColumnType::Number),
        ("fare", ColumnType::Number),
        ("kind", ColumnType::Text),
        ("at", ColumnType::Time),
        ("gone", ColumnType::Number),
        ("flag", ColumnType::Boolean),
    ]
    .map(|(name, column_type)| Column { name: name.to_owned(), column_type })
    .to_vec()
}

fn evaluate(text: &str) -> Value<'static> {
    let row = [
        Value::Number(3.0),
        Value::Number(10.0),
        Value::Text(Cow::Borrowed("Cash")),
        Value::Time(MOMENT),
        Value::Null,
        Value::Boolean(true),
    ];
    let bound = Expression::parse(text).expect(text).bind(&columns()).expect(text);
    match bound.evaluate(&row[..]) {
        Value::Text(text) => Value::Text(Cow::Owned(text.into_owned())),
        Value::Number(x) => Value::Number(x),
        Value::Boolean(truth) => Value::Boolean(truth),
        Value::Time(micros) => Value::Time(micros),
        Value::Null => Value::Null,
    }
}

#[track_caller]
fn check(text: &str, expected: Value<'static>) {
    assert_eq!(evaluate(text), expected, "{text}");
}

fn text(text: &'static str) -> Value<'static> {
    Value::Text(Cow::Borrowed(text))
}

#[test]
fn arithmetic_follows_precedence() {
    check("tips + fare * 2 - 1", Value::Number(22.0));
    check("-(tips - fare) / 7", Value::Number(1.0));
    check("fare % 4", Value::Number(2.0));
}

#[test]
fn a_result_that_is_not_finite_is_null() {
    check("fare / 0", Value::Null);
    check("ln(-1)", Value::Null);
    check("sqrt(0 - fare)", Value::Null);
    check("exp(10000)", Value::Null);
}

#[test]
fn null_spreads_through_arithmetic_and_comparison() {
    check("gone + 1", Value::Null);
    check("gone = gone", Value::Null);
    check("gone is null", Value::Boolean(true));
    check("coalesce(gone, fare)", Value::Number(10.0));
}

#[test]
fn connectives_are_three_valued() {
    check("gone > 1 and false", Value::Boolean(false));
    check("gone > 1 and true", Value::Null);
    check("gone > 1 or true", Value::Boolean(true));
    check("not (gone > 1)", Value::Null);
}

#[test]
fn membership_with_an_unknown_candidate_is_unknown() {
    check("fare in (10, null)", Value::Boolean(true));
    check("fare in (11, null)", Value::Null);
    check("fare not in (11, 12)", Value::Boolean(true));
}

#[test]
fn texts_match_patterns_and_cut() {
    check("kind like 'C%h'", Value::Boolean(true));
    check("kind not like '_ash'", Value::Boolean(false));
    check("upper(kind) || '!'", text("CASH!"));
    check("substr(kind, 2, 2)", text("as"));
    check("length(trim('  ab '))", Value::Number(2.0));
}

#[test]
fn times_give_their_parts_in_utc() {
    check("hour(at)", Value::Number(13.0));
    check("day_of_week(at)", Value::Number(3.0));
    check("extract(year from at)", Value::Number(2014.0));
    check("epoch(at)", Value::Number(1_388_582_400.0));
}

#[test]
fn case_takes_the_first_true_branch() {
    check("case when gone > 1 then 'a' when fare > 5 then 'b' else 'c' end", text("b"));
    check("case when fare < 5 then 1 end", Value::Null);
}

#[test]
fn extremes_ignore_nulls() {
    check("least(tips, gone, fare)", Value::Number(3.0));
    check("greatest(tips, gone, fare)", Value::Number(10.0));
}

#[test]
fn between_includes_both_ends() {
    check("tips between 3 and 4", Value::Boolean(true));
    check("tips not between 1 and 2", Value::Boolean(true));
}

#[track_caller]
fn refuses(text: &str, part: &str) {
    let error = Expression::parse(text).expect_err(text).to_string();
    assert!(error.contains(part), "{text}: {error}");
}

#[test]
fn what_is_not_on_the_allow_list_is_refused_by_name() {
    refuses("pg_sleep(10)", "the function pg_sleep");
    refuses("(select 1)", "SELECT 1");
    refuses("sum(fare) over ()", "the function sum");
    refuses("random()", "the function random");
    refuses("database.schema.fare + 1", "database.schema.fare");
    refuses("abs(fare) filter (where true)", "abs as an aggregate");
}

#[test]
fn text_that_is_no_expression_is_refused() {
    refuses("fare +", "SQL scalar expression");
    refuses("fare; drop table run", "did not expect ;");
    refuses("", "SQL scalar expression");
}

#[test]
fn a_wrong_number_of_arguments_is_refused() {
    refuses("abs(1, 2)", "calls abs with 2 arguments; it takes one");
}

#[test]
fn deep_nesting_is_refused_not_overflowed() {
    let deep = format!("{}1{}", "(".repeat(2_000), ")".repeat(2_000));
    assert!(Expression::parse(&deep).is_err());
    let wide = format!("1{}", " + 1".repeat(1_000));
    assert_eq!(Expression::parse(&wide), Err(ExpressionError::TooLarge));
}

#[test]
fn an_unknown_column_is_named_with_its_neighbour() {
    let error = Expression::parse("tip > 1").unwrap().bind(&columns()).unwrap_err();
    assert_eq!(error.to_string(), r#"column "tip" does not exist; did you mean "tips"?"#);
}

#[test]
fn types_are_checked_before_any_row_is_read() {
    let error = Expression::parse("kind + 1").unwrap().bind(&columns()).unwrap_err();
    assert_eq!(error.to_string(), "+ needs two numbers, got text");
    let error = Expression::parse("ln(kind)").unwrap().bind(&columns()).unwrap_err();
    assert_eq!(error.to_string(), "ln needs a number, got text");
}

#[test]
fn the_columns_in_use_are_known() {
    let expression = Expression::parse("ln(1 + fare) + case when kind = 'a' then fare else tips end").unwrap();
    assert_eq!(expression.columns(), ["fare", "kind", "tips"]);
}

#[test]
fn the_value_for_what_was_sent_has_the_name_that_it_has_in_data() {
    let sent =
        serde_json::json!({ "fare": 5.0, "kind": "Cash", "flag": true, "at": "2014-01-01T13:20:00Z", "tips": null });
    let named = |text: &str| Expression::parse(text).expect(text).text_of(sent.as_object().expect("an object"));
    assert_eq!(named("fare").as_deref(), Some("5"), "as a whole number of a file is named");
    assert_eq!(named("CASE WHEN fare > 4 THEN 'far' ELSE 'near' END").as_deref(), Some("far"));
    assert_eq!((named("kind").as_deref(), named("flag").as_deref()), (Some("Cash"), Some("true")));
    assert_eq!((named("tips"), named("absent")), (None, None));
    assert_eq!(named("hour(at)"), None, "a time is text where it is sent");
}
