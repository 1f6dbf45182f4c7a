//! Rows of the test part that the model has seen: they show what it remembers, not what it can do.

use std::collections::HashMap;

use millrace_domain::schema::Finding;

use super::finding::{Check, Offenders};
use super::rows::{equal, hashes};
use crate::dataset::Dataset;
use crate::split::{Part, Split};
use crate::wording::{count, share};

/// Largest share of the test rows that may repeat a training row. Deepchecks' condition for mixed samples asks for the same.
const MOST: f64 = 0.05;

/// Test rows that are equal to a training row in every column.
pub fn check_overlap(dataset: &Dataset, split: &Split) -> Finding {
    let check = Check::warning("train_test_overlap");
    let expected = format!("at most {} % of the test rows repeat a training row", MOST * 100.0);
    let slots: Vec<usize> = (0..dataset.schema().len()).collect();
    let test = split.rows(Part::Test);
    if test.is_empty() {
        return check.skipped(expected, "there are no test rows");
    }
    let trained: HashMap<u64, u32> = hashes(dataset, &slots, split.rows(Part::Train)).into_iter().rev().collect();
    let mut repeated = Offenders::default();
    for (hash, row) in hashes(dataset, &slots, test) {
        if let Some(twin) = trained.get(&hash)
            && equal(dataset, &slots, row as usize, *twin as usize)
        {
            repeated.add(row as usize, || format!("repeats row {}", dataset.number(*twin as usize)));
        }
    }
    let (found, rows) = (repeated.rows(), test.len() as u64);
    let observed = match found {
        0 => "none does".to_owned(),
        _ => format!("{} of {} test rows ({}) do", count(found), count(rows), share(found, rows)),
    };
    check.decided(found as f64 <= MOST * rows as f64, repeated, expected, observed)
}
