//! What rows are joined to: tables of other facts, and the past of the rows themselves.
//!
//! Every join is *as of* the time of the row: only what had happened, and was known, by then counts. A *source table* is the
//! dataset of the problem that has its name. A *lookup* gives the row's features the cells of one table row, as
//! `lookup.column`; a *windowed aggregate* gives them one number about what happened to the row's entity before.

#[cfg(feature = "parse")]
use serde::Deserialize;
use serde::Serialize;

use super::{Csv, ProblemDocument, Span, TimeFormat};
use crate::expr::Expression;

/// A table that rows are joined to: the dataset of the problem that has its name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "parse", derive(Deserialize))]
pub struct SourceTable {
    /// Its name.
    pub name: String,
    /// The columns that say what a row is about.
    pub key: Vec<String>,
    /// Column of the time from which a row holds. Without it rows hold always, and a key comes once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event_time: Option<String>,
    /// Column of the time at which a row became known. Without it a row counts as known from the time it holds: a looser
    /// join, which a later correction changes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub known_time: Option<String>,
    /// How those times are written.
    pub time_format: TimeFormat,
    /// How CSV is written, where it differs from what is found out by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub csv: Option<Csv>,
}

/// The newest row of a table about what a row is about, as of the row's time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "parse", derive(Deserialize))]
pub struct Lookup {
    /// Its name: features read `name.column`.
    pub name: String,
    /// The table.
    pub table: String,
    /// The row's columns that are equal to the table's key, in its order.
    pub on: Vec<String>,
    /// A table row older than this does not count.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time_to_live: Option<Span>,
}

/// One number about what happened to an entity in the time before a row.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "parse", derive(Deserialize))]
pub struct Aggregate {
    /// Its name, which features read as a column.
    pub name: String,
    /// The row's columns that name the entity.
    pub over: Vec<String>,
    /// What is computed.
    pub function: AggregateFunction,
    /// Of what, over the columns of the rows that are aggregated; nothing for a count.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub of: Option<Expression>,
    /// How far back: rows at or after the row's time less this, and strictly before the row's time.
    pub window: Span,
    /// The table whose rows are aggregated, its key being `over`; the problem's own rows when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub table: Option<String>,
}

/// What an aggregate computes. Missing values do not count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "parse", derive(Deserialize))]
#[serde(rename_all = "snake_case")]
pub enum AggregateFunction {
    /// How many rows; 0 of none.
    Count,
    /// Their sum, rounded once; 0 of none.
    Sum,
    /// Their arithmetic mean: the exact sum, rounded, over the count; missing of none.
    Mean,
    /// The least; missing of none.
    Min,
    /// The greatest; missing of none.
    Max,
    /// The one of the latest row; missing of none.
    Last,
    /// How many different ones; 0 of none.
    Distinct,
}

impl AggregateFunction {
    /// Every function with its word.
    pub const ALL: [(&'static str, Self); 7] = [
        ("count", Self::Count),
        ("sum", Self::Sum),
        ("mean", Self::Mean),
        ("min", Self::Min),
        ("max", Self::Max),
        ("last", Self::Last),
        ("distinct", Self::Distinct),
    ];

    /// The word in documents.
    pub fn as_str(self) -> &'static str {
        Self::ALL.iter().find(|(_, function)| *function == self).map_or("", |(word, _)| word)
    }

    /// What it gives when nothing counts.
    pub const fn of_nothing(self) -> Option<f64> {
        match self {
            Self::Count | Self::Sum | Self::Distinct => Some(0.0),
            Self::Mean | Self::Min | Self::Max | Self::Last => None,
        }
    }
}

impl ProblemDocument {
    /// The source table of that name.
    pub fn table(&self, name: &str) -> Option<&SourceTable> {
        self.tables.iter().find(|table| table.name == name)
    }

