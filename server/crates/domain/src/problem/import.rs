//! Rules from a suite of Great Expectations.
//!
//! Each expectation that says something our rules can say becomes one; the others are listed with the reason. `mostly` is the
//! share of rows that must keep the rule, missing values not judged, as there.

use serde_json::Value;

use super::{DataCheck, Environment, Rule, Statistic};
use crate::expr::Expression;
use crate::partition::{Partition, Parts};
use crate::schema::Severity;

/// What became of a suite.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Imported {
    /// The rules.
    pub checks: Vec<DataCheck>,
    /// Environments that lack columns.
    pub environments: Vec<Environment>,
    /// Expectations that have no counterpart: which, and why.
    pub left_out: Vec<(String, String)>,
}

/// Reads a suite, in the shape of version 0.13 or later.
///
/// # Errors
/// When the text is not a suite at all.
pub fn expectation_suite(text: &str) -> Result<Imported, String> {
    let suite: Value = serde_json::from_str(text).map_err(|error| format!("is not JSON: {error}"))?;
    let expectations = suite["expectations"].as_array().ok_or("is not a suite: it has no list \"expectations\"")?;
    let mut imported = Imported::default();
    for expectation in expectations {
        let kind =
            expectation["type"].as_str().or_else(|| expectation["expectation_type"].as_str()).unwrap_or_default();
        match rule(kind, &Arguments(&expectation["kwargs"])) {
            Ok((about, rule)) => {
                let name = free_name(&imported.checks, &format!("{about} {}", said(kind)));
                let severity = match expectation["severity"].as_str() {
                    Some("warning") => Severity::Warning,
                    Some("info") => Severity::Info,
                    _ => Severity::Critical,
                };
                imported.checks.push(DataCheck { name, rule, severity });
            }
            Err(reason) => imported.left_out.push((kind.to_owned(), reason)),
        }
    }
    Ok(imported)
}

impl Imported {
    /// The rules as they stand in a document.
    pub fn to_toml(&self) -> String {
        // An empty list is a key, which would belong to whatever table it is written after.
        let mut table = serde_json::json!({});
        if !self.checks.is_empty() {
            table["checks"] = serde_json::json!(self.checks);
        }
        if !self.environments.is_empty() {
            table["environments"] = serde_json::json!(self.environments);
        }
        toml::to_string(&table).expect("checks hold only texts, finite numbers and lists")
    }
}

/// `expect_column_values_to_be_in_set` as `values to be in set`.
fn said(kind: &str) -> String {
    let words = kind.trim_start_matches("expect_").trim_start_matches("column_").replace('_', " ");
    words.trim_start_matches("pair ").to_owned()
}

pub(super) fn free_name(checks: &[DataCheck], wanted: &str) -> String {
    let wanted: String = wanted.trim().chars().take(180).collect();
    let taken = |name: &str| checks.iter().any(|check| check.name == name);
    let numbered = (2..).map(|number| format!("{wanted} ({number})"));
    std::iter::once(wanted.clone()).chain(numbered).find(|name| !taken(name)).unwrap_or_default()
}

struct Arguments<'a>(&'a Value);

