//! Parquet: decoded column by column into the types of a dataset.
//!
//! Dictionaries are texts, integers of any width are whole numbers, dates and timestamps of any unit and zone are times,
//! decimals are numbers. Lists, structs, maps, times of day, durations and raw bytes are refused by name.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Cursor;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use millrace_domain::schema::ColumnType;
use polars_arrow::array::Array;
use polars_arrow::compute::concatenate::concatenate_unchecked;
use polars_arrow::datatypes::{ArrowDataType, Field};
use polars_parquet::read::{
    BasicDecompressor, ColumnChunkMetadata, FileMetadata, PageReader, RowGroupMetadata, column_iter_to_arrays,
    infer_schema, read_metadata,
};

use super::csv::{Problems, Table};
pub(crate) use super::error::Problem;
use super::error::{Place, Rule};
use super::{Input, ReadOptions, arrow, names};
use crate::dataset::{Cells, HELD_BYTES, Kept, Stock, each_column};

/// The first and last bytes of a Parquet file.
pub(crate) const MAGIC: &[u8] = b"PAR1";

/// A column and what was noticed about it.
type Converted = (Cells, Vec<String>);

/// Reads Parquet. A large file stays where it is, and its columns are read when they are wanted.
///
/// # Errors
/// When the data is damaged, a cap is passed, a column's name or type is not accepted, or a number is infinite.
pub(crate) fn read(input: Input<'_>, options: &ReadOptions) -> Result<Table, Problems> {
    let alone = |problem: Problem| (vec![problem], 0);
    let columns = Columns::open(input).map_err(alone)?;
    let limits = &options.limits;
    if columns.len() > limits.columns {
        return Err(alone(Rule::TooManyColumns { limit: limits.columns }.anywhere()));
    }
    columns.check_sizes(limits.total_bytes).map_err(alone)?;
    let written: Vec<String> = columns.fields.iter().map(|field| field.name.to_string()).collect();
    let named = names::check(&written, limits.name_chars).map_err(|problems| (problems, 0))?;
    let rows = columns.rows();
    if rows == 0 || columns.len() == 0 {
        return Err(alone(Rule::NoRows.anywhere()));
    }

    let kept = match input {
        Input::File(file) if columns.bytes() > limits.held_bytes => {
            Some(Arc::new(file.try_clone().map_err(|error| alone(Rule::Unreadable(error.to_string()).anywhere()))?))
        }
        _ => None,
    };
    let convert = |column: Column<'_, '_>| {
        let (cells, notes) = column.whole()?;
        let found = cells.len();
        let stock = match &kept {
            Some(file) => Stock::kept(cells.column_type(), Arc::new(column.kept(file, cells.column_type()))),
            None => cells.into(),
        };
        Ok((stock, notes, found))
    };
    let mut table = Table { columns: Vec::with_capacity(columns.len()), notes: BTreeMap::new(), delimiter: b',', rows };
    let mut problems = Vec::new();
    for ((name, mut notes), converted) in named.into_iter().zip(columns.each(convert)) {
        match converted {
            Ok((_, _, found)) if found != rows => {
                let said = format!("{rows} rows promised, {found} found");
                return Err(alone(Rule::BadParquet(said).at(Place::default().in_column(&name))));
            }
            Ok((stock, found, _)) => {
                notes.extend(found);
                if !notes.is_empty() {
                    table.notes.insert(name.clone(), notes);
                }
                table.columns.push((name, stock));
            }
            Err(problem) => problems.push(problem),
        }
    }
    if problems.is_empty() { Ok(table) } else { Err((problems, 0)) }
}

/// The decoder panics on some damaged files; here that is damage like any other.
fn guarded<T>(work: impl FnOnce() -> Result<T, Problem>) -> Result<T, Problem> {
    catch_unwind(AssertUnwindSafe(work))
        .unwrap_or_else(|_| Err(Rule::BadParquet("its parts contradict each other".to_owned()).anywhere()))
}

fn damaged(error: impl ToString) -> Problem {
    Rule::BadParquet(error.to_string()).anywhere()
}

/// The columns of a Parquet file.
pub(crate) struct Columns<'a> {
    input: Input<'a>,
    metadata: Arc<FileMetadata>,
    fields: Vec<Field>,
}

impl<'a> Columns<'a> {
    /// Reads what the file says of itself, with dictionaries opened up to what they hold.
    pub(crate) fn open(input: Input<'a>) -> Result<Self, Problem> {
        guarded(|| {
            let metadata = read_metadata(&mut input.reader().map_err(damaged)?).map_err(damaged)?;
            let schema = infer_schema(&metadata).map_err(damaged)?;
            let fields = schema.iter_values().map(|field| match &field.dtype {
                ArrowDataType::Dictionary(_, held, _) => Field::new(field.name.clone(), held.as_ref().clone(), true),
                held => Field::new(field.name.clone(), held.clone(), true),
            });
            Ok(Self { input, fields: fields.collect(), metadata: Arc::new(metadata) })
        })
    }

    pub(crate) const fn len(&self) -> usize {
        self.fields.len()
    }

    pub(crate) fn rows(&self) -> usize {
        self.metadata.num_rows
    }

    /// About how many bytes all cells take in memory: a number or the place of a text each, and what the file says of its content.
    pub(crate) fn bytes(&self) -> usize {
        const CELL: usize = 8;
        let chunks = self.metadata.row_groups.iter().flat_map(|group| group.parquet_columns());
        let content: usize = chunks.map(|chunk| usize::try_from(chunk.uncompressed_size()).unwrap_or(0)).sum();
        self.rows().saturating_mul(self.len()).saturating_mul(CELL).max(content)
    }

