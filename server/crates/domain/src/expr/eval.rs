//! The evaluator: one bound tree, one row, one value.

use std::borrow::Cow;
use std::cmp::Ordering;

use chrono::{DateTime, Datelike, Timelike, Utc};

use super::{Bound, Function, Node, Operator};
use crate::schema::{Value, ValueType};

/// One row of cells, by slot.
pub trait Row {
    /// The cell of a slot that binding gave out.
    fn cell(&self, slot: usize) -> Value<'_>;
}

impl Row for [Value<'_>] {
    fn cell(&self, slot: usize) -> Value<'_> {
        self[slot].clone()
    }
}

impl Bound {
    /// The value of the expression in `row`.
    pub fn evaluate<'r, R: Row + ?Sized>(&'r self, row: &'r R) -> Value<'r> {
        evaluate(&self.tree, row)
    }
}

pub(super) fn evaluate<'r, R: Row + ?Sized>(node: &'r Node<usize>, row: &'r R) -> Value<'r> {
    match node {
        Node::Column(slot) => row.cell(*slot),
        Node::Number(number) => Value::Number(*number),
        Node::Text(text) => Value::Text(Cow::Borrowed(text)),
        Node::Boolean(truth) => Value::Boolean(*truth),
        Node::Null => Value::Null,
        Node::Negate(item) => number(evaluate(item, row)).map_or(Value::Null, |x| Value::Number(-x)),
        Node::Not(item) => truth(&evaluate(item, row)).map_or(Value::Null, |truth| Value::Boolean(!truth)),
        Node::Binary(Operator::And, left, right) => connect(left, right, row, false),
        Node::Binary(Operator::Or, left, right) => connect(left, right, row, true),
        Node::Binary(operator, left, right) => binary(*operator, evaluate(left, row), evaluate(right, row)),
        Node::Call(function, arguments) => call(*function, arguments, row),
        Node::Case { branches, otherwise } => branches
            .iter()
            .find(|(condition, _)| truth(&evaluate(condition, row)) == Some(true))
            .map_or_else(|| evaluate(otherwise, row), |(_, result)| evaluate(result, row)),
        Node::In { item, list, negated } => contains(&evaluate(item, row), list, *negated, row),
        Node::Like { item, pattern, negated } => match evaluate(item, row) {
            Value::Text(text) => Value::Boolean(like(&text, pattern) != *negated),
            _ => Value::Null,
        },
        Node::Matches { item, pattern, negated } => match evaluate(item, row) {
            Value::Text(text) => Value::Boolean(pattern.is_in(&text) != *negated),
            _ => Value::Null,
        },
        Node::IsNull { item, negated } => Value::Boolean(evaluate(item, row).is_null() != *negated),
        Node::Cast(item, to) => cast(evaluate(item, row), *to),
    }
}

/// Kleene's `and` (`decisive` = false) and `or` (`decisive` = true): a decisive side settles it, else null spreads.
fn connect<'r, R: Row + ?Sized>(
    left: &'r Node<usize>,
    right: &'r Node<usize>,
    row: &'r R,
    decisive: bool,
) -> Value<'r> {
    let left = truth(&evaluate(left, row));
    if left == Some(decisive) {
        return Value::Boolean(decisive);
    }
    match (left, truth(&evaluate(right, row))) {
        (_, Some(right)) if right == decisive => Value::Boolean(decisive),
        (Some(_), Some(_)) => Value::Boolean(!decisive),
        _ => Value::Null,
    }
}

fn binary<'r>(operator: Operator, left: Value<'r>, right: Value<'r>) -> Value<'r> {
    use Operator as Op;
    match operator {
        Op::Add => arithmetic(left, right, |a, b| a + b),
        Op::Subtract => arithmetic(left, right, |a, b| a - b),
        Op::Multiply => arithmetic(left, right, |a, b| a * b),
        Op::Divide => arithmetic(left, right, |a, b| a / b),
        Op::Remainder => arithmetic(left, right, |a, b| a % b),
        Op::Concat => match (left, right) {
            (Value::Text(a), Value::Text(b)) => Value::Text(Cow::Owned(format!("{a}{b}"))),
            _ => Value::Null,
        },
        Op::Equal => comparison(&left, &right, Ordering::is_eq),
        Op::NotEqual => comparison(&left, &right, Ordering::is_ne),
        Op::Less => comparison(&left, &right, Ordering::is_lt),
        Op::LessOrEqual => comparison(&left, &right, Ordering::is_le),
        Op::Greater => comparison(&left, &right, Ordering::is_gt),
        Op::GreaterOrEqual => comparison(&left, &right, Ordering::is_ge),
        Op::And | Op::Or => unreachable!("connectives are evaluated by `connect`, which may skip their right side"),
    }
}

