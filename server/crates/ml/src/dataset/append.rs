//! Rows after rows: an append load keeps the earlier rows as they are, in their order.

use millrace_domain::schema::ColumnType;

use super::kept::{Stock, missing};
use super::{Cells, ColumnData, Dataset, DatasetError};

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
        for (column, before) in self.schema.iter().zip(&self.stocks) {
            let slot = more.slot(&column.name).ok_or_else(|| AppendError::Absent(column.name.clone()))?;
            let after = fitted(&more.stocks[slot], column.column_type).ok_or_else(|| AppendError::Type {
                column: column.name.clone(),
                before: column.column_type,
                got: more.schema[slot].column_type,
            })?;
            parts.push((column.name.clone(), before.then(&after)));
        }
        Ok(Self::of_stocks(self.rows + more.rows, parts)?)
    }
}

/// The cells as those of that type; none when they do not fit.
fn fitted(after: &Stock, column_type: ColumnType) -> Option<Stock> {
    if after.column_type == column_type {
        return Some(after.clone());
    }
    let cells = after.lend();
    let rows = cells.len();
    if cells.missing() == rows {
        return Some(missing(column_type, rows).into());
    }
    match (&cells, column_type) {
        (Cells::Integer(whole), ColumnType::Number)
            if whole.iter().flatten().all(|whole| whole.unsigned_abs() <= EXACT) =>
        {
            let numbers: Vec<Option<f64>> = whole.iter().map(|whole| whole.map(|whole| *whole as f64)).collect();
            Some(Cells::from(ColumnData::Number(numbers)).into())
        }
        _ => None,
    }
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
