//! The identity of a dataset.
//!
//! The digest of a *column* is SHA-256 over its name (length, bytes), its type (one byte), one bit a row that says whether
//! the cell has a value (least significant first, padded with zeros), and the values of the cells that have one: integers,
//! times and the bits of doubles as eight bytes, truth values as one, texts as length and bytes. The digest of the *dataset*
//! is SHA-256 over a tag, the number of rows, the number of columns and the digests of its columns, in order. All numbers
//! are little-endian and 64 bits wide. So one changed cell, name, type or null changes it, and how the cells are chunked,
//! encoded or stored does not. Columns are digested in parallel.

use millrace_domain::Digest;
use millrace_domain::schema::{Column, ColumnType};
use polars_arrow::array::PrimitiveArray;
use polars_arrow::types::NativeType;
use sha2::{Digest as _, Sha256};

use super::{Cells, Dataset};

const TAG: &[u8] = b"millrace dataset 1\n";
/// Values are gathered into blocks of about this many bytes before they are hashed.
const BLOCK: usize = 64 * 1024;

impl Dataset {
    /// SHA-256 over name, type and every cell: equal digests mean equal data.
    pub fn digest(&self) -> Digest {
        let columns = self.each_column(|slot, cells| digest_column(&self.schema[slot], cells));
        let mut hasher = Sha256::new();
        hasher.update(TAG);
        hasher.update((self.rows as u64).to_le_bytes());
        hasher.update((columns.len() as u64).to_le_bytes());
        for column in columns {
            hasher.update(column);
        }
        Digest::from_bytes(hasher.finalize().into())
    }
}

fn digest_column(column: &Column, cells: &Cells) -> [u8; 32] {
    let mut sink = Sink { hasher: Sha256::new(), block: Vec::with_capacity(BLOCK + 64) };
    sink.put(&(column.name.len() as u64).to_le_bytes());
    sink.put(column.name.as_bytes());
    sink.put(&[type_byte(column.column_type)]);
    presence(cells, &mut sink);
    match cells {
        Cells::Integer(array) | Cells::Time(array) => values(array, cells, &mut sink, i64::to_le_bytes),
        Cells::Number(array) => values(array, cells, &mut sink, |number| number.to_bits().to_le_bytes()),
        Cells::Boolean(array) => {
            for truth in array.iter().flatten() {
                sink.put(&[u8::from(truth)]);
            }
        }
        Cells::Text(array) => {
            for text in array.iter().flatten() {
                sink.put(&(text.len() as u64).to_le_bytes());
                sink.put(text.as_bytes());
            }
        }
    }
    sink.finish()
}

/// Part of the digest's definition: these numbers never change.
const fn type_byte(column_type: ColumnType) -> u8 {
    match column_type {
        ColumnType::Integer => 1,
        ColumnType::Number => 2,
        ColumnType::Boolean => 3,
        ColumnType::Time => 4,
        ColumnType::Text => 5,
    }
}

fn presence(cells: &Cells, sink: &mut Sink) {
    for start in (0..cells.len()).step_by(8) {
        let byte = (start..cells.len().min(start + 8))
            .enumerate()
            .fold(0u8, |byte, (bit, row)| byte | (u8::from(!cells.is_missing(row)) << bit));
        sink.put(&[byte]);
    }
}

fn values<T: NativeType>(array: &PrimitiveArray<T>, cells: &Cells, sink: &mut Sink, bytes: fn(T) -> [u8; 8]) {
    for (row, value) in array.values_iter().enumerate() {
        if !cells.is_missing(row) {
            sink.put(&bytes(*value));
        }
    }
}

/// Small pieces go to the hasher in blocks.
struct Sink {
    hasher: Sha256,
    block: Vec<u8>,
}

impl Sink {
    #[inline]
    fn put(&mut self, bytes: &[u8]) {
        self.block.extend_from_slice(bytes);
        if self.block.len() >= BLOCK {
            self.hasher.update(&self.block);
            self.block.clear();
        }
    }

    fn finish(mut self) -> [u8; 32] {
        self.hasher.update(&self.block);
        self.hasher.finalize().into()
    }
}