fn arithmetic<'r>(left: Value<'_>, right: Value<'_>, operation: fn(f64, f64) -> f64) -> Value<'r> {
    match (left, right) {
        (Value::Number(a), Value::Number(b)) => Value::number(operation(a, b)),
        _ => Value::Null,
    }
}

fn comparison<'r>(left: &Value<'_>, right: &Value<'_>, holds: fn(Ordering) -> bool) -> Value<'r> {
    compare(left, right).map_or(Value::Null, |ordering| Value::Boolean(holds(ordering)))
}

/// The order of two values of one type; none when either is null.
fn compare(left: &Value<'_>, right: &Value<'_>) -> Option<Ordering> {
    match (left, right) {
        (Value::Number(a), Value::Number(b)) => a.partial_cmp(b),
        (Value::Text(a), Value::Text(b)) => Some(a.as_ref().cmp(b.as_ref())),
        (Value::Boolean(a), Value::Boolean(b)) => Some(a.cmp(b)),
        (Value::Time(a), Value::Time(b)) => Some(a.cmp(b)),
        _ => None,
    }
}

/// SQL's IN: true on a match, null when nothing matched and a null was involved, else false.
fn contains<'r, R: Row + ?Sized>(item: &Value<'_>, list: &'r [Node<usize>], negated: bool, row: &'r R) -> Value<'r> {
    let mut unknown = item.is_null();
    for candidate in list {
        match compare(item, &evaluate(candidate, row)) {
            Some(Ordering::Equal) => return Value::Boolean(!negated),
            Some(_) => {}
            None => unknown = true,
        }
    }
    if unknown { Value::Null } else { Value::Boolean(negated) }
}

fn call<'r, R: Row + ?Sized>(function: Function, arguments: &'r [Node<usize>], row: &'r R) -> Value<'r> {
    use Function as F;
    let argument = |position: usize| arguments.get(position).map_or(Value::Null, |node| evaluate(node, row));
    let numeric = |operation: fn(f64) -> f64| match argument(0) {
        Value::Number(x) => Value::number(operation(x)),
        _ => Value::Null,
    };
    let calendar = |part: fn(DateTime<Utc>) -> f64| match argument(0) {
        Value::Time(micros) => DateTime::from_timestamp_micros(micros).map_or(Value::Null, |t| Value::Number(part(t))),
        _ => Value::Null,
    };
    match function {
        F::Abs => numeric(f64::abs),
        F::Ceil => numeric(f64::ceil),
        F::Floor => numeric(f64::floor),
        F::Sqrt => numeric(f64::sqrt),
        F::Ln => numeric(f64::ln),
        F::Log10 => numeric(f64::log10),
        F::Exp => numeric(f64::exp),
        F::Sign => numeric(|x| {
            if x > 0.0 {
                1.0
            } else if x < 0.0 {
                -1.0
            } else {
                0.0
            }
        }),
        F::Power => arithmetic(argument(0), argument(1), f64::powf),
        F::Round => round(argument(0), arguments.get(1).map(|node| evaluate(node, row))),
        F::Least => extreme(arguments, row, Ordering::Less),
        F::Greatest => extreme(arguments, row, Ordering::Greater),
        F::Coalesce => {
            arguments.iter().map(|node| evaluate(node, row)).find(|value| !value.is_null()).unwrap_or(Value::Null)
        }
        F::Nullif => match (argument(0), argument(1)) {
            (left, right) if compare(&left, &right) == Some(Ordering::Equal) => Value::Null,
            (left, _) => left,
        },
        F::Lower => text_to_text(argument(0), |text| text.to_lowercase()),
        F::Upper => text_to_text(argument(0), |text| text.to_uppercase()),
        F::Trim => text_to_text(argument(0), |text| text.trim().to_owned()),
        F::Length => match argument(0) {
            Value::Text(text) => Value::Number(text.chars().count() as f64),
            _ => Value::Null,
        },
        F::Substr => substring(argument(0), argument(1), arguments.get(2).map(|node| evaluate(node, row))),
        F::Concat => concat(arguments, row),
        F::Year => calendar(|t| f64::from(t.year())),
        F::Month => calendar(|t| f64::from(t.month())),
        F::Day => calendar(|t| f64::from(t.day())),
        F::DayOfWeek => calendar(|t| f64::from(t.weekday().num_days_from_sunday())),
        F::Hour => calendar(|t| f64::from(t.hour())),
        F::Minute => calendar(|t| f64::from(t.minute())),
        F::Epoch => match argument(0) {
            Value::Time(micros) => Value::Number(micros as f64 / 1e6),
            _ => Value::Null,
        },
    }
}

