//! Real data sets, where they are.

use std::path::PathBuf;

/// The file of that name under `MILLRACE_TESTDATA` (default: `../shared/data` beside the project); says so and gives none
/// where it is not there.
pub fn testdata(file: &str) -> Option<PathBuf> {
    let project = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../..");
    let root = std::env::var_os("MILLRACE_TESTDATA").map_or_else(|| project.join("../shared/data"), PathBuf::from);
    let path = root.join(file);
    if path.exists() {
        return Some(path);
    }
    println!("skipped: {} is not there; set MILLRACE_TESTDATA", path.display());
    None
}
