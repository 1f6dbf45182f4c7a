//! Rules that a problem declares for its data, beside those that follow from its features and target.

use serde::{Deserialize, Serialize};

use crate::expr::Expression;
use crate::partition::Partition;
use crate::schema::Severity;

/// More checks than this are refused.
#[cfg(feature = "parse")]
pub(super) const MOST_CHECKS: usize = 1_000;

/// A declared rule.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct DataCheck {
    /// Its name, unique in the document.
    pub name: String,
    /// What must hold.
    #[serde(flatten)]
    pub rule: Rule,
    /// What it means when it does not.
    pub severity: Severity,
}

/// What must hold.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Rule {
    /// An expression is true. Rows where it is unknown, because something it reads is missing, are not judged.
    Rows {
        /// The expression.
        expression: Expression,
        /// The share of the judged rows in which it must be true.
        at_least: f64,
    },
    /// No two rows have the same values in these columns. Rows in which one is missing are not judged.
    Unique {
        /// The columns.
        unique: Vec<String>,
    },
    /// A column does not fall from one row to the next. Rows in which it is missing are not judged.
    Increasing {
        /// The column.
        increasing: String,
    },
    /// The Kullback–Leibler divergence of a column from a distribution that was written down. Missing cells are not judged.
    Distribution {
        /// The column.
        distribution: String,
        /// The distribution.
        #[serde(flatten)]
        partition: Partition,
        /// Largest divergence allowed, in nats.
        at_most: f64,
    },
    /// A statistic lies between bounds, each held.
    Statistic {
        /// The statistic.
        statistic: Statistic,
        /// The column it is of; none for the number of rows.
        #[serde(skip_serializing_if = "Option::is_none")]
        of: Option<String>,
        /// Smallest value allowed.
        #[serde(skip_serializing_if = "Option::is_none")]
        min: Option<f64>,
        /// Largest value allowed.
        #[serde(skip_serializing_if = "Option::is_none")]
        max: Option<f64>,
    },
}

impl Rule {
    /// The columns that it reads.
    pub fn columns(&self) -> Vec<&str> {
        match self {
            Self::Rows { expression, .. } => expression.columns(),
            Self::Unique { unique } => unique.iter().map(String::as_str).collect(),
            Self::Increasing { increasing } => vec![increasing],
            Self::Distribution { distribution, .. } => vec![distribution],
            Self::Statistic { of, .. } => of.iter().map(String::as_str).collect(),
        }
    }
}

/// A number about a column, or about the rows as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Statistic {
    /// How many rows there are.
    Rows,
    /// Arithmetic mean.
    Mean,
    /// Least value.
    Minimum,
    /// Greatest value.
    Maximum,
    /// Median.
    Median,
    /// Population standard deviation.
    StandardDeviation,
    /// How many different values there are.
    Distinct,
    /// Share of cells without a value.
    MissingShare,
}

impl Statistic {
    /// Every statistic with its word.
    pub const ALL: [(&'static str, Self); 8] = [
        ("rows", Self::Rows),
        ("mean", Self::Mean),
        ("minimum", Self::Minimum),
        ("maximum", Self::Maximum),
        ("median", Self::Median),
        ("standard_deviation", Self::StandardDeviation),
        ("distinct", Self::Distinct),
        ("missing_share", Self::MissingShare),
    ];

    /// The word in documents.
    pub fn as_str(self) -> &'static str {
        Self::ALL.iter().find(|(_, statistic)| *statistic == self).map_or("", |(word, _)| word)
    }
}

#[cfg(feature = "parse")]
mod read {
    use super::{DataCheck, MOST_CHECKS, Rule, Statistic};
    use crate::expr::Expression;
    use crate::partition::{Partition, Parts};
    use crate::problem::walk::Table;
    use crate::schema::Severity;

    const SEVERITIES: [(&str, Severity); 3] =
        [("critical", Severity::Critical), ("warning", Severity::Warning), ("info", Severity::Info)];

    /// The checks of a document.
    pub(in crate::problem) fn checks(table: &Table<'_>) -> Vec<DataCheck> {
        let tables = table.tables("checks");
        if tables.len() > MOST_CHECKS {
            table.mistake("checks", format!("are {}; at most {MOST_CHECKS} are allowed", tables.len()));
            return Vec::new();
        }
        let mut checks: Vec<DataCheck> = Vec::with_capacity(tables.len());
        for table in &tables {
            let Some(check) = check(table) else { continue };
            if checks.iter().any(|other| other.name == check.name) {
                table.mistake("name", format!("{:?} is the name of another check", check.name));
            }
            checks.push(check);
        }
        checks
    }

    fn check(table: &Table<'_>) -> Option<DataCheck> {
        let name = table.line("name", 200);
        let severity = table.word_of("severity", &SEVERITIES, Severity::Critical);
        let given: Vec<&'static str> = ["expression", "unique", "increasing", "statistic", "distribution"]
            .into_iter()
            .filter(|kind| table.has(kind))
            .collect();
        let rule = match given.as_slice() {
            ["expression"] => rows(table),
            ["unique"] => unique(table),
            ["increasing"] => table.line("increasing", 300).map(|increasing| Rule::Increasing { increasing }),
            ["statistic"] => statistic(table),
            ["distribution"] => distribution(table),
            _ => {
                table.mistake(
                    "name",
                    "needs one of expression, unique, increasing, statistic and distribution to say what must hold",
                );
                None
            }
        };
        table.close();
        Some(DataCheck { name: name?, rule: rule?, severity: severity? })
    }

