//! Rows after rows: an append load keeps the earlier rows as they are, in their order.

use millrace_domain::schema::ColumnType;
use polars_arrow::array::{BooleanArray, MutableBinaryViewArray, PrimitiveArray, Utf8ViewArray};
use polars_arrow::bitmap::Bitmap;
use polars_arrow::types::NativeType;

use super::{Cells, Dataset, DatasetError};

/// Doubles hold every whole number up to here.
const EXACT: u64 = 1 << 53;

/// Why rows cannot be put after others.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AppendError {
    /// A column is not among the new ones.
    #[error("column {0:?} is not in what is appended; add it, or load everything anew")]
    Absent(String),
    /// A new column.
    #[error("column {0:?} is new: the earlier rows do not have it; leave it out, or load everything anew")]
    Unknown(String),
    /// A column is of another type.
    #[error(
        "column {column:?} holds {before} in the earlier rows and {got} in what is appended; correct it, or load everything anew"
    )]
    Type {
        /// The column.
        column: String,
        /// Its type in the earlier rows.
        before: ColumnType,
        /// Its type in the new rows.
        got: ColumnType,
    },
    /// Too many rows together.
    #[error(transparent)]
    Dataset(#[from] DatasetError),
}

impl Dataset {
    /// These rows and after them those of `more`, whose columns are found by name. A column without any value fits every type, and
    /// whole numbers fit among numbers where doubles hold them exactly; nothing else is converted.
    ///
    /// # Errors
    /// When a column is absent, new, or of another type.
    pub fn append(&self, more: &Self) -> Result<Self, AppendError> {
        if let Some(new) = more.schema.iter().find(|column| self.slot(&column.name).is_none()) {
            return Err(AppendError::Unknown(new.name.clone()));
        }
        let mut parts = Vec::with_capacity(self.schema.len());
        for (column, before) in self.schema.iter().zip(&self.cells) {
            let slot = more.slot(&column.name).ok_or_else(|| AppendError::Absent(column.name.clone()))?;
            let after = more.cells(slot);
            let together = together(before, after).ok_or_else(|| AppendError::Type {
                column: column.name.clone(),
                before: column.column_type,
                got: after.column_type(),
            })?;
            parts.push((column.name.clone(), together));
        }
        Ok(Self::from_parts(parts)?)
    }
}

/// Cells after cells; none when the types do not fit.
fn together(before: &Cells, after: &Cells) -> Option<Cells> {
    let present = presence(before, after);
    let nothing = after.missing() == after.len();
    Some(match (before, after) {
        (Cells::Integer(a), Cells::Integer(b)) => Cells::Integer(numbers(a, b.values().iter().copied(), present)),
        (Cells::Time(a), Cells::Time(b)) => Cells::Time(numbers(a, b.values().iter().copied(), present)),
        (Cells::Number(a), Cells::Number(b)) => Cells::Number(numbers(a, b.values().iter().copied(), present)),
        (Cells::Number(a), Cells::Integer(b)) if b.iter().flatten().all(|whole| whole.unsigned_abs() <= EXACT) => {
            Cells::Number(numbers(a, b.values().iter().map(|whole| *whole as f64), present))
        }
        (Cells::Boolean(a), Cells::Boolean(b)) => {
            let values = a.values().iter().chain(b.values().iter()).collect();
            Cells::Boolean(BooleanArray::new(a.dtype().clone(), values, present))
        }
        (Cells::Text(a), Cells::Text(b)) => Cells::Text(texts(a, (0..b.len()).map(|row| b.value(row)), present)),
        (Cells::Integer(a), _) if nothing => Cells::Integer(numbers(a, (0..after.len()).map(|_| 0), present)),
        (Cells::Time(a), _) if nothing => Cells::Time(numbers(a, (0..after.len()).map(|_| 0), present)),
        (Cells::Number(a), _) if nothing => Cells::Number(numbers(a, (0..after.len()).map(|_| 0.0), present)),
        (Cells::Text(a), _) if nothing => Cells::Text(texts(a, (0..after.len()).map(|_| ""), present)),
        (Cells::Boolean(a), _) if nothing => {
            let values = a.values().iter().chain((0..after.len()).map(|_| false)).collect();
            Cells::Boolean(BooleanArray::new(a.dtype().clone(), values, present))
        }
        _ => return None,
    })
}

