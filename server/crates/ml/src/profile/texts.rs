//! Texts and truth values: counted.

use std::collections::{HashMap, HashSet};
use std::hash::BuildHasher;

use foldhash::quality::FixedState;
use polars_arrow::array::{BooleanArray, Utf8ViewArray};

use super::{Summary, most_frequent};

/// Of further distinct texts none is among the most frequent ones: a column with more is an identifier or prose. They are told apart by
/// hashes of 64 bits, which two of ten million share with a chance of 3 in a million.
const MOST_COUNTED: usize = 100_000;

pub(super) fn texts(array: &Utf8ViewArray) -> Summary {
    let mut counts: HashMap<&str, u64, FixedState> = HashMap::with_hasher(FixedState::default());
    let mut further: HashSet<u64, FixedState> = HashSet::with_hasher(FixedState::default());
    for text in array.non_null_values_iter() {
        if let Some(count) = counts.get_mut(text) {
            *count += 1;
        } else if counts.len() < MOST_COUNTED {
            counts.insert(text, 1);
        } else {
            further.insert(counts.hasher().hash_one(text));
        }
    }
    // Every text that is counted is counted from its first appearance, so its count is exact.
    let distinct = (counts.len() + further.len()) as u64;
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