    /// The names of the tables that joins read, each once, in the document's order.
    pub fn joined_tables(&self) -> Vec<&str> {
        let read = |table: &&SourceTable| {
            self.lookups.iter().any(|lookup| lookup.table == table.name)
                || self.aggregates.iter().any(|aggregate| aggregate.table.as_ref() == Some(&table.name))
        };
        self.tables.iter().filter(read).map(|table| table.name.as_str()).collect()
    }

    /// Whether a name that an expression reads is that of an aggregate or of a looked-up cell, and no column of the data.
    pub fn is_joined(&self, column: &str) -> bool {
        self.aggregates.iter().any(|aggregate| aggregate.name == column)
            || self.lookups.iter().any(|lookup| lookup.column(column).is_some())
    }

    /// Whether the expression reads something that is joined.
    pub fn reads_joined(&self, expression: &Expression) -> bool {
        expression.columns().into_iter().any(|column| self.is_joined(column))
    }

    /// The columns of the data that joins read: keys, and what is aggregated of the data's own rows.
    pub fn join_columns(&self) -> Vec<&str> {
        read_columns(&self.lookups, &self.aggregates)
    }
}

/// The columns of the data that say which rows these join, as often as they do.
pub(super) fn key_columns<'d>(lookups: &'d [Lookup], aggregates: &'d [Aggregate]) -> impl Iterator<Item = &'d str> {
    let keys = lookups.iter().flat_map(|lookup| &lookup.on);
    keys.chain(aggregates.iter().flat_map(|aggregate| &aggregate.over)).map(String::as_str)
}

/// The columns of the data that these read, each once.
fn read_columns<'d>(lookups: &'d [Lookup], aggregates: &'d [Aggregate]) -> Vec<&'d str> {
    let own = aggregates.iter().filter(|aggregate| aggregate.table.is_none());
    let values = own.filter_map(|aggregate| aggregate.of.as_ref()).flat_map(Expression::columns);
    let mut columns: Vec<&str> = key_columns(lookups, aggregates).chain(values).collect();
    let mut met = std::collections::BTreeSet::new();
    columns.retain(|column| met.insert(*column));
    columns
}

impl Lookup {
    /// The table's column that a name in an expression reads through this lookup.
    pub fn column<'n>(&self, name: &'n str) -> Option<&'n str> {
        name.strip_prefix(self.name.as_str())?.strip_prefix('.')
    }
}

impl Aggregate {
    /// Whether it computes of what the label is computed from: such rows count only once their label is known.
    #[cfg(feature = "parse")]
    pub fn reads_label(&self, document: &ProblemDocument) -> bool {
        let label = document.target.definition.expression();
        let label = label.columns();
        self.table.is_none()
            && self.of.as_ref().is_some_and(|of| of.columns().iter().any(|column| label.contains(column)))
    }
}

#[cfg(feature = "parse")]
mod read {
    use std::collections::BTreeSet;

    use super::{Aggregate, AggregateFunction, Lookup, SourceTable};
    use crate::expr::Expression;
    use crate::problem::read::{csv, time_format};
    use crate::problem::walk::Table;
    use crate::problem::{Data, Definition, Encoding, Feature, FeatureType, Target};

    /// More of each than this are refused.
    const MOST: usize = 200;
    /// A key may have so many columns.
    const MOST_KEY: usize = 4;

    /// Tables, lookups and aggregates of a document.
    pub(in crate::problem) struct Joins {
        pub tables: Vec<SourceTable>,
        pub lookups: Vec<Lookup>,
        pub aggregates: Vec<Aggregate>,
    }

    pub(in crate::problem) fn joins(table: &Table<'_>, data: Option<&Data>) -> Joins {
        let tables = entries(table, "tables", source_table, |table| &table.name);
        let timeless = data.is_some_and(|data| data.event_time.is_none());
        let lookups = entries(table, "lookups", |entry| lookup(entry, &tables, timeless), |lookup| &lookup.name);
        let aggregates =
            entries(table, "aggregates", |entry| aggregate(entry, &tables, timeless), |aggregate| &aggregate.name);
        Joins { tables, lookups, aggregates }
    }