fn presence(before: &Cells, after: &Cells) -> Option<Bitmap> {
    let all = [before, after];
    (all.iter().any(|cells| cells.missing() > 0))
        .then(|| all.iter().flat_map(|cells| (0..cells.len()).map(|row| !cells.is_missing(row))).collect())
}

fn numbers<T: NativeType>(
    before: &PrimitiveArray<T>,
    after: impl Iterator<Item = T>,
    present: Option<Bitmap>,
) -> PrimitiveArray<T> {
    let values: Vec<T> = before.values().iter().copied().chain(after).collect();
    PrimitiveArray::new(before.dtype().clone(), values.into(), present)
}

fn texts<'a>(
    before: &'a Utf8ViewArray,
    after: impl ExactSizeIterator<Item = &'a str>,
    present: Option<Bitmap>,
) -> Utf8ViewArray {
    let mut cells = MutableBinaryViewArray::<str>::with_capacity(before.len() + after.len());
    for row in 0..before.len() {
        cells.push_value(before.value(row));
    }
    for text in after {
        cells.push_value(text);
    }
    Utf8ViewArray::from(cells).with_validity(present)
}

#[cfg(test)]
mod tests {
    use super::AppendError;
    use crate::dataset::{ColumnData, Dataset};

    fn dataset(x: ColumnData, name: ColumnData) -> Dataset {
        Dataset::from_parts([("x", x), ("name", name)]).unwrap()
    }

    fn first() -> Dataset {
        dataset(
            ColumnData::Number(vec![Some(0.5), None]),
            ColumnData::Text(vec![Some("a text of more than twelve bytes".to_owned()), None]),
        )
    }

    #[test]
    fn the_earlier_rows_stay_as_they_are() {
        let more = dataset(ColumnData::Integer(vec![Some(3)]), ColumnData::Text(vec![Some(String::new())]));
        let both = first().append(&more).unwrap();
        assert_eq!(both.take(&[0, 1]).digest(), first().digest());
        let whole = dataset(
            ColumnData::Number(vec![Some(0.5), None, Some(3.0)]),
            ColumnData::Text(vec![Some("a text of more than twelve bytes".to_owned()), None, Some(String::new())]),
        );
        assert_eq!(both.digest(), whole.digest());
    }

    #[test]
    fn a_column_without_values_fits_every_type() {
        let more = dataset(ColumnData::Text(vec![None]), ColumnData::Integer(vec![None]));
        let both = first().append(&more).unwrap();
        assert_eq!((both.schema(), both.rows()), (first().schema(), 3));
        assert!(both.cells(0).is_missing(2) && both.cells(1).is_missing(2));
    }

    #[test]
    fn nothing_is_converted_that_would_lose_something() {
        let text = || ColumnData::Text(vec![None]);
        let beyond = dataset(ColumnData::Integer(vec![Some((1 << 53) + 1)]), text());
        assert!(matches!(first().append(&beyond), Err(AppendError::Type { .. })));
        let time = dataset(ColumnData::Time(vec![Some(3)]), text());
        assert!(matches!(first().append(&time), Err(AppendError::Type { .. })));
    }

    #[test]
    fn columns_are_the_same() {
        let narrower = Dataset::from_parts([("x", ColumnData::Number(vec![None]))]).unwrap();
        assert_eq!(first().append(&narrower).unwrap_err(), AppendError::Absent("name".to_owned()));
        assert_eq!(narrower.append(&first()).unwrap_err(), AppendError::Unknown("name".to_owned()));
    }
}
