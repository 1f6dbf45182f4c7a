//! What tests on real data share. The data is found through MILLRACE_TESTDATA, else beside the project; without it, they say
//! so and pass.

use std::path::PathBuf;

/// A data file; none when the data is not on this machine.
#[expect(clippy::disallowed_methods, reason = "a test is where its settings enter")]
pub fn file(path: &str) -> Option<Vec<u8>> {
    let beside = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../../shared/data");
    let folder = std::env::var("MILLRACE_TESTDATA").map_or_else(|_| PathBuf::from(beside), PathBuf::from);
    let bytes = std::fs::read(folder.join(path)).ok();
    if bytes.is_none() {
        println!("skipped: {path} is not in MILLRACE_TESTDATA");
    }
    bytes
}