    /// Works on every column in parallel, on a few at a time where all would not fit into memory.
    pub(crate) fn each<T: Send>(
        &self,
        work: impl Fn(Column<'_, 'a>) -> Result<T, Problem> + Sync,
    ) -> Vec<Result<T, Problem>> {
        let is_large = self.bytes() > HELD_BYTES;
        each_column(self.len(), is_large, |slot| guarded(|| work(Column { of: self, slot })))
    }

    /// The columns of a stored dataset, to be read from `file` when they are wanted.
    pub(crate) fn stocks(&self, file: &Arc<File>) -> Result<Vec<(String, Stock)>, Problem> {
        let stock = |slot: usize| {
            let column = Column { of: self, slot };
            let column_type = stored_type(&self.fields[slot])?;
            Ok((column.name().to_owned(), Stock::kept(column_type, Arc::new(column.kept(file, column_type)))))
        };
        (0..self.fields.len()).map(stock).collect()
    }

    /// Refuses promises that would exhaust memory before the data is touched.
    fn check_sizes(&self, total_bytes: u64) -> Result<(), Problem> {
        let metadata = &self.metadata;
        let file_bytes = self.input.size().map_err(damaged)?;
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
            range.start <= range.end && range.end <= file_bytes
        };
        if grouped != metadata.num_rows || !chunks().all(inside) {
            return Err(damaged("its parts contradict each other"));
        }
        Ok(())
    }
}

/// The type of a column that was written as the stored form of a dataset.
fn stored_type(field: &Field) -> Result<ColumnType, Problem> {
    match field.dtype {
        ArrowDataType::Int64 => Ok(ColumnType::Integer),
        ArrowDataType::Float64 => Ok(ColumnType::Number),
        ArrowDataType::Boolean => Ok(ColumnType::Boolean),
        ArrowDataType::Timestamp(..) => Ok(ColumnType::Time),
        ArrowDataType::Utf8View => Ok(ColumnType::Text),
        ref other => Err(Rule::Type(format!("{other:?}")).at(Place::default().in_column(&field.name))),
    }
}

/// A column of a Parquet file.
#[derive(Clone, Copy)]
pub(crate) struct Column<'c, 'a> {
    of: &'c Columns<'a>,
    slot: usize,
}

impl<'c> Column<'c, '_> {
    pub(crate) fn name(&self) -> &'c str {
        &self.of.fields[self.slot].name
    }

    /// All of its cells, and what was noticed about them.
    pub(crate) fn whole(&self) -> Result<Converted, Problem> {
        let field = &self.of.fields[self.slot];
        arrow::check_type(field)?;
        let mut arrays: Vec<Box<dyn Array>> = Vec::with_capacity(self.of.metadata.row_groups.len());
        for group in &self.of.metadata.row_groups {
            arrays.extend(decode(self.of.input, group, field)?);
        }
        let array = match arrays.len() {
            0 => polars_arrow::array::new_empty_array(field.dtype.clone()),
            1 => arrays.remove(0),
            _ => concatenate_unchecked(&arrays).map_err(damaged)?,
        };
        drop(arrays);
        arrow::cells(array.as_ref(), &field.name)
    }

    fn kept(&self, file: &Arc<File>, column_type: ColumnType) -> Lying {
        let field = self.of.fields[self.slot].clone();
        Lying { file: Arc::clone(file), metadata: Arc::clone(&self.of.metadata), field, column_type }
    }
}

/// The cells of a column in one group of rows.
fn decode(input: Input<'_>, group: &RowGroupMetadata, field: &Field) -> Result<Vec<Box<dyn Array>>, Problem> {
    let chunks = group.columns_under_root_iter(&field.name).ok_or_else(|| damaged("a column is not there"))?;
    let mut parts = (Vec::new(), Vec::new());
    for chunk in chunks {
        let range = chunk.byte_range();
        let size = usize::try_from(range.end.saturating_sub(range.start)).map_err(damaged)?;
        let data = input.range(range.start, size).map_err(damaged)?;
        let pages = PageReader::new(Cursor::new(data.into()), chunk, Vec::new(), usize::MAX);
        parts.0.push(BasicDecompressor::new(pages, Vec::new()));
        parts.1.push(&chunk.descriptor().descriptor.primitive_type);
    }
    column_iter_to_arrays(parts.0, parts.1, field.clone(), None)
        .map(|(decoded, _)| decoded)
        .map_err(|error| Rule::BadParquet(error.to_string()).at(Place::default().in_column(&field.name)))
}

/// A column that lies in a Parquet file which was read through once.
#[derive(Debug)]
struct Lying {
    file: Arc<File>,
    metadata: Arc<FileMetadata>,
    field: Field,
    /// The type that all its cells together have.
    column_type: ColumnType,
}

impl Kept for Lying {
    fn runs(&self) -> Box<dyn Iterator<Item = Cells> + Send + '_> {
        let decode = |group| decode(Input::File(&self.file), group, &self.field);
        let arrays = self.metadata.row_groups.iter().flat_map(move |group| {
            decode(group).unwrap_or_else(|problem| panic!("a file that was read before: {problem}"))
        });
        Box::new(arrays.map(|array| {
            let (cells, _) = arrow::cells(array.as_ref(), &self.field.name)
                .unwrap_or_else(|problem| panic!("a file that was read before: {problem}"));
            arrow::widened(cells, self.column_type)
        }))
    }
}
