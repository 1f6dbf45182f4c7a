//! Parquet: decoded column by column into the types of a dataset.
//!
//! Dictionaries are texts, integers of any width are whole numbers, dates and timestamps of any unit and zone are times,
//! decimals are numbers. Lists, structs, maps, times of day, durations and raw bytes are refused by name.

use std::collections::BTreeMap;
use std::io::Cursor;
use std::panic::{AssertUnwindSafe, catch_unwind};

use polars_arrow::array::Array;
use polars_arrow::compute::concatenate::concatenate_unchecked;
use polars_arrow::datatypes::{ArrowDataType, Field};
use polars_parquet::read::{
    BasicDecompressor, ColumnChunkMetadata, FileMetadata, PageReader, column_iter_to_arrays, infer_schema,
    read_metadata,
};
use rayon::prelude::*;

use super::csv::{Problems, Table};
use super::error::{Place, Problem, Rule};
use super::{ReadOptions, arrow, names};
use crate::dataset::Cells;

/// The first and last bytes of a Parquet file.
pub(crate) const MAGIC: &[u8] = b"PAR1";

/// A column and what was noticed about it.
type Converted = (Cells, Vec<String>);

/// Reads Parquet.
///
/// # Errors
/// When the data is damaged, a cap is passed, a column's name or type is not accepted, or a number is infinite.
pub(crate) fn read(bytes: &[u8], options: &ReadOptions) -> Result<Table, Problems> {
    let alone = |problem: Problem| (vec![problem], 0);
    let (metadata, fields) = guarded(|| open(bytes)).map_err(alone)?;
    let limits = &options.limits;
    if fields.len() > limits.columns {
        return Err(alone(Rule::TooManyColumns { limit: limits.columns }.anywhere()));
    }
    check_sizes(&metadata, bytes.len(), limits.total_bytes).map_err(alone)?;
    let written: Vec<String> = fields.iter().map(|field| field.name.to_string()).collect();
    let named = names::check(&written, limits.name_chars).map_err(|problems| (problems, 0))?;
    if metadata.num_rows == 0 || fields.is_empty() {
        return Err(alone(Rule::NoRows.anywhere()));
    }

    let converted: Vec<Result<Converted, Problem>> = fields
        .par_iter()
        .map(|field| {
            let array = guarded(|| decode(bytes, &metadata, field))?;
            arrow::cells(array.as_ref(), &field.name)
        })
        .collect();
    let mut table = Table { columns: Vec::with_capacity(fields.len()), notes: BTreeMap::new(), delimiter: b',' };
    let mut problems = Vec::new();
    for ((name, mut notes), converted) in named.into_iter().zip(converted) {
        match converted {
            Ok((cells, found)) => {
                notes.extend(found);
                if !notes.is_empty() {
                    table.notes.insert(name.clone(), notes);
                }
                table.columns.push((name, cells));
            }
            Err(problem) => problems.push(problem),
        }
    }
    if !problems.is_empty() {
        return Err((problems, 0));
    }
    let rows = metadata.num_rows;
    match table.columns.iter().find(|(_, cells)| cells.len() != rows) {
        Some((name, cells)) => {
            let said = format!("{rows} rows promised, {} found", cells.len());
            Err(alone(Rule::BadParquet(said).at(Place::default().in_column(name))))
        }
        None => Ok(table),
    }
}

/// The decoder panics on some damaged files; here that is damage like any other.
fn guarded<T>(work: impl FnOnce() -> Result<T, Problem>) -> Result<T, Problem> {
    catch_unwind(AssertUnwindSafe(work))
        .unwrap_or_else(|_| Err(Rule::BadParquet("its parts contradict each other".to_owned()).anywhere()))
}

fn damaged(error: impl ToString) -> Problem {
    Rule::BadParquet(error.to_string()).anywhere()
}

/// Metadata and columns, with dictionaries opened up to what they hold.
fn open(bytes: &[u8]) -> Result<(FileMetadata, Vec<Field>), Problem> {
    let metadata = read_metadata(&mut Cursor::new(bytes)).map_err(damaged)?;
    let schema = infer_schema(&metadata).map_err(damaged)?;
    let fields = schema.iter_values().map(|field| match &field.dtype {
        ArrowDataType::Dictionary(_, held, _) => Field::new(field.name.clone(), held.as_ref().clone(), true),
        held => Field::new(field.name.clone(), held.clone(), true),
    });
    Ok((metadata, fields.collect()))
}

/// Refuses promises that would exhaust memory before the data is touched.
fn check_sizes(metadata: &FileMetadata, file_bytes: usize, total_bytes: u64) -> Result<(), Problem> {
    let cells_bytes = metadata.num_rows as u64 * 8;
    let chunks = || metadata.row_groups.iter().flat_map(|group| group.parquet_columns());
    let unpacked: u64 = chunks().map(|chunk| chunk.uncompressed_size().max(0) as u64).sum();
    let promised: u64 = chunks().map(|chunk| chunk.num_values().max(0) as u64 * 8).sum();
    if unpacked.max(promised).max(cells_bytes) > total_bytes {
        return Err(Rule::TooLarge { limit: total_bytes }.anywhere());
    }
    let grouped: usize = metadata.row_groups.iter().map(|group| group.num_rows()).sum();
    let inside = |chunk: &ColumnChunkMetadata| {
        let range = chunk.byte_range();
        range.start <= range.end && range.end <= file_bytes as u64
    };
    if grouped != metadata.num_rows || !chunks().all(inside) {
        return Err(damaged("its parts contradict each other"));
    }
    Ok(())
}

fn decode(bytes: &[u8], metadata: &FileMetadata, field: &Field) -> Result<Box<dyn Array>, Problem> {
    arrow::check_type(field)?;
    let mut arrays: Vec<Box<dyn Array>> = Vec::with_capacity(metadata.row_groups.len());
    for group in &metadata.row_groups {
        let chunks = group.columns_under_root_iter(&field.name).ok_or_else(|| damaged("a column is not there"))?;
        let (pages, types) = chunks
            .map(|chunk| {
                let range = chunk.byte_range();
                let data = bytes[range.start as usize..range.end as usize].to_vec();
                let pages = PageReader::new(Cursor::new(data.into()), chunk, Vec::new(), usize::MAX);
                (BasicDecompressor::new(pages, Vec::new()), &chunk.descriptor().descriptor.primitive_type)
            })
            .unzip();
        let (decoded, _) = column_iter_to_arrays(pages, types, field.clone(), None)
            .map_err(|error| Rule::BadParquet(error.to_string()).at(Place::default().in_column(&field.name)))?;
        arrays.extend(decoded);
    }
    match arrays.len() {
        1 => Ok(arrays.remove(0)),
        _ => concatenate_unchecked(&arrays).map_err(damaged),
    }
}
