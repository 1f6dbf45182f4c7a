//! Growing typed columns cell by cell.

use millrace_domain::schema::ColumnType;
use polars_arrow::array::{Array, BooleanArray, MutableBinaryViewArray, PrimitiveArray, Utf8ViewArray};
use polars_arrow::bitmap::{Bitmap, MutableBitmap};
use polars_arrow::compute::concatenate::concatenate_unchecked;
use polars_arrow::datatypes::ArrowDataType;

use super::cell::Reading;
use crate::dataset::Cells;

/// The cells of one column of one chunk, as far as they fit the type that was expected.
#[derive(Debug)]
pub(crate) enum Builder {
    Integer(Vec<i64>, Presence),
    Number(Vec<f64>, Presence),
    Boolean(MutableBitmap, Presence),
    Time(Vec<i64>, Presence),
    Text(MutableBinaryViewArray<str>, Presence),
    /// A cell did not fit: the column must be read again once its type is known.
    Abandoned,
}

/// Which cells have a value; nothing is written down until the first has none.
#[derive(Debug, Default)]
pub(crate) struct Presence {
    length: usize,
    marks: Option<MutableBitmap>,
}

impl Presence {
    #[inline]
    fn push(&mut self, present: bool) {
        match &mut self.marks {
            Some(marks) => marks.push(present),
            None if present => {}
            None => {
                let mut marks = MutableBitmap::from_len_set(self.length);
                marks.push(false);
                self.marks = Some(marks);
            }
        }
        self.length += 1;
    }

    fn freeze(self) -> Option<Bitmap> {
        self.marks.map(MutableBitmap::freeze)
    }
}

impl Builder {
    /// Room for about `rows` cells of that type.
    pub(crate) fn new(column_type: ColumnType, rows: usize) -> Self {
        let presence = Presence::default();
        match column_type {
            ColumnType::Integer => Self::Integer(Vec::with_capacity(rows), presence),
            ColumnType::Number => Self::Number(Vec::with_capacity(rows), presence),
            ColumnType::Boolean => Self::Boolean(MutableBitmap::with_capacity(rows), presence),
            ColumnType::Time => Self::Time(Vec::with_capacity(rows), presence),
            ColumnType::Text => Self::Text(MutableBinaryViewArray::with_capacity(rows), presence),
        }
    }

    /// Takes the next cell, or gives up when it does not fit.
    #[inline]
    pub(crate) fn push(&mut self, reading: Reading, text: &str) {
        use Reading as R;
        let absent = matches!(reading, R::Missing | R::EmptyText | R::Blank | R::Mark);
        match (&mut *self, reading) {
            (Self::Text(cells, presence), reading) => {
                let missing = reading == R::Missing;
                cells.push_value_ignore_validity(if missing { "" } else { text });
                presence.push(!missing);
            }
            (Self::Integer(cells, presence), R::Integer(value)) => {
                cells.push(value);
                presence.push(true);
            }
            (Self::Number(cells, presence), R::Decimal(value) | R::BigInteger(value)) => {
                cells.push(value);
                presence.push(true);
            }
            (Self::Number(cells, presence), R::Integer(value)) => {
                cells.push(value as f64);
                presence.push(true);
            }
            (Self::Time(cells, presence), R::LocalTime(micros) | R::ZonedTime(micros)) => {
                cells.push(micros);
                presence.push(true);
            }
            (Self::Boolean(cells, presence), R::Boolean(truth)) => {
                cells.push(truth);
                presence.push(true);
            }
            (Self::Integer(cells, presence) | Self::Time(cells, presence), _) if absent => {
                cells.push(0);
                presence.push(false);
            }
            (Self::Number(cells, presence), _) if absent => {
                cells.push(0.0);
                presence.push(false);
            }
            (Self::Boolean(cells, presence), _) if absent => {
                cells.push(false);
                presence.push(false);
            }
            _ => *self = Self::Abandoned,
        }
    }

    /// The type of its cells; none when it gave up.
    pub(crate) fn column_type(&self) -> Option<ColumnType> {
        match self {
            Self::Integer(..) => Some(ColumnType::Integer),
            Self::Number(..) => Some(ColumnType::Number),
            Self::Boolean(..) => Some(ColumnType::Boolean),
            Self::Time(..) => Some(ColumnType::Time),
            Self::Text(..) => Some(ColumnType::Text),
            Self::Abandoned => None,
        }
    }

    /// The cells as an Arrow array; none when it gave up.
    fn freeze(self) -> Option<Box<dyn Array>> {
        Some(match self {
            Self::Integer(cells, presence) | Self::Time(cells, presence) => {
                PrimitiveArray::new(ArrowDataType::Int64, cells.into(), presence.freeze()).boxed()
            }
            Self::Number(cells, presence) => {
                PrimitiveArray::new(ArrowDataType::Float64, cells.into(), presence.freeze()).boxed()
            }
            Self::Boolean(cells, presence) => {
                BooleanArray::new(ArrowDataType::Boolean, cells.freeze(), presence.freeze()).boxed()
            }
            Self::Text(cells, presence) => Utf8ViewArray::from(cells).with_validity(presence.freeze()).boxed(),
            Self::Abandoned => return None,
        })
    }
}

/// The parts of one column, in order, as one run of cells; none unless all parts are of `column_type`.
pub(crate) fn join(parts: Vec<Builder>, column_type: ColumnType) -> Option<Cells> {
    if parts.iter().any(|part| part.column_type() != Some(column_type)) {
        return None;
    }
    let mut arrays: Vec<Box<dyn Array>> = parts.into_iter().filter_map(Builder::freeze).collect();
    let array = if arrays.len() == 1 { arrays.pop()? } else { concatenate_unchecked(&arrays).ok()? };
    downcast(array.as_ref(), column_type)
}

/// A column without a value.
pub(crate) fn missing(cells: u64) -> Cells {
    Cells::Text(Utf8ViewArray::new_null(ArrowDataType::Utf8View, cells as usize))
}

/// An Arrow array as cells of that type; none when it is of another.
pub(crate) fn downcast(array: &dyn Array, column_type: ColumnType) -> Option<Cells> {
    let any = array.as_any();
    match column_type {
        ColumnType::Integer => any.downcast_ref().cloned().map(Cells::Integer),
        ColumnType::Number => any.downcast_ref().cloned().map(Cells::Number),
        ColumnType::Boolean => any.downcast_ref().cloned().map(Cells::Boolean),
        ColumnType::Time => any.downcast_ref().cloned().map(Cells::Time),
        ColumnType::Text => any.downcast_ref().cloned().map(Cells::Text),
    }
}
