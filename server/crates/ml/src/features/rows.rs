//! Many rows of a table, encoded: each level of a category once, however many rows have it.

use std::borrow::Cow;

use super::encode::{Encoders, FeatureEncoder, Told};
use super::set::FeatureValue;
use super::table::{FeatureColumn, FeatureTable, MISSING};

/// What encodes a value of the feature whose first term or column is the given one.
type Encode<T> = fn(&FeatureEncoder, usize, &FeatureValue<'_>, &mut Vec<T>);

/// How the rows of a table are encoded.
pub(crate) struct EncodedRows<'a, T> {
    features: Vec<(&'a FeatureEncoder, usize, Cells<'a, T>)>,
    encode: Encode<T>,
}

/// The values of one feature.
enum Cells<'a, T> {
    Numbers(&'a [f64]),
    /// Numbers that training rows are told, by their positions.
    Told(&'a [f64]),
    /// The last of what levels are encoded as is for a missing value.
    Levels {
        codes: &'a [u32],
        encoded: Vec<Vec<T>>,
    },
    /// Of what is many numbers a level, no level is kept encoded.
    Wide {
        codes: &'a [u32],
        levels: &'a [String],
    },
}

impl Encoders {
    /// The rows of a table as trees branch on them: as many numbers a row as [`Self::columns`]. Training rows are told what `told` has.
    pub(crate) fn for_trees_in<'a>(&'a self, table: &'a FeatureTable, told: Option<&'a Told>) -> EncodedRows<'a, f32> {
        self.rows_of(table, told, FeatureEncoder::columns, |encoder, _, value, row| encoder.for_trees(value, row))
    }

    /// The rows of a table as linear models add them up: position and size of the terms that are not zero.
    pub(crate) fn for_linear_in<'a>(
        &'a self,
        table: &'a FeatureTable,
        told: Option<&'a Told>,
    ) -> EncodedRows<'a, (u32, f64)> {
        self.rows_of(table, told, FeatureEncoder::terms, |encoder, first, value, row| {
            encoder.for_linear(value, |position, size| {
                if size != 0.0 {
                    row.push(((first + position) as u32, size));
                }
            });
        })
    }

    fn rows_of<'a, T>(
        &'a self,
        table: &'a FeatureTable,
        told: Option<&'a Told>,
        width: fn(&FeatureEncoder) -> usize,
        encode: Encode<T>,
    ) -> EncodedRows<'a, T> {
        let mut next = 0;
        let feature = |(place, (encoder, column)): (usize, (&'a FeatureEncoder, &'a FeatureColumn))| {
            let first = next;
            next += width(encoder);
            let encoded = |value: FeatureValue<'_>| {
                let mut own = Vec::new();
                encode(encoder, first, &value, &mut own);
                own
            };
            let cells = match (column, told.and_then(|told| told.of(place))) {
                (_, Some(told)) => Cells::Told(told),
                (FeatureColumn::Number(numbers), None) => Cells::Numbers(numbers),
                (FeatureColumn::Category { levels, codes }, None) if matches!(encoder, FeatureEncoder::OneHot(_)) => {
                    Cells::Wide { codes, levels }
                }
                (FeatureColumn::Category { levels, codes }, None) => {
                    let levels = levels.iter().map(|level| FeatureValue::Category(Cow::Borrowed(level)));
                    Cells::Levels { codes, encoded: levels.chain([FeatureValue::Missing]).map(encoded).collect() }
                }
            };
            (encoder, first, cells)
        };
        let features = self.features().iter().zip(table.columns()).enumerate().map(feature).collect();
        EncodedRows { features, encode }
    }
}

impl<T: Copy> EncodedRows<'_, T> {
    /// Adds what a row of the table is encoded as. `position` is its place among the training rows, where it is one.
    pub(crate) fn add(&self, position: usize, row: u32, into: &mut Vec<T>) {
        let row = row as usize;
        for (encoder, first, cells) in &self.features {
            match cells {
                Cells::Numbers(numbers) if numbers[row].is_nan() => {
                    (self.encode)(encoder, *first, &FeatureValue::Missing, into);
                }
                Cells::Numbers(numbers) => (self.encode)(encoder, *first, &FeatureValue::Number(numbers[row]), into),
                Cells::Told(told) => (self.encode)(encoder, *first, &FeatureValue::Number(told[position]), into),
                Cells::Levels { codes, encoded } => {
                    let place = if codes[row] == MISSING { encoded.len() - 1 } else { codes[row] as usize };
                    into.extend_from_slice(&encoded[place]);
                }
                Cells::Wide { codes, levels } => {
                    let level = levels.get(codes[row] as usize);
                    let value =
                        level.map_or(FeatureValue::Missing, |level| FeatureValue::Category(Cow::Borrowed(level)));
                    (self.encode)(encoder, *first, &value, into);
                }
            }
        }
    }

    /// What several rows are encoded as, one after the other.
    pub(crate) fn all(&self, rows: &[u32]) -> Vec<T> {
        let mut all = Vec::new();
        for (position, row) in rows.iter().enumerate() {
            self.add(position, *row, &mut all);
            if position == 0 {
                all.reserve_exact(all.len() * (rows.len() - 1));
            }
        }
        all
    }
}
