//! Rows taken together: how many there are, and which come twice.

use foldhash::quality::FixedState;
use millrace_domain::schema::{Finding, Profile};
use rayon::prelude::*;
use std::hash::{BuildHasher, Hash, Hasher};

use super::finding::{Check, Offenders};
use crate::dataset::{Cells, Dataset};
use crate::wording::{count, counted, share};

/// With fewer rows nothing can be learned and nothing tested.
const FEWEST_ROWS: u64 = 30;
/// Rows that are hashed as one task.
const BLOCK: usize = 16 * 1024;

pub(super) fn check_count(dataset: &Dataset, previous: Option<&Profile>) -> Vec<Finding> {
    check_change_of_count(dataset, previous, FEWEST_ROWS)
}

/// There are at least `fewest` rows, and about as many as before.
pub(super) fn check_change_of_count(dataset: &Dataset, previous: Option<&Profile>, fewest: u64) -> Vec<Finding> {
    let rows = dataset.rows() as u64;
    let enough = Check::critical("row_count");
    let expected = format!("at least {}", counted(fewest, "row"));
    let mut findings = vec![enough.decided(rows >= fewest, Offenders::default(), expected, counted(rows, "row"))];
    if let Some(previous) = previous {
        let before = previous.rows;
        let similar = rows.saturating_mul(2) >= before && rows <= before.saturating_mul(2);
        findings.push(Check::warning("row_count_change").decided(
            similar,
            Offenders::default(),
            format!("between half and double of the {} of the previous version", counted(before, "row")),
            counted(rows, "row"),
        ));
    }
    findings
}

/// Rows that repeat an earlier row in every column.
pub(super) fn check_duplicates(dataset: &Dataset) -> Finding {
    let check = Check::warning("duplicate_rows");
    let expected = "no row comes twice";
    if dataset.rows() == 0 {
        return check.skipped(expected, "there are no rows");
    }
    let (slots, rows): (Vec<usize>, Vec<u32>) =
        ((0..dataset.schema().len()).collect(), (0..dataset.rows() as u32).collect());
    let repeats = repeats(dataset, &slots, &rows);
    let mut offenders = Offenders::default();
    for (row, first) in &repeats {
        offenders.add(*row as usize, || format!("repeats row {}", dataset.number(*first as usize)));
    }
    let (repeated, rows) = (offenders.rows(), dataset.rows() as u64);
    let observed = match repeated {
        0 => format!("all {} rows differ", count(rows)),
        _ => format!("{} of {} rows ({}) repeat an earlier row", count(repeated), count(rows), share(repeated, rows)),
    };
    check.decided(repeated == 0, offenders, expected, observed)
}

/// Which of `rows` repeat an earlier one of them in the columns of `slots`, each with the first it repeats; in row order.
pub(super) fn repeats(dataset: &Dataset, slots: &[usize], rows: &[u32]) -> Vec<(u32, u32)> {
    let mut hashed = hashes(dataset, slots, rows);
    hashed.par_sort_unstable();
    let mut repeats: Vec<(u32, u32)> = hashed
        .chunk_by(|a, b| a.0 == b.0)
        .filter(|run| run.len() > 1)
        .flat_map(|run| run[1..].iter().map(|(_, row)| (*row, run[0].1)))
        .collect();
    drop(hashed);
    for slot in slots {
        if repeats.is_empty() {
            break;
        }
        let cells = dataset.lend(*slot);
        repeats.retain(|(row, first)| equal_cells(&cells, *row as usize, *first as usize));
    }
    repeats.sort_unstable();
    repeats
}

/// A hash of each row with its number.
pub(super) fn hashes(dataset: &Dataset, slots: &[usize], rows: &[u32]) -> Vec<(u64, u32)> {
    let mut hashed: Vec<(u64, u32)> = rows.iter().map(|row| (0, *row)).collect();
    // One after the other where they are read for it.
    for some in slots.chunks(if dataset.is_kept() { 1 } else { slots.len().max(1) }) {
        let columns: Vec<Cells> = some.iter().map(|slot| dataset.lend(*slot)).collect();
        hashed.par_chunks_mut(BLOCK).for_each(|block| {
            for cells in &columns {
                mix(cells, block);
            }
        });
    }
    hashed
}

/// Works the cells of a column into the hashes of its rows.
fn mix(cells: &Cells, block: &mut [(u64, u32)]) {
    let state = FixedState::default();
    for (hash, row) in block {
        let row = *row as usize;
        let mut hasher = state.build_hasher();
        hash.hash(&mut hasher);
        if cells.is_missing(row) {
            hasher.write_u8(0);
        } else {
            match cells {
                Cells::Integer(array) | Cells::Time(array) => hasher.write_i64(array.values()[row]),
                Cells::Number(array) => hasher.write_u64((array.values()[row] + 0.0).to_bits()),
                Cells::Boolean(array) => hasher.write_u8(1 + u8::from(array.values().get_bit(row))),
                Cells::Text(array) => array.value(row).hash(&mut hasher),
            }
        }
        *hash = hasher.finish();
    }
}

pub(super) fn equal(dataset: &Dataset, slots: &[usize], left: usize, right: usize) -> bool {
    slots.iter().all(|slot| equal_cells(dataset.cells(*slot), left, right))
}

fn equal_cells(cells: &Cells, left: usize, right: usize) -> bool {
    match cells {
        // As expressions see them, neighbouring integers beyond 2^53 would be equal.
        Cells::Integer(array) if !cells.is_missing(left) && !cells.is_missing(right) => {
            array.values()[left] == array.values()[right]
        }
        _ => cells.value(left) == cells.value(right),
    }
}