    fn rows(table: &Table<'_>) -> Option<Rule> {
        let text = table.text("expression")?;
        let expression = Expression::parse(text).map_err(|error| table.mistake("expression", error.to_string())).ok();
        let at_least = table.number_in("at_least", 0.0, 1.0, Some(1.0));
        Some(Rule::Rows { expression: expression?, at_least: at_least? })
    }

    fn unique(table: &Table<'_>) -> Option<Rule> {
        let unique = table.optional_texts("unique")?;
        if unique.is_empty() {
            table.mistake("unique", "must name at least one column");
            return None;
        }
        Some(Rule::Unique { unique })
    }

    fn distribution(table: &Table<'_>) -> Option<Rule> {
        let distribution = table.line("distribution", 300);
        let weights = table.numbers("weights");
        let parts = match (table.has("values"), table.has("bins")) {
            (true, false) => table.optional_texts("values").map(|values| Parts::Values { values }),
            (false, true) => {
                let (below, above) = (table.optional_number("below"), table.optional_number("above"));
                table.numbers("bins").map(|bins| Parts::Bins { bins, below, above })
            }
            _ => {
                table.mistake("values", "say either values or bins");
                None
            }
        };
        let tail_weight_holdout = table.optional_number("tail_weight_holdout").unwrap_or(0.0);
        let internal_weight_holdout = table.optional_number("internal_weight_holdout").unwrap_or(0.0);
        let at_most = table.number_in("at_most", 0.0, 1e6, None);
        let partition = Partition { parts: parts?, weights: weights?, tail_weight_holdout, internal_weight_holdout };
        if let Err((key, message)) = partition.check() {
            table.mistake(key, message);
        }
        Some(Rule::Distribution { distribution: distribution?, partition, at_most: at_most? })
    }

    fn statistic(table: &Table<'_>) -> Option<Rule> {
        let statistic = table.word_of("statistic", &Statistic::ALL, Statistic::Rows)?;
        let of = if table.has("of") { Some(table.line("of", 300)?) } else { None };
        let (min, max) = (table.optional_number("min"), table.optional_number("max"));
        match (statistic, &of) {
            (Statistic::Rows, Some(_)) => table.mistake("of", "is not needed: rows are of the whole data"),
            (Statistic::Rows, None) | (_, Some(_)) => {}
            (_, None) => table.mistake("of", "is missing: name the column"),
        }
        match (min, max) {
            (None, None) => table.mistake("min", "is missing: say min, max or both"),
            (Some(min), Some(max)) if min > max => table.mistake("min", format!("{min} is greater than max {max}")),
            _ => {}
        }
        Some(Rule::Statistic { statistic, of, min, max })
    }
}

#[cfg(feature = "parse")]
pub(super) use read::checks;

#[cfg(all(test, feature = "parse"))]
mod tests {
    use crate::problem::{Mistake, ProblemDocument};

    fn read(checks: &str) -> Result<ProblemDocument, Vec<Mistake>> {
        ProblemDocument::parse(&format!(
            "slug = \"trips\"\ntitle = \"T\"\ndecision = \"D\"\ntarget = {{ name = \"y\", kind = \"binary\", column = \"y\" }}\n\
             data = {{ split = {{ kind = \"random\", validation = 0.2, test = 0.2, seed = 1 }} }}\n\
             success = {{ metric = \"roc_auc\", at_least = 0.6 }}\nfeatures = [{{ name = \"x\" }}]\n{checks}"
        ))
    }

    fn mistakes(checks: &str) -> Vec<String> {
        read(checks).expect_err("the checks are mistaken").into_iter().map(|mistake| mistake.pointer).collect()
    }

    #[test]
    fn checks_are_written_back_as_they_were_read() {
        let text = r#"
            [[checks]]
            name = "tips below fare"
            expression = "tips <= fare"
            at_least = 0.99
            severity = "warning"
            [[checks]]
            name = "trips"
            unique = ["id", "at"]
            [[checks]]
            name = "in order"
            increasing = "at"
            [[checks]]
            name = "age"
            statistic = "mean"
            of = "age"
            min = 20
            max = 40
            [[checks]]
            name = "age as ever"
            distribution = "age"
            bins = [0, 30, 60]
            weights = [0.5, 0.4]
            above = 0.1
            at_most = 0.1
        "#;
        let document = read(text).unwrap();
        assert_eq!(document.checks.len(), 5);
        assert_eq!(ProblemDocument::from_json(&document.to_json()), Ok(document));
    }

    #[test]
    fn a_document_without_checks_keeps_its_digest() {
        assert!(!read("").unwrap().to_json().to_string().contains("checks"));
    }

    #[test]
    fn every_mistake_of_a_check_is_named() {
        assert_eq!(mistakes("[[checks]]\nname = \"a\""), ["/checks/0/name"]);
        assert_eq!(mistakes("[[checks]]\nname = \"a\"\nexpression = \"pg_sleep(1)\""), ["/checks/0/expression"]);
        assert_eq!(mistakes("[[checks]]\nname = \"a\"\nunique = []"), ["/checks/0/unique"]);
        assert_eq!(mistakes("[[checks]]\nname = \"a\"\nstatistic = \"mean\""), ["/checks/0/of", "/checks/0/min"]);
        let twice = "[[checks]]\nname = \"a\"\nincreasing = \"t\"\n[[checks]]\nname = \"a\"\nincreasing = \"t\"";
        assert_eq!(mistakes(twice), ["/checks/1/name"]);
    }
}
