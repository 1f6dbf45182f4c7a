//! How much memory a process holds.

/// The bytes of memory that a process (its number, or `self`) holds, as Linux tells them; none where that is not known, or of one that is
/// gone.
pub fn resident_bytes(process: &str) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    Some(line.trim().strip_suffix(" kB")?.trim().parse::<u64>().ok()? * 1_024)
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn a_process_that_lives_holds_memory_and_one_that_does_not_holds_none() {
        assert!(resident_bytes("self").is_some_and(|bytes| bytes > 100_000));
        assert_eq!(resident_bytes("0"), None);
    }
}
