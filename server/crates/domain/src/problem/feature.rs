//! Features: the inputs of a model, how each is computed, what it may be, and how it is told to an estimator.

use serde::{Deserialize, Serialize};

use crate::expr::Expression;

/// The type of a model input.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FeatureType {
    /// A number; a boolean counts as 0 or 1.
    Number,
    /// One of a set of values.
    Category,
}

/// One model input.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Feature {
    /// Its name, unique in the document.
    pub name: String,
    /// What it means.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// How it is computed from the columns of one row.
    pub expression: Expression,
    /// Its type.
    #[serde(rename = "type")]
    pub feature_type: FeatureType,
    /// Smallest value allowed (numbers).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min: Option<f64>,
    /// Largest value allowed (numbers).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max: Option<f64>,
    /// The only values allowed (categories).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub values: Option<Vec<String>>,
    /// How it is told to an estimator.
    #[serde(skip_serializing_if = "Encoding::is_trainers")]
    pub encoding: Encoding,
    /// Whether it may be missing.
    pub nullable: bool,
    /// Largest share of rows in which it may be missing, if it is nullable.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_null_share: Option<f64>,
    /// Signed as known before the label is: it is then not held for a leak.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub known_before_label: bool,
}

/// How a feature is told to an estimator. Whatever is fitted is fitted on the training part alone.
///
/// A number is moved and scaled for linear models, which weigh sizes; trees read the order of numbers, which that does not
/// change, and are told them as they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Encoding {
    /// As suits the trainer: a number standardised for linear models; a category as a term a level for them, and as a code that
    /// trees split by sets of levels.
    #[default]
    Trainer,
    /// A number less its mean, over its population standard deviation.
    Standard,
    /// A number less its least value, over its range.
    MinMax,
    /// A number less its median, over the distance of its quartiles.
    Robust,
    /// A number as it is.
    AsIs,
    /// A category as a number a level, 1 for its own and 0 for the others, for trees as well.
    OneHot,
    /// A category as its place among its `values`, from 0.
    Ordinal,
    /// A category as the mean label of its level in the training part, drawn towards the mean of all where rows are few. Training
    /// rows are told the mean of other rows than themselves.
    Target,
}

impl Encoding {
    /// Every encoding with its word in documents, and what people call it.
    const ALL: [(&'static str, Self, &'static str); 8] = [
        ("trainer", Self::Trainer, "as suits the trainer"),
        ("standard", Self::Standard, "standardised"),
        ("min_max", Self::MinMax, "scaled to its range"),
        ("robust", Self::Robust, "scaled by its quartiles"),
        ("as_is", Self::AsIs, "as it is"),
        ("one_hot", Self::OneHot, "a number a level"),
        ("ordinal", Self::Ordinal, "in the order of its values"),
        ("target", Self::Target, "told by the label"),
    ];

    /// Whether it is the trainer's own.
    pub fn is_trainers(&self) -> bool {
        *self == Self::Trainer
    }

    /// Whether a feature of that type can be told so.
    pub const fn fits(self, feature_type: FeatureType) -> bool {
        match self {
            Self::Trainer => true,
            Self::Standard | Self::MinMax | Self::Robust | Self::AsIs => matches!(feature_type, FeatureType::Number),
            Self::OneHot | Self::Ordinal | Self::Target => matches!(feature_type, FeatureType::Category),
        }
    }

    /// What people call it.
    pub fn title(self) -> &'static str {
        Self::ALL.iter().find(|(_, encoding, _)| *encoding == self).map_or("", |(_, _, title)| title)
    }
}

#[cfg(feature = "parse")]
mod read {
    use std::collections::BTreeSet;

    use super::{Encoding, Feature, FeatureType};
    use crate::expr::Expression;
    use crate::metric::TargetKind;
    use crate::problem::Target;
    use crate::problem::walk::Table;

    /// More features than this are refused.
    const MOST_FEATURES: usize = 1_000;

    /// The features that a document names.
    pub(in crate::problem) fn features(table: &Table<'_>) -> Option<Vec<Feature>> {
        let tables = table.tables("features");
        if tables.is_empty() && !table.has("aggregates") {
            table.mistake("features", "is missing: a model needs at least one feature");
            return None;
        }
        if tables.len() > MOST_FEATURES {
            table.mistake("features", format!("has {} entries; at most {MOST_FEATURES} are allowed", tables.len()));
            return None;
        }
        let mut names = BTreeSet::new();
        let mut features = Vec::with_capacity(tables.len());
        for entry in &tables {
            let feature = feature(entry);
            if let Some(feature) = &feature
                && !names.insert(feature.name.clone())
            {
                entry.mistake("name", format!("{:?} names two features; names must differ", feature.name));
            }
            features.push(feature);
        }
        features.into_iter().collect()
    }

    /// What features and target may not say together.
    pub(in crate::problem) fn check(table: &Table<'_>, features: &[Feature], target: &Target) {
        if target.kind != TargetKind::Multiclass {
            return;
        }
        for (entry, _) in
            table.tables("features").iter().zip(features).filter(|(_, one)| one.encoding == Encoding::Target)
        {
            let message = "several classes have no one mean; target encoding is for two classes or a number";
            entry.mistake("encoding", message);
        }
    }