impl Arguments<'_> {
    fn text(&self, key: &str) -> Result<&str, String> {
        self.0[key].as_str().ok_or_else(|| format!("it has no {key}"))
    }

    /// A column as it stands in an expression.
    fn column(&self, key: &str) -> Result<String, String> {
        self.text(key).map(|name| Expression::column(name).text().to_owned())
    }

    fn number(&self, key: &str) -> Result<Option<f64>, String> {
        match &self.0[key] {
            Value::Null => Ok(None),
            Value::Number(number) => Ok(number.as_f64()),
            _ => Err(format!("its {key} is not a number")),
        }
    }

    fn is_set(&self, key: &str) -> bool {
        self.0[key].as_bool().unwrap_or(false)
    }

    /// The values of a set, as SQL writes them.
    fn values(&self, key: &str) -> Result<String, String> {
        let values = self.0[key].as_array().filter(|values| !values.is_empty());
        let values = values.ok_or_else(|| format!("its {key} is not a list with values"))?;
        let written = values.iter().map(literal).collect::<Option<Vec<String>>>();
        written.map(|written| written.join(", ")).ok_or_else(|| format!("its {key} holds more than texts and numbers"))
    }

    fn texts(&self, key: &str) -> Result<Vec<String>, String> {
        let texts =
            self.0[key].as_array().and_then(|list| list.iter().map(|text| text.as_str().map(str::to_owned)).collect());
        texts.filter(|texts: &Vec<String>| !texts.is_empty()).ok_or_else(|| format!("its {key} is not a list of texts"))
    }

    /// `item >= low AND item <= high`, strict where the expectation says so.
    fn between(&self, item: &str) -> Result<String, String> {
        let (low, high) = (self.number("min_value")?, self.number("max_value")?);
        let above = if self.is_set("strict_min") { ">" } else { ">=" };
        let below = if self.is_set("strict_max") { "<" } else { "<=" };
        let bounds: Vec<String> =
            [low.map(|low| format!("{item} {above} {low}")), high.map(|high| format!("{item} {below} {high}"))]
                .into_iter()
                .flatten()
                .collect();
        if bounds.is_empty() { Err("it has no bound".to_owned()) } else { Ok(bounds.join(" AND ")) }
    }

    /// A rule on each row.
    fn rows(&self, expression: &str) -> Result<Rule, String> {
        if let Some(condition) = self.0["row_condition"].as_str() {
            return Err(format!("it looks only at rows with {condition}; write that into an expression by hand"));
        }
        let expression = Expression::parse(expression).map_err(|error| error.to_string())?;
        Ok(Rule::Rows { expression, at_least: self.number("mostly")?.unwrap_or(1.0) })
    }

    fn statistic(&self, statistic: Statistic, of: Option<&str>) -> Result<Rule, String> {
        if self.is_set("strict_min") || self.is_set("strict_max") {
            return Err("its bounds are strict; here bounds are held".to_owned());
        }
        let (min, max) = match self.number("value")? {
            Some(value) => (Some(value), Some(value)),
            None => (self.number("min_value")?, self.number("max_value")?),
        };
        if min.is_none() && max.is_none() {
            return Err("it has no bound".to_owned());
        }
        Ok(Rule::Statistic { statistic, of: of.map(str::to_owned), min, max })
    }
}

/// A distribution as the suite writes it down: `values`, or `bins` whose outermost edges may be infinite, with `tail_weights`.
fn distribution(given: &Arguments<'_>) -> Result<Rule, String> {
    let partition = &given.0["partition_object"];
    let numbers = |key: &str| -> Option<Vec<f64>> { partition[key].as_array()?.iter().map(number).collect() };
    let mut weights = numbers("weights").ok_or("its partition_object has no weights")?;
    let parts = if let Some(values) = partition["values"].as_array() {
        let named = values.iter().map(|value| value.as_str().map_or_else(|| value.to_string(), str::to_owned));
        Parts::Values { values: named.collect() }
    } else {
        let mut bins = numbers("bins").ok_or("its partition_object has neither values nor bins")?;
        let tails = numbers("tail_weights").unwrap_or_default();
        let (mut below, mut above) = (tails.first().copied(), tails.get(1).copied());
        if bins.last().is_some_and(|edge| edge.is_infinite()) {
            bins.pop();
            above = weights.pop();
        }
        if bins.first().is_some_and(|edge| edge.is_infinite()) && !weights.is_empty() {
            bins.remove(0);
            below = Some(weights.remove(0));
        }
        Parts::Bins { bins, below, above }
    };
    let holdout = |key: &str| given.number(key).map(|share| share.unwrap_or(0.0));
    let partition = Partition {
        parts,
        weights,
        tail_weight_holdout: holdout("tail_weight_holdout")?,
        internal_weight_holdout: holdout("internal_weight_holdout")?,
    };
    partition.check().map_err(|(key, message)| format!("its {key} {message}"))?;
    Ok(Rule::Distribution {
        distribution: given.text("column")?.to_owned(),
        partition,
        at_most: given.number("threshold")?.ok_or("it has no threshold")?,
    })
}

/// A number, or an infinity as some writers of JSON spell it.
fn number(value: &Value) -> Option<f64> {
    match value.as_str() {
        Some("inf" | "Infinity") => Some(f64::INFINITY),
        Some("-inf" | "-Infinity") => Some(f64::NEG_INFINITY),
        _ => value.as_f64(),
    }
}

