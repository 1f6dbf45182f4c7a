//! The stored form of a dataset: Parquet with zstd, one file.

use std::fs::File;
use std::io::Write;
use std::sync::Arc;

use millrace_domain::schema::{Column, ColumnType};
use polars::prelude::{
    BatchedWriter, DataFrame, DataType, IntoColumn, ParquetCompression, ParquetWriter, Schema, Series,
    StatisticsOptions, TimeUnit, TimeZone,
};
use polars_arrow::array::Array;
use polars_arrow::datatypes::{ArrowDataType, Field, TimeUnit as ArrowTimeUnit};

use super::kept::Flow;
use super::{Cells, Dataset, DatasetError};
use crate::read::Input;
use crate::read::parquet::{self, Columns};

/// The stored form's compression.
const PARQUET: ParquetCompression = ParquetCompression::Zstd(None);
/// Rows that are written, and read again, together.
const GROUP: usize = 1 << 18;
/// Larger datasets are read a column at a time, as their cells are wanted.
pub(crate) const HELD_BYTES: usize = 256 << 20;

impl Dataset {
    /// The dataset as Parquet. Equal datasets give equal bytes.
    ///
    /// # Errors
    /// When polars refuses the columns.
    pub fn to_parquet(&self) -> Result<Vec<u8>, DatasetError> {
        let mut bytes = Vec::new();
        self.write_parquet(&mut bytes)?;
        Ok(bytes)
    }

    /// Writes the dataset as Parquet, a few rows at a time.
    ///
    /// # Errors
    /// When polars refuses the columns, or `to` takes no more.
    pub fn write_parquet(&self, to: impl Write + Send) -> Result<(), DatasetError> {
        let mut writer = FrameWriter::new(to, &self.schema, PARQUET)?;
        let mut flows: Vec<Flow<'_>> = self.stocks.iter().map(Flow::of).collect();
        for start in (0..self.rows).step_by(GROUP) {
            let rows = (self.rows - start).min(GROUP);
            writer.write(rows, flows.iter_mut().map(|flow| flow.next(rows)))?;
        }
        writer.finish().map(|_| ())
    }

    /// Restores what [`Self::to_parquet`] wrote; the digest is the same.
    ///
    /// # Errors
    /// When the bytes are damaged or hold types that a dataset has not.
    pub fn from_parquet(bytes: &[u8]) -> Result<Self, DatasetError> {
        Self::held(&Columns::open(Input::Bytes(bytes)).map_err(read_error)?)
    }

    /// As [`Self::from_parquet`], of a file that was found to be what was written; columns of a large one are read as their
    /// cells are wanted.
    ///
    /// # Errors
    /// When the file is damaged or holds types that a dataset has not.
    pub fn open(file: File) -> Result<Self, DatasetError> {
        Self::open_holding(file, HELD_BYTES)
    }

    pub(super) fn open_holding(file: File, held_bytes: usize) -> Result<Self, DatasetError> {
        let file = Arc::new(file);
        let columns = Columns::open(Input::File(&file)).map_err(read_error)?;
        if columns.bytes() <= held_bytes {
            return Self::held(&columns);
        }
        Self::of_stocks(columns.rows(), columns.stocks(&file).map_err(read_error)?)
    }

    /// All columns, in memory.
    fn held(columns: &Columns<'_>) -> Result<Self, DatasetError> {
        let parts = columns.each(|column| Ok((column.name().to_owned(), column.whole()?.0)));
        let parts: Vec<(String, Cells)> = parts.into_iter().collect::<Result<_, _>>().map_err(read_error)?;
        let dataset = Self::from_parts(parts)?;
        if dataset.rows == columns.rows() { Ok(dataset) } else { Err(contradiction()) }
    }
}

/// Writes columns as Parquet, some rows at a time.
pub(crate) struct FrameWriter<W: Write> {
    schema: Vec<Column>,
    writer: BatchedWriter<W>,
}

impl<W: Write + Send> FrameWriter<W> {
    pub(crate) fn new(to: W, schema: &[Column], compression: ParquetCompression) -> Result<Self, DatasetError> {
        let types: Schema =
            schema.iter().map(|column| (column.name.as_str().into(), data_type(column.column_type))).collect();
        let statistics = StatisticsOptions::empty();
        let writer = ParquetWriter::new(to).with_compression(compression).with_statistics(statistics);
        Ok(Self { schema: schema.to_vec(), writer: writer.batched(&types).map_err(write_error)? })
    }

    /// Writes the next `rows` cells of each column.
    pub(crate) fn write(&mut self, rows: usize, columns: impl Iterator<Item = Cells>) -> Result<(), DatasetError> {
        let columns = self.schema.iter().zip(columns).map(|(column, cells)| {
            let field = Field::new(column.name.as_str().into(), arrow_type(column.column_type), true);
            let array: Box<dyn Array> = match &cells {
                Cells::Time(times) => Box::new(times.clone().to(field.dtype.clone())),
                other => other.array().to_boxed(),
            };
            Series::try_from((&field, array)).map(IntoColumn::into_column)
        });
        let columns = columns.collect::<Result<_, _>>().map_err(write_error)?;
        let frame = DataFrame::new(rows, columns).map_err(write_error)?;
        self.writer.write_batch(&frame).map_err(write_error)
    }

    /// Ends the file.
    pub(crate) fn finish(self) -> Result<u64, DatasetError> {
        self.writer.finish().map_err(write_error)
    }
}

fn data_type(column_type: ColumnType) -> DataType {
    match column_type {
        ColumnType::Integer => DataType::Int64,
        ColumnType::Number => DataType::Float64,
        ColumnType::Boolean => DataType::Boolean,
        ColumnType::Time => DataType::Datetime(TimeUnit::Microseconds, Some(TimeZone::UTC)),
        ColumnType::Text => DataType::String,
    }
}

fn arrow_type(column_type: ColumnType) -> ArrowDataType {
    match column_type {
        ColumnType::Integer => ArrowDataType::Int64,
        ColumnType::Number => ArrowDataType::Float64,
        ColumnType::Boolean => ArrowDataType::Boolean,
        ColumnType::Time => ArrowDataType::Timestamp(ArrowTimeUnit::Microsecond, Some("UTC".into())),
        ColumnType::Text => ArrowDataType::Utf8View,
    }
}

fn write_error(error: polars::error::PolarsError) -> DatasetError {
    DatasetError::Write(error.to_string())
}

fn read_error(problem: parquet::Problem) -> DatasetError {
    DatasetError::Read(problem.to_string())
}

fn contradiction() -> DatasetError {
    DatasetError::Read("its parts contradict each other".to_owned())
}
