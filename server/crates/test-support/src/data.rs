//! Data for tests: real sets where they are, and things of which it is asked whether they are big.

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

/// A thing's numbers, and whether it is big.
pub fn thing(number: u32) -> (f64, f64, bool) {
    let x = f64::from((number.wrapping_mul(2_654_435_761)) % 1_000) / 10.0;
    let y = f64::from((number.wrapping_mul(40_503)) % 977) / 9.77;
    let luck = f64::from((number.wrapping_mul(97)) % 401) / 10.0;
    (x, y, x + 0.2 * y + luck > 80.0)
}

/// So many things as a CSV file with the columns `thing`, `x`, `y` and `big`.
pub fn things(count: u32) -> Vec<u8> {
    let mut csv = "thing,x,y,big\n".to_owned();
    for number in 0..count {
        let (x, y, big) = thing(number);
        csv.push_str(&format!("t{number},{x},{y},{}\n", u32::from(big)));
    }
    csv.into_bytes()
}
