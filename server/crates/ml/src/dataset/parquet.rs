//! The stored form of a dataset: Parquet with zstd, one file.

use std::io::Cursor;
use std::panic::catch_unwind;

use millrace_domain::schema::ColumnType;
use polars::prelude::{
    DataFrame, DataType, IntoColumn, ParquetCompression, ParquetReader, ParquetWriter, SerReader, Series,
};
use polars_arrow::array::{Array, BooleanArray, PrimitiveArray, Utf8ViewArray};
use polars_arrow::datatypes::{ArrowDataType, Field, TimeUnit};

use super::{Cells, Dataset, DatasetError};

impl Dataset {
    /// The dataset as a polars frame, without copying cells; times are microseconds in UTC.
    ///
    /// # Errors
    /// When polars refuses the columns.
    pub fn to_frame(&self) -> Result<DataFrame, DatasetError> {
        let columns = self.schema.iter().zip(&self.cells).map(|(column, cells)| {
            let field = Field::new(column.name.as_str().into(), arrow_type(column.column_type), true);
            let array: Box<dyn Array> = match cells {
                Cells::Time(times) => Box::new(times.clone().to(field.dtype.clone())),
                other => other.array().to_boxed(),
            };
            Series::try_from((&field, array)).map(IntoColumn::into_column)
        });
        let columns = columns.collect::<Result<_, _>>().map_err(write_error)?;
        DataFrame::new(self.rows, columns).map_err(write_error)
    }

    /// The dataset as Parquet. Equal datasets give equal bytes.
    ///
    /// # Errors
    /// When polars refuses the columns.
    pub fn to_parquet(&self) -> Result<Vec<u8>, DatasetError> {
        let mut bytes = Vec::new();
        ParquetWriter::new(&mut bytes)
            .with_compression(ParquetCompression::Zstd(None))
            .finish(&mut self.to_frame()?)
            .map_err(write_error)?;
        Ok(bytes)
    }

    /// Restores what [`Self::to_parquet`] wrote; the digest is the same.
    ///
    /// # Errors
    /// When the bytes are damaged or hold types that a dataset has not.
    pub fn from_parquet(bytes: &[u8]) -> Result<Self, DatasetError> {
        // The decoder panics on some damaged files; here that is damage like any other.
        let frame = catch_unwind(|| ParquetReader::new(Cursor::new(bytes)).finish())
            .map_err(|_| DatasetError::Read("its parts contradict each other".to_owned()))?
            .map_err(|error| DatasetError::Read(error.to_string()))?;
        let parts: Vec<(String, Cells)> = frame
            .into_columns()
            .into_iter()
            .map(|column| restore(&column.take_materialized_series()))
            .collect::<Result<_, DatasetError>>()?;
        Self::from_parts(parts)
    }
}

fn restore(series: &Series) -> Result<(String, Cells), DatasetError> {
    let series = series.rechunk();
    let wrong = || DatasetError::Read(format!("column {:?} is of type {}", series.name(), series.dtype()));
    let array = series.chunks().first().ok_or_else(wrong)?.as_any();
    let cells = match series.dtype() {
        DataType::Int64 => array.downcast_ref::<PrimitiveArray<i64>>().cloned().map(Cells::Integer),
        DataType::Float64 => array.downcast_ref::<PrimitiveArray<f64>>().cloned().map(Cells::Number),
        DataType::Boolean => array.downcast_ref::<BooleanArray>().cloned().map(Cells::Boolean),
        DataType::Datetime(polars::prelude::TimeUnit::Microseconds, _) => {
            array.downcast_ref::<PrimitiveArray<i64>>().cloned().map(Cells::Time)
        }
        DataType::String => array.downcast_ref::<Utf8ViewArray>().cloned().map(Cells::Text),
        _ => None,
    };
    Ok((series.name().to_string(), cells.ok_or_else(wrong)?))
}

fn arrow_type(column_type: ColumnType) -> ArrowDataType {
    match column_type {
        ColumnType::Integer => ArrowDataType::Int64,
        ColumnType::Number => ArrowDataType::Float64,
        ColumnType::Boolean => ArrowDataType::Boolean,
        ColumnType::Time => ArrowDataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
        ColumnType::Text => ArrowDataType::Utf8View,
    }
}

fn write_error(error: polars::error::PolarsError) -> DatasetError {
    DatasetError::Write(error.to_string())
}