    /// An aggregate that no feature reads is a feature by itself.
    pub(in crate::problem) fn add_features(joins: &Joins, features: &mut Vec<Feature>) {
        for aggregate in &joins.aggregates {
            let name = &aggregate.name;
            if !features.iter().any(|feature| feature.expression.columns().contains(&name.as_str())) {
                features.push(Feature {
                    name: name.clone(),
                    description: None,
                    expression: Expression::column(name),
                    feature_type: FeatureType::Number,
                    min: None,
                    max: None,
                    values: None,
                    encoding: Encoding::Trainer,
                    nullable: true,
                    max_null_share: None,
                    known_before_label: false,
                });
            }
        }
    }

    /// What joins, features and the label may not say together.
    pub(in crate::problem) fn check(table: &Table<'_>, joins: &Joins, features: &[Feature], target: &Target) {
        let read: BTreeSet<&str> = features.iter().flat_map(|feature| feature.expression.columns()).collect();
        for (position, lookup) in joins.lookups.iter().enumerate() {
            if !read.iter().any(|name| lookup.column(name).is_some()) {
                let message =
                    format!("no feature reads {0}.…; read a column of it or leave the lookup out", lookup.name);
                table.mistake_at(&format!("lookups/{position}/name"), message);
            }
        }
        let label = target.definition.expression();
        let joined = |name: &&str| {
            joins.aggregates.iter().any(|aggregate| aggregate.name == **name)
                || joins.lookups.iter().any(|lookup| lookup.column(name).is_some())
        };
        if let Some(name) = label.columns().into_iter().find(joined) {
            let place = match target.definition {
                Definition::Column(_) => "target/column",
                Definition::Expression(_) => "target/expression",
            };
            table.mistake_at(place, format!("reads {name:?}, which is joined; a label comes from the row itself"));
        }
    }

