//! From a problem document and the columns of a dataset to a feature plan.

use std::borrow::Cow;

use millrace_domain::expr::{Bound, Expression};
use millrace_domain::metric::{Costs, TargetKind};
use millrace_domain::problem::{Definition, Encoding, Mistake, ProblemDocument, TimeFormat};
use millrace_domain::schema::{Column, ColumnType, ValueType};

use super::labels::{LabelError, Labels};
use super::set::{self, FeatureDefinition, FeatureSet, FeatureSetError, Input};
use super::table::FeatureTable;
use crate::Dataset;
use crate::join::{Joins, TableColumns};

/// The features and the label of a problem, bound to columns.
#[derive(Debug, Clone, PartialEq)]
pub struct FeaturePlan {
    joins: Joins,
    features: FeatureSet,
    label: Bound,
    columns: Vec<Column>,
    target_name: String,
    kind: TargetKind,
    costs: Costs,
    quantile: Option<f64>,
}

impl FeaturePlan {
    /// Binds every expression of the document to the data's `columns` and to those of its tables, and checks the columns
    /// that it names elsewhere.
    ///
    /// # Errors
    /// Every mistake at once, each with its pointer into the document.
    pub fn compile(
        document: &ProblemDocument,
        columns: &[Column],
        tables: &TableColumns<'_>,
    ) -> Result<Self, Vec<Mistake>> {
        let joins = Joins::compile(document, columns, tables)?;
        let inputs = inputs(document, columns, &joins);
        let columns = &[columns, &joins.columns()].concat();
        let mut mistakes = Vec::new();
        let mut note = |pointer: String, message: String| mistakes.push(Mistake { pointer, message });
        let label = bind_label(document, columns).map_err(|message| note(label_pointer(document), message)).ok();
        for (pointer, name) in
            [("/data/entity", &document.data.entity), ("/data/event_time", &document.data.event_time)]
        {
            if let Some(Err(error)) = name.as_ref().map(|name| Expression::column(name).bind(columns)) {
                note(pointer.to_owned(), error.to_string());
            }
        }
        for (position, feature) in document.features.iter().enumerate() {
            let checked = set::bind(&feature.expression, feature.feature_type, columns).err();
            let problem = checked.or_else(|| gives_the_answer_away(document, &feature.expression));
            if let Some(message) = problem {
                note(format!("/features/{position}/expression"), message);
            }
        }
        for (position, slice) in document.slices.iter().enumerate() {
            let is_feature = document.features.iter().any(|feature| feature.name == slice.by);
            if let (false, Err(error)) = (is_feature, Expression::column(&slice.by).bind(columns)) {
                note(format!("/slices/{position}/by"), format!("is no feature, and {error}"));
            }
        }
        let features = FeatureSet::new(inputs, joins.columns(), definitions(document));
        match (features, label) {
            (Ok(features), Some(label)) if mistakes.is_empty() => Ok(Self {
                joins,
                features,
                label,
                columns: columns.to_vec(),
                target_name: document.target.name.clone(),
                kind: document.target.kind,
                costs: document.target.costs.unwrap_or_default(),
                quantile: document.target.quantile,
            }),
            _ => Err(mistakes),
        }
    }

    /// The features, bound to the inputs.
    pub const fn features(&self) -> &FeatureSet {
        &self.features
    }

    /// What is joined to a row.
    pub const fn joins(&self) -> &Joins {
        &self.joins
    }

    /// The raw columns that features and joins read: what predictions are asked with.
    pub fn inputs(&self) -> &[Input] {
        self.features.inputs()
    }

    /// The kind of target.
    pub const fn kind(&self) -> TargetKind {
        self.kind
    }

    /// The target's name in reports.
    pub fn target_name(&self) -> &str {
        &self.target_name
    }

    /// The features of every row of a dataset that was joined.
    ///
    /// # Errors
    /// When the dataset lacks a column that features read, or has it with another type.
    pub fn table(&self, dataset: &Dataset) -> Result<FeatureTable, FeatureSetError> {
        FeatureTable::compute(&self.features, dataset)
    }

