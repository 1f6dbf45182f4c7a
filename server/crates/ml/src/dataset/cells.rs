//! The cells of one column, typed.

use std::borrow::Cow;

use millrace_domain::schema::{ColumnType, Value};
use polars_arrow::array::{Array, BooleanArray, MutableBinaryViewArray, PrimitiveArray, Utf8ViewArray};
use polars_arrow::bitmap::Bitmap;

/// The cells of one column, in row order. Missing cells are marked in a bitmap; what lies under the mark has no meaning.
#[derive(Debug, Clone)]
pub enum Cells {
    /// Whole numbers.
    Integer(PrimitiveArray<i64>),
    /// Finite numbers.
    Number(PrimitiveArray<f64>),
    /// Truth values.
    Boolean(BooleanArray),
    /// Microseconds since 1970-01-01 UTC.
    Time(PrimitiveArray<i64>),
    /// Texts.
    Text(Utf8ViewArray),
}

/// The cells of one column as plain values, for building a dataset by hand.
#[derive(Debug, Clone, PartialEq)]
pub enum ColumnData {
    /// Whole numbers.
    Integer(Vec<Option<i64>>),
    /// Finite numbers.
    Number(Vec<Option<f64>>),
    /// Truth values.
    Boolean(Vec<Option<bool>>),
    /// Microseconds since 1970-01-01 UTC.
    Time(Vec<Option<i64>>),
    /// Texts.
    Text(Vec<Option<String>>),
}

impl Cells {
    /// How many there are.
    pub fn len(&self) -> usize {
        self.array().len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many are missing.
    pub fn missing(&self) -> usize {
        self.array().null_count()
    }

    /// Their type.
    pub const fn column_type(&self) -> ColumnType {
        match self {
            Self::Integer(_) => ColumnType::Integer,
            Self::Number(_) => ColumnType::Number,
            Self::Boolean(_) => ColumnType::Boolean,
            Self::Time(_) => ColumnType::Time,
            Self::Text(_) => ColumnType::Text,
        }
    }

    /// Which cells have a value; none when all have.
    pub fn validity(&self) -> Option<&Bitmap> {
        self.array().validity()
    }

    /// Whether the cell of `row` is missing.
    #[inline]
    pub fn is_missing(&self, row: usize) -> bool {
        self.validity().is_some_and(|present| !present.get_bit(row))
    }

    /// The cell of `row`, as expressions see it: integers are widened to doubles.
    ///
    /// # Panics
    /// When there is no such row.
    #[inline]
    pub fn value(&self, row: usize) -> Value<'_> {
        if self.is_missing(row) {
            return Value::Null;
        }
        match self {
            Self::Integer(cells) => Value::Number(cells.values()[row] as f64),
            Self::Number(cells) => Value::Number(cells.values()[row]),
            Self::Boolean(cells) => Value::Boolean(cells.values().get_bit(row)),
            Self::Time(cells) => Value::Time(cells.values()[row]),
            Self::Text(cells) => Value::Text(Cow::Borrowed(cells.value(row))),
        }
    }

    /// The cells of `rows`, in that order.
    pub fn take(&self, rows: &[u32]) -> Self {
        let validity =
            self.validity().map(|present| rows.iter().map(|row| present.get_bit(*row as usize)).collect::<Bitmap>());
        match self {
            Self::Integer(cells) => Self::Integer(gather(cells, rows, validity)),
            Self::Number(cells) => Self::Number(gather(cells, rows, validity)),
            Self::Time(cells) => Self::Time(gather(cells, rows, validity)),
            Self::Boolean(cells) => {
                let values = rows.iter().map(|row| cells.values().get_bit(*row as usize)).collect();
                Self::Boolean(BooleanArray::new(cells.dtype().clone(), values, validity))
            }
            Self::Text(cells) => {
                let mut taken = MutableBinaryViewArray::<str>::with_capacity(rows.len());
                for row in rows {
                    taken.push_value(cells.value(*row as usize));
                }
                Self::Text(Utf8ViewArray::from(taken).with_validity(validity))
            }
        }
    }

    /// The cells of `rows`, in that order; `u32::MAX` gives a missing one.
    pub fn take_or_missing(&self, rows: &[u32]) -> Self {
        if self.is_empty() {
            return super::missing(self.column_type(), rows.len());
        }
        if self.missing() == 0 && !rows.contains(&u32::MAX) {
            return self.take(rows);
        }
        let present: Bitmap = rows.iter().map(|row| *row != u32::MAX && !self.is_missing(*row as usize)).collect();
        let found: Vec<u32> = rows.iter().map(|row| if *row == u32::MAX { 0 } else { *row }).collect();
        match self.take(&found) {
            Self::Integer(cells) => Self::Integer(cells.with_validity(Some(present))),
            Self::Number(cells) => Self::Number(cells.with_validity(Some(present))),
            Self::Boolean(cells) => Self::Boolean(cells.with_validity(Some(present))),
            Self::Time(cells) => Self::Time(cells.with_validity(Some(present))),
            Self::Text(cells) => Self::Text(cells.with_validity(Some(present))),
        }
    }

    /// `rows` of them from `start` on, without copying.
    pub(crate) fn slice(&self, start: usize, rows: usize) -> Self {
        let column_type = self.column_type();
        Self::of_array(self.array().sliced(start, rows).as_ref(), column_type).expect("a slice has its array's type")
    }

    /// The column as an Arrow array.
    pub(crate) fn array(&self) -> &dyn Array {
        match self {
            Self::Integer(cells) | Self::Time(cells) => cells,
            Self::Number(cells) => cells,
            Self::Boolean(cells) => cells,
            Self::Text(cells) => cells,
        }
    }
}

fn gather<T: polars_arrow::types::NativeType>(
    cells: &PrimitiveArray<T>,
    rows: &[u32],
    validity: Option<Bitmap>,
) -> PrimitiveArray<T> {
    let values: Vec<T> = rows.iter().map(|row| cells.values()[*row as usize]).collect();
    PrimitiveArray::new(cells.dtype().clone(), values.into(), validity)
}

impl From<ColumnData> for Cells {
    fn from(data: ColumnData) -> Self {
        match data {
            ColumnData::Integer(cells) => Self::Integer(cells.into_iter().collect()),
            ColumnData::Number(cells) => Self::Number(cells.into_iter().collect()),
            ColumnData::Boolean(cells) => Self::Boolean(cells.into_iter().collect()),
            ColumnData::Time(cells) => Self::Time(cells.into_iter().collect()),
            ColumnData::Text(cells) => Self::Text(Utf8ViewArray::from_slice(cells)),
        }
    }
}