    /// The entries of a list, whose names must differ.
    fn entries<T>(
        table: &Table<'_>,
        list: &'static str,
        read: impl Fn(&Table<'_>) -> Option<T>,
        name: impl Fn(&T) -> &String,
    ) -> Vec<T> {
        let tables = table.tables(list);
        if tables.len() > MOST {
            table.mistake(list, format!("are {}; at most {MOST} are allowed", tables.len()));
            return Vec::new();
        }
        let mut all: Vec<T> = Vec::with_capacity(tables.len());
        for entry in &tables {
            let Some(item) = read(entry) else { continue };
            if all.iter().any(|other| name(other) == name(&item)) {
                entry.mistake("name", format!("{:?} comes twice; names must differ", name(&item)));
            }
            all.push(item);
        }
        all
    }

    fn source_table(table: &Table<'_>) -> Option<SourceTable> {
        let name = word(table, "name");
        let key = names(table, "key");
        let event_time = table.optional_text("event_time").map(str::to_owned);
        let known_time = table.optional_text("known_time").map(str::to_owned);
        let time_format = time_format(table);
        let csv = table.optional_table("csv").map(|table| csv(&table));
        if known_time.is_some() && event_time.is_none() {
            table.mistake(
                "known_time",
                "needs an event_time: rows that hold always have no time at which they are known",
            );
        }
        table.close();
        Some(SourceTable { name: name?, key: key?, event_time, known_time, time_format: time_format?, csv })
    }

    fn lookup(table: &Table<'_>, tables: &[SourceTable], timeless: bool) -> Option<Lookup> {
        let source = named_table(table, tables);
        let name = if table.has("name") { word(table, "name") } else { source.map(|source| source.name.clone()) };
        let on = if table.has("on") { names(table, "on") } else { source.map(|source| source.key.clone()) };
        let time_to_live = table.optional_span("time_to_live");
        table.close();
        let (source, on) = (source?, on?);
        if on.len() != source.key.len() {
            table.mistake(
                "on",
                format!("names {} columns, the key of {} has {}", on.len(), source.name, source.key.len()),
            );
        }
        if source.event_time.is_none() && time_to_live.is_some() {
            table.mistake(
                "time_to_live",
                format!("needs a table with an event_time; rows of {} hold always", source.name),
            );
        }
        if source.event_time.is_some() && timeless {
            table.mistake(
                "table",
                "needs data.event_time: without the time of a row, nothing can be looked up as of it",
            );
        }
        Some(Lookup { name: name?, table: source.name.clone(), on, time_to_live })
    }

    fn aggregate(table: &Table<'_>, tables: &[SourceTable], timeless: bool) -> Option<Aggregate> {
        let name = word(table, "name");
        let over = names(table, "over");
        let function =
            table.text("function").and(table.word_of("function", &AggregateFunction::ALL, AggregateFunction::Count));
        let of = table
            .optional_text("of")
            .and_then(|text| Expression::parse(text).map_err(|error| table.mistake("of", error.to_string())).ok());
        let window = table.text("window").and_then(|_| table.span_or("window", ""));
        let source = if table.has("table") { Some(named_table(table, tables)) } else { None };
        match (function, table.has("of")) {
            (Some(AggregateFunction::Count), true) => table.mistake("of", "is not needed: a count is of rows"),
            (Some(AggregateFunction::Count), false) | (None, _) | (_, true) => {}
            (Some(function), false) => {
                table.mistake("of", format!("is missing: say what the {} is of", function.as_str()));
            }
        }
        if window.is_some_and(|window| window.seconds() == 0) {
            table.mistake("window", "must be at least one second");
        }
        if timeless {
            table.mistake("window", "needs data.event_time: without the time of a row, nothing comes before it");
        }
        table.close();
        let over = over?;
        if let Some(Some(source)) = source {
            if over.len() != source.key.len() {
                let message =
                    format!("names {} columns, the key of {} has {}", over.len(), source.name, source.key.len());
                table.mistake("over", message);
            }
            if source.event_time.is_none() {
                table.mistake(
                    "table",
                    format!("{} has no event_time, so none of its rows comes before another", source.name),
                );
            }
        }
        let source = match source {
            None => None,
            Some(source) => Some(source?.name.clone()),
        };
        Some(Aggregate { name: name?, over, function: function?, of, window: window?, table: source })
    }

    fn named_table<'t>(table: &Table<'_>, tables: &'t [SourceTable]) -> Option<&'t SourceTable> {
        let name = table.text("table")?;
        let found = tables.iter().find(|source| source.name == name);
        if found.is_none() {
            let known: Vec<&str> = tables.iter().map(|source| source.name.as_str()).collect();
            let known = if known.is_empty() { "there are none".to_owned() } else { known.join(", ") };
            table.mistake("table", format!("{name:?} is not one of [[tables]] ({known})"));
        }
        found
    }

    /// A name that expressions can use without quotes.
    fn word(table: &Table<'_>, key: &'static str) -> Option<String> {
        let name = table.line(key, 63)?;
        let fits = name.starts_with(|c: char| c.is_ascii_lowercase() || c == '_')
            && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
            && Expression::column(&name).text() == name;
        if !fits {
            table.mistake(
                key,
                format!("must be lower-case letters, digits and underscores, beginning with a letter, and no word of SQL, got {name:?}"),
            );
            return None;
        }
        Some(name)
    }

    /// One name, or a list of them.
    fn names(table: &Table<'_>, key: &'static str) -> Option<Vec<String>> {
        let names = table.text_or_texts(key)?;
        let different: BTreeSet<&String> = names.iter().collect();
        if names.is_empty() || names.len() > MOST_KEY || different.len() != names.len() {
            table.mistake(key, format!("must name 1 to {MOST_KEY} different columns"));
            return None;
        }
        Some(names)
    }
}

#[cfg(feature = "parse")]
pub(super) use read::{add_features, check, joins};

#[cfg(all(test, feature = "parse"))]
#[path = "join_tests.rs"]
mod tests;
