//! Growing typed columns cell by cell.

use millrace_domain::schema::ColumnType;
use polars_arrow::array::{BooleanArray, MutableBinaryViewArray, PrimitiveArray, Utf8ViewArray};
use polars_arrow::bitmap::{Bitmap, MutableBitmap};
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

    /// About how many bytes its cells take.
    pub(crate) fn bytes(&self) -> usize {
        match self {
            Self::Integer(cells, _) | Self::Time(cells, _) => cells.len() * 8,
            Self::Number(cells, _) => cells.len() * 8,
            Self::Boolean(cells, _) => cells.len() / 8,
            Self::Text(cells, _) => cells.len() * 16 + cells.total_buffer_len(),
            Self::Abandoned => 0,
        }
    }

    /// The cells; none when it gave up.
    pub(crate) fn freeze(self) -> Option<Cells> {
        Some(match self {
            Self::Integer(cells, presence) => {
                Cells::Integer(PrimitiveArray::new(ArrowDataType::Int64, cells.into(), presence.freeze()))
            }
            Self::Time(cells, presence) => {
                Cells::Time(PrimitiveArray::new(ArrowDataType::Int64, cells.into(), presence.freeze()))
            }
            Self::Number(cells, presence) => {
                Cells::Number(PrimitiveArray::new(ArrowDataType::Float64, cells.into(), presence.freeze()))
            }
            Self::Boolean(cells, presence) => {
                Cells::Boolean(BooleanArray::new(ArrowDataType::Boolean, cells.freeze(), presence.freeze()))
            }
            Self::Text(cells, presence) => Cells::Text(Utf8ViewArray::from(cells).with_validity(presence.freeze())),
            Self::Abandoned => return None,
        })
    }
}
