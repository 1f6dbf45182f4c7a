//! Texts and truth values: counted.

use std::collections::HashMap;

use foldhash::quality::FixedState;
use polars_arrow::array::{BooleanArray, Utf8ViewArray};

use super::{Summary, most_frequent};

/// Further distinct texts are not told apart: a column with more is an identifier or prose.
const MOST_DISTINCT: usize = 100_000;

pub(super) fn texts(array: &Utf8ViewArray) -> Summary {
    let mut counts: HashMap<&str, u64, FixedState> = HashMap::with_hasher(FixedState::default());
    let mut untracked = false;
    for text in array.non_null_values_iter() {
        if let Some(count) = counts.get_mut(text) {
            *count += 1;
        } else if counts.len() < MOST_DISTINCT {
            counts.insert(text, 1);
        } else {
            untracked = true;
        }
    }
    // Every text that is counted is counted from its first appearance, so its count is exact.
    let distinct = counts.len() as u64 + u64::from(untracked);
    let top = most_frequent(counts.into_iter());
    Summary {
        distinct,
        top: top.into_iter().map(|(text, count)| (text.to_owned(), count)).collect(),
        ..Summary::default()
    }
}

pub(super) fn booleans(array: &BooleanArray) -> Summary {
    let trues = array.non_null_values_iter().filter(|truth| *truth).count() as u64;
    let present = array.non_null_values_iter().count() as u64;
    let counted = [(false, present - trues), (true, trues)].into_iter().filter(|(_, count)| *count > 0);
    let top = most_frequent(counted);
    Summary {
        distinct: top.len() as u64,
        top: top.into_iter().map(|(truth, count)| (truth.to_string(), count)).collect(),
        ..Summary::default()
    }
}