/// Rounds half away from zero to `digits` decimals (−15 to 15).
fn round<'r>(value: Value<'_>, digits: Option<Value<'_>>) -> Value<'r> {
    match (value, digits) {
        (Value::Number(x), None) => Value::Number(x.round()),
        (Value::Number(x), Some(Value::Number(digits))) if (-15.0..=15.0).contains(&digits) => {
            let scale = 10f64.powi(digits as i32);
            Value::number((x * scale).round() / scale)
        }
        _ => Value::Null,
    }
}

/// The least or greatest of the values that are not null, as in Postgres.
fn extreme<'r, R: Row + ?Sized>(arguments: &'r [Node<usize>], row: &'r R, wanted: Ordering) -> Value<'r> {
    arguments.iter().map(|node| evaluate(node, row)).fold(Value::Null, |best, value| {
        let replaces = best.is_null() || compare(&value, &best) == Some(wanted);
        if replaces && !value.is_null() { value } else { best }
    })
}

fn text_to_text<'r>(value: Value<'_>, operation: fn(&str) -> String) -> Value<'r> {
    match value {
        Value::Text(text) => Value::Text(Cow::Owned(operation(&text))),
        _ => Value::Null,
    }
}

/// SQL's substring: positions count characters from 1.
fn substring<'r>(text: Value<'_>, start: Value<'_>, length: Option<Value<'_>>) -> Value<'r> {
    let (Value::Text(text), Value::Number(start)) = (text, start) else { return Value::Null };
    let start = start.trunc();
    let end = match length {
        None => f64::INFINITY,
        Some(Value::Number(length)) if length >= 0.0 => start + length.trunc(),
        Some(_) => return Value::Null,
    };
    let inside = |position: &(usize, char)| {
        let number = (position.0 + 1) as f64;
        number >= start && number < end
    };
    Value::Text(Cow::Owned(text.chars().enumerate().filter(inside).map(|(_, c)| c).collect()))
}

/// Joins texts; null counts as empty, as in Postgres.
fn concat<'r, R: Row + ?Sized>(arguments: &'r [Node<usize>], row: &'r R) -> Value<'r> {
    let mut joined = String::new();
    for node in arguments {
        if let Value::Text(text) = evaluate(node, row) {
            joined.push_str(&text);
        }
    }
    Value::Text(Cow::Owned(joined))
}

fn cast(value: Value<'_>, to: ValueType) -> Value<'_> {
    match (value, to) {
        (Value::Null, _) => Value::Null,
        (Value::Text(text), ValueType::Number) => text.trim().parse().map_or(Value::Null, Value::number),
        (Value::Boolean(truth), ValueType::Number) => Value::Number(f64::from(u8::from(truth))),
        (Value::Time(micros), ValueType::Number) => Value::Number(micros as f64 / 1e6),
        (Value::Number(x), ValueType::Text) => Value::Text(Cow::Owned(x.to_string())),
        (Value::Boolean(truth), ValueType::Text) => Value::Text(Cow::Borrowed(if truth { "true" } else { "false" })),
        (Value::Time(micros), ValueType::Text) => DateTime::from_timestamp_micros(micros)
            .map_or(Value::Null, |t| Value::Text(Cow::Owned(t.to_rfc3339_opts(chrono::SecondsFormat::AutoSi, true)))),
        (value, _) => value,
    }
}

/// SQL's LIKE: `%` any run, `_` any one character. Linear in text × pattern, no back-tracking blow-up.
fn like(text: &str, pattern: &str) -> bool {
    let pattern: Vec<char> = pattern.chars().collect();
    let mut reachable = vec![false; pattern.len() + 1];
    reachable[0] = true;
    spread(&mut reachable, &pattern);
    for character in text.chars() {
        let mut next = vec![false; pattern.len() + 1];
        for (position, wanted) in pattern.iter().enumerate() {
            if reachable[position] {
                match wanted {
                    '%' => next[position] = true,
                    '_' => next[position + 1] = true,
                    wanted => next[position + 1] |= *wanted == character,
                }
            }
        }
        spread(&mut next, &pattern);
        reachable = next;
    }
    reachable[pattern.len()]
}

/// A `%` may match nothing: what is reachable before it is reachable after it.
fn spread(reachable: &mut [bool], pattern: &[char]) {
    for (position, wanted) in pattern.iter().enumerate() {
        if *wanted == '%' && reachable[position] {
            reachable[position + 1] = true;
        }
    }
}

fn number(value: Value<'_>) -> Option<f64> {
    match value {
        Value::Number(x) => Some(x),
        _ => None,
    }
}

fn truth(value: &Value<'_>) -> Option<bool> {
    match value {
        Value::Boolean(truth) => Some(*truth),
        _ => None,
    }
}