    /// The label of every row.
    ///
    /// # Errors
    /// When no row has one, or they do not fit the kind of target.
    ///
    /// # Panics
    /// When the dataset's columns are not those that the plan was compiled for.
    pub fn labels(&self, dataset: &Dataset) -> Result<Labels, LabelError> {
        assert_eq!(dataset.schema(), self.columns, "the plan was compiled for other columns");
        let rows: Vec<_> = (0..dataset.rows()).map(|row| dataset.row(row)).collect();
        let labels = Labels::of(self.kind, rows.iter().map(|row| self.label.evaluate(row)))?;
        Ok(labels.with_costs(self.costs).with_quantile(self.quantile))
    }

    /// The value of a column or feature in each of `rows`, as text: what slices are made of. None when neither is of that
    /// name.
    pub fn slice_values(&self, dataset: &Dataset, by: &str, rows: &[u32]) -> Option<Vec<Option<String>>> {
        let definition = self.features.definitions().iter().find(|definition| definition.name == by);
        let expression = match definition {
            Some(definition) => Expression::parse(&definition.expression).ok()?,
            None => Expression::column(by),
        };
        let bound = expression.bind(dataset.schema()).ok()?;
        let value = |row: &u32| bound.evaluate(&dataset.row(*row as usize)).into_text().map(Cow::into_owned);
        Some(rows.iter().map(value).collect())
    }
}

fn label_pointer(document: &ProblemDocument) -> String {
    match document.target.definition {
        Definition::Column(_) => "/target/column".to_owned(),
        Definition::Expression(_) => "/target/expression".to_owned(),
    }
}

fn bind_label(document: &ProblemDocument, columns: &[Column]) -> Result<Bound, String> {
    let bound = document.target.definition.expression().bind(columns).map_err(|error| error.to_string())?;
    match (document.target.kind, bound.value_type()) {
        (_, ValueType::Time) => Err("gives a time, which is no label".to_owned()),
        (TargetKind::Regression, ValueType::Text | ValueType::Boolean) => {
            Err(format!("gives {}, but a regression needs a number", bound.value_type()))
        }
        (TargetKind::Multiclass, ValueType::Boolean) => {
            Err("gives a boolean, which has two classes; a multiclass target needs three".to_owned())
        }
        _ => Ok(bound),
    }
}

/// A feature that reads the label's own column knows the answer.
fn gives_the_answer_away(document: &ProblemDocument, feature: &Expression) -> Option<String> {
    match &document.target.definition {
        Definition::Column(label) if feature.columns().contains(&label.as_str()) => {
            Some(format!("reads {label:?}, the label itself, which is not known when a prediction is asked for"))
        }
        _ => None,
    }
}

/// The columns that features and joins read, in the order of the dataset.
fn inputs(document: &ProblemDocument, columns: &[Column], joins: &Joins) -> Vec<Input> {
    let is_read = |column: &Column| {
        let name = column.name.as_str();
        document.features.iter().any(|feature| feature.expression.columns().contains(&name))
            || joins.keys().any(|key| key == name)
    };
    let is_remembered = |column: &Column| joins.remembered().any(|name| name == column.name);
    columns
        .iter()
        .filter(|column| is_read(column) || is_remembered(column))
        .map(|column| Input {
            column: column.clone(),
            time_format: time_format(document, column),
            optional: !is_read(column),
        })
        .collect()
}

/// Only the event time is written as the document says; other times are ISO 8601.
fn time_format(document: &ProblemDocument, column: &Column) -> TimeFormat {
    let is_event_time = document.data.event_time.as_deref() == Some(column.name.as_str());
    if column.column_type == ColumnType::Time && is_event_time { document.data.time_format } else { TimeFormat::Iso }
}

/// The text from which the expression is read again. A column that a document names bare may be no SQL by itself
/// (`fixed acidity`) or say something else (`a-b`), and is quoted.
fn readable(expression: &Expression) -> String {
    let text = expression.text();
    match Expression::parse(text) {
        Ok(read) if read == *expression => text.to_owned(),
        _ => format!("\"{}\"", text.replace('"', "\"\"")),
    }
}

fn definitions(document: &ProblemDocument) -> Vec<FeatureDefinition> {
    document
        .features
        .iter()
        .map(|feature| FeatureDefinition {
            name: feature.name.clone(),
            expression: readable(&feature.expression),
            feature_type: feature.feature_type,
            encoding: feature.encoding,
            values: match feature.encoding {
                Encoding::Ordinal => feature.values.clone().unwrap_or_default(),
                _ => Vec::new(),
            },
            nullable: feature.nullable,
        })
        .collect()
}