fn literal(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(quoted(text)),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(truth) => Some(truth.to_string()),
        _ => None,
    }
}

/// What the rule is about, and the rule.
fn rule(kind: &str, given: &Arguments<'_>) -> Result<(String, Rule), String> {
    let of_rows = |expression: String| Ok((given.text("column")?.to_owned(), given.rows(&expression)?));
    let of_column = |statistic: Statistic| {
        let column = given.text("column")?;
        Ok((column.to_owned(), given.statistic(statistic, Some(column))?))
    };
    let pair = |operator: &str| {
        let (a, b) = (given.column("column_A")?, given.column("column_B")?);
        Ok((
            format!("{} {}", given.text("column_A")?, given.text("column_B")?),
            given.rows(&format!("{a} {operator} {b}"))?,
        ))
    };
    let column = || given.column("column");
    match kind {
        "expect_column_to_exist" => {
            let column = given.text("column")?.to_owned();
            let there = Rule::Statistic {
                statistic: Statistic::MissingShare,
                of: Some(column.clone()),
                min: None,
                max: Some(1.0),
            };
            Ok((column, there))
        }
        "expect_column_values_to_not_be_null" => of_rows(format!("{} IS NOT NULL", column()?)),
        "expect_column_values_to_be_null" => of_rows(format!("{} IS NULL", column()?)),
        "expect_column_values_to_be_between" => of_rows(given.between(&column()?)?),
        "expect_column_values_to_be_in_set" => of_rows(format!("{} IN ({})", column()?, given.values("value_set")?)),
        "expect_column_values_to_not_be_in_set" => {
            of_rows(format!("{} NOT IN ({})", column()?, given.values("value_set")?))
        }
        "expect_column_values_to_match_regex" => {
            of_rows(format!("CAST({} AS text) ~ {}", column()?, quoted(given.text("regex")?)))
        }
        "expect_column_values_to_not_match_regex" => {
            of_rows(format!("CAST({} AS text) !~ {}", column()?, quoted(given.text("regex")?)))
        }
        "expect_column_value_lengths_to_be_between" => {
            of_rows(given.between(&format!("length(CAST({} AS text))", column()?))?)
        }
        "expect_column_value_lengths_to_equal" => {
            let length = given.number("value")?.ok_or("it has no value")?;
            of_rows(format!("length(CAST({} AS text)) = {length}", column()?))
        }
        "expect_column_values_to_be_unique" => {
            if given.number("mostly")?.is_some_and(|share| share < 1.0) {
                return Err("unique in most rows has no counterpart; here a key is unique or not".to_owned());
            }
            let column = given.text("column")?.to_owned();
            Ok((column.clone(), Rule::Unique { unique: vec![column] }))
        }
        "expect_compound_columns_to_be_unique" => {
            let unique = given.texts("column_list")?;
            Ok((unique.join(" "), Rule::Unique { unique }))
        }
        "expect_column_values_to_be_increasing" => {
            if given.is_set("strictly") {
                return Err("strictly increasing has no counterpart; add a rule that the column is unique".to_owned());
            }
            let increasing = given.text("column")?.to_owned();
            Ok((increasing.clone(), Rule::Increasing { increasing }))
        }
        "expect_column_pair_values_a_to_be_greater_than_b" | "expect_column_pair_values_A_to_be_greater_than_B" => {
            pair(if given.is_set("or_equal") { ">=" } else { ">" })
        }
        "expect_column_pair_values_to_be_equal" => pair("="),
        "expect_column_kl_divergence_to_be_less_than" => Ok((given.text("column")?.to_owned(), distribution(given)?)),
        "expect_column_mean_to_be_between" => of_column(Statistic::Mean),
        "expect_column_median_to_be_between" => of_column(Statistic::Median),
        "expect_column_min_to_be_between" => of_column(Statistic::Minimum),
        "expect_column_max_to_be_between" => of_column(Statistic::Maximum),
        "expect_column_unique_value_count_to_be_between" => of_column(Statistic::Distinct),
        "expect_table_row_count_to_be_between" | "expect_table_row_count_to_equal" => {
            Ok(("the table".to_owned(), given.statistic(Statistic::Rows, None)?))
        }
        "" => Err("it has no type".to_owned()),
        _ => Err("it has no counterpart".to_owned()),
    }
}