    fn feature(table: &Table<'_>) -> Option<Feature> {
        let name = table.line("name", 100);
        let description = if table.has("description") { table.line("description", 500) } else { None };
        let definition = match table.optional_text("expression") {
            Some(text) => Expression::parse(text).map_err(|error| table.mistake("expression", error.to_string())).ok(),
            None if table.has("expression") => None,
            None => name.as_deref().map(Expression::column),
        };
        let types = [("number", FeatureType::Number), ("category", FeatureType::Category)];
        let feature_type = table.word_of("type", &types, FeatureType::Number);
        let (min, max) = (table.optional_number("min"), table.optional_number("max"));
        let values = table.optional_texts("values");
        let encoding = feature_type.and_then(|feature_type| encoding(table, feature_type, values.as_deref()));
        let nullable = table.truth_or("nullable", false);
        let known_before_label = table.truth_or("known_before_label", false);
        let max_null_share =
            if table.has("max_null_share") { table.number_in("max_null_share", 0.0, 1.0, None) } else { None };
        if let (Some(min), Some(max)) = (min, max)
            && min > max
        {
            table.mistake("min", format!("{min} is greater than max {max}"));
        }
        match feature_type {
            Some(FeatureType::Number) if values.is_some() => {
                table.mistake("values", "belongs to a category; a number has min and max");
            }
            Some(FeatureType::Category) if min.or(max).is_some() => {
                table.mistake("min", "min and max belong to a number; a category has values");
            }
            _ => {}
        }
        if max_null_share.is_some() && !nullable {
            table.mistake("max_null_share", "needs nullable = true");
        }
        table.close();
        Some(Feature {
            name: name?,
            description,
            expression: definition?,
            feature_type: feature_type?,
            min,
            max,
            values,
            encoding: encoding?,
            nullable,
            max_null_share,
            known_before_label,
        })
    }

    fn encoding(table: &Table<'_>, feature_type: FeatureType, values: Option<&[String]>) -> Option<Encoding> {
        let words = Encoding::ALL.map(|(word, encoding, _)| (word, encoding));
        let encoding = table.word_of("encoding", &words, Encoding::Trainer)?;
        if !encoding.fits(feature_type) {
            let fitting: Vec<&str> =
                words.iter().filter(|(_, one)| one.fits(feature_type)).map(|(word, _)| *word).collect();
            let of = match feature_type {
                FeatureType::Number => "number",
                FeatureType::Category => "category",
            };
            table.mistake("encoding", format!("is not for a {of}, which can be {}", fitting.join(", ")));
            return None;
        }
        if encoding == Encoding::Ordinal {
            let different: BTreeSet<&String> = values.into_iter().flatten().collect();
            if different.len() < 2 || values.is_some_and(|values| values.len() != different.len()) {
                table.mistake("encoding", "ordinal needs values: two or more different ones, the least first");
                return None;
            }
        }
        Some(encoding)
    }
}

#[cfg(feature = "parse")]
pub(super) use read::{check, features};

#[cfg(all(test, feature = "parse"))]
mod tests {
    use super::Encoding;
    use crate::problem::{Mistake, ProblemDocument};

    fn read(kind: &str, feature: &str) -> Result<ProblemDocument, Vec<Mistake>> {
        let metric = if kind == "binary" { "roc_auc" } else { "accuracy" };
        ProblemDocument::parse(&format!(
            "slug = \"trips\"\ntitle = \"T\"\ndecision = \"D\"\ntarget = {{ name = \"y\", kind = \"{kind}\", column = \"y\" }}\n\
             data = {{ split = {{ kind = \"random\", validation = 0.2, test = 0.2, seed = 1 }} }}\n\
             success = {{ metric = \"{metric}\", at_least = 0.6 }}\nfeatures = [{{ name = \"x\", {feature} }}]\n"
        ))
    }

    fn mistake(kind: &str, feature: &str) -> (String, String) {
        let mistakes = read(kind, feature).expect_err("the feature is mistaken");
        (mistakes[0].pointer.clone(), mistakes[0].message.clone())
    }

    #[test]
    fn every_encoding_is_read_back_and_makes_another_feature_set() {
        let plain = read("binary", "type = \"number\"").unwrap();
        for (word, encoding, _) in Encoding::ALL {
            let feature = match encoding {
                Encoding::OneHot | Encoding::Target => format!("type = \"category\", encoding = \"{word}\""),
                Encoding::Ordinal => {
                    format!("type = \"category\", encoding = \"{word}\", values = [\"low\", \"high\"]")
                }
                _ => format!("encoding = \"{word}\""),
            };
            let document = read("binary", &feature).unwrap_or_else(|mistakes| panic!("{word}: {mistakes:?}"));
            assert_eq!(document.features[0].encoding, encoding);
            let same = document.feature_set_digest() == plain.feature_set_digest();
            assert_eq!(same, encoding == Encoding::Trainer, "{word}");
            assert_eq!(ProblemDocument::from_json(&document.to_json()), Ok(document), "{word}");
        }
    }

    #[test]
    fn an_encoding_that_does_not_fit_its_feature_is_refused_with_those_that_do() {
        let (pointer, message) = mistake("binary", "encoding = \"one_hot\"");
        assert_eq!(pointer, "/features/0/encoding");
        assert!(message.contains("trainer, standard, min_max, robust, as_is"), "{message}");
        let (pointer, message) = mistake("binary", "type = \"category\", encoding = \"robust\"");
        assert_eq!(pointer, "/features/0/encoding");
        assert!(message.contains("trainer, one_hot, ordinal, target"), "{message}");
    }

    #[test]
    fn an_order_must_be_said() {
        for values in ["", ", values = [\"low\"]", ", values = [\"low\", \"low\"]"] {
            let (pointer, _) = mistake("binary", &format!("type = \"category\", encoding = \"ordinal\"{values}"));
            assert_eq!(pointer, "/features/0/encoding");
        }
    }

    #[test]
    fn a_category_is_told_by_the_label_where_that_is_one_number() {
        let (pointer, _) = mistake("multiclass", "type = \"category\", encoding = \"target\"");
        assert_eq!(pointer, "/features/0/encoding");
    }
}
