//! What a live model is asked and answers, in the words of the Open Inference protocol.

use millrace_domain::metric::TargetKind;
use millrace_domain::schema::ColumnType;
use serde::Serialize;
use utoipa::ToSchema;

use crate::Serving;

/// A model.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Metadata {
    /// The problem's slug.
    pub name: String,
    /// The versions that answer callers: the live one, and the one that is on its way.
    pub versions: Vec<String>,
    /// What runs it.
    pub platform: &'static str,
    /// What it is asked.
    pub inputs: Vec<Tensor>,
    /// What it answers.
    pub outputs: Vec<Tensor>,
}

/// A column of inputs or answers.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Tensor {
    /// Its name.
    pub name: String,
    /// `BOOL`, `INT64`, `FP64` or `BYTES`.
    pub datatype: &'static str,
    /// As many rows as are sent.
    pub shape: [i64; 1],
}

fn tensor(name: impl Into<String>, datatype: &'static str) -> Tensor {
    Tensor { name: name.into(), datatype, shape: [-1] }
}

impl Serving {
    /// Whether the model of a problem answers: it is live and not switched off.
    pub fn is_answering(&self, slug: &str) -> bool {
        self.routes.find(slug).is_some() && self.routes.fallback(slug).is_none()
    }

    /// What the live model of a problem is asked and answers; none when nothing is live.
    pub fn metadata(&self, slug: &str) -> Option<Metadata> {
        let route = self.routes.find(slug)?;
        let model = &route.champion.model;
        let inputs = model.inputs().iter().map(|input| {
            let datatype = match input.column.column_type {
                ColumnType::Boolean => "BOOL",
                ColumnType::Integer => "INT64",
                ColumnType::Number => "FP64",
                ColumnType::Text | ColumnType::Time => "BYTES",
            };
            tensor(input.column.name.clone(), datatype)
        });
        let outputs = match model.kind() {
            TargetKind::Binary => vec![tensor("score", "FP64"), tensor("label", "BYTES")],
            TargetKind::Multiclass => vec![tensor("label", "BYTES"), tensor("probabilities", "FP64")],
            TargetKind::Regression => vec![tensor("value", "FP64")],
        };
        let candidate = route.trial.as_ref().map(|trial| trial.candidate.number);
        let mut versions = vec![route.champion.number.to_string()];
        versions.extend(candidate.filter(|number| *number != route.champion.number).map(|number| number.to_string()));
        Some(Metadata { name: slug.to_owned(), versions, platform: "millrace", inputs: inputs.collect(), outputs })
    }
}