/// A text as SQL writes it.
pub(super) fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn import(expectations: &str) -> Imported {
        expectation_suite(&format!("{{\"expectations\": [{expectations}]}}")).unwrap()
    }

    #[test]
    fn an_expectation_with_a_counterpart_becomes_a_rule() {
        let found = import(
            r#"{"type": "expect_column_values_to_be_in_set", "severity": "warning",
                "kwargs": {"column": "P class", "value_set": ["1st", "o'clock", 3], "mostly": 0.9}}"#,
        );
        let check = &found.checks[0];
        assert_eq!((check.name.as_str(), check.severity), ("P class values to be in set", Severity::Warning));
        let Rule::Rows { expression, at_least } = &check.rule else { panic!("{check:?}") };
        assert_eq!((expression.text(), *at_least), ("\"P class\" IN ('1st', 'o''clock', 3)", 0.9));
    }

    #[test]
    fn a_distribution_is_taken_over_with_its_tails_and_holdouts() {
        let found = import(
            r#"{"type": "expect_column_kl_divergence_to_be_less_than", "kwargs": {"column": "age", "threshold": 0.1,
                "partition_object": {"bins": ["-Infinity", 0, 30, 60], "weights": [0.1, 0.5, 0.4], "tail_weights": [0, 0]},
                "internal_weight_holdout": 0.01}},
               {"type": "expect_column_kl_divergence_to_be_less_than", "kwargs": {"column": "kind", "threshold": 0.2,
                "partition_object": {"values": ["a", 2], "weights": [0.7, 0.7]}}}"#,
        );
        let Rule::Distribution { distribution, partition, at_most } = &found.checks[0].rule else {
            panic!("{found:?}")
        };
        let bins = Parts::Bins { bins: vec![0.0, 30.0, 60.0], below: Some(0.1), above: Some(0.0) };
        assert_eq!((distribution.as_str(), *at_most, &partition.parts), ("age", 0.1, &bins));
        assert_eq!((&partition.weights, partition.internal_weight_holdout), (&vec![0.5, 0.4], 0.01));
        assert!(found.left_out[0].1.contains("weights"), "{:?}", found.left_out);
    }

    #[test]
    fn one_without_a_counterpart_is_listed_with_the_reason() {
        let found = import(
            r#"{"type": "expect_column_parameterized_distribution_ks_test_p_value_to_be_greater_than", "kwargs": {"column": "a"}},
               {"expectation_type": "expect_column_values_to_match_regex", "kwargs": {"column": "a", "regex": "(?=a)b"}}"#,
        );
        assert_eq!(found.checks, []);
        assert_eq!(found.left_out[0].1, "it has no counterpart");
        assert!(found.left_out[1].1.contains("regular expression"), "{:?}", found.left_out);
    }

    #[test]
    fn what_is_written_is_read_by_the_document() {
        let found = import(
            r#"{"type": "expect_column_mean_to_be_between", "kwargs": {"column": "Age", "min_value": 20, "max_value": 40}},
               {"type": "expect_column_values_to_be_between", "kwargs": {"column": "Age", "min_value": 0, "strict_min": true}},
               {"type": "expect_column_values_to_be_between", "kwargs": {"column": "Age", "max_value": 80}},
               {"type": "expect_compound_columns_to_be_unique", "kwargs": {"column_list": ["a", "b"]}},
               {"type": "expect_column_to_exist", "kwargs": {"column": "Name"}}"#,
        );
        let document = format!(
            "slug = \"trips\"\ntitle = \"T\"\ndecision = \"D\"\ntarget = {{ name = \"y\", kind = \"binary\", column = \"y\" }}\n\
             data = {{ split = {{ kind = \"random\", validation = 0.2, test = 0.2, seed = 1 }} }}\n\
             success = {{ metric = \"roc_auc\", at_least = 0.6 }}\nfeatures = [{{ name = \"x\" }}]\n{}",
            found.to_toml()
        );
        let read = super::super::ProblemDocument::parse(&document).unwrap();
        assert_eq!((read.checks, found.left_out), (found.checks, vec![]));
    }
}
