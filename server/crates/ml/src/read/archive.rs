//! Kinds of files that are recognised in order to be refused by name.

/// The kind of archive or packed file that the bytes begin as.
pub(crate) fn name(bytes: &[u8]) -> Option<&'static str> {
    const KINDS: [(&[u8], &str); 8] = [
        (b"\x1F\x8B", "a gzip file"),
        (b"PK\x03\x04", "a zip archive or an Excel workbook"),
        (b"PK\x05\x06", "an empty zip archive"),
        (b"BZh", "a bzip2 file"),
        (b"\xFD7zXZ\x00", "an xz file"),
        (b"\x28\xB5\x2F\xFD", "a zstd file"),
        (b"7z\xBC\xAF\x27\x1C", "a 7z archive"),
        (b"Rar!\x1A\x07", "a rar archive"),
    ];
    let known = KINDS.into_iter().find(|(magic, _)| bytes.starts_with(magic)).map(|(_, name)| name);
    known.or_else(|| (bytes.get(257..262) == Some(b"ustar")).then_some("a tar archive"))
}

/// The encoding that the bytes begin as, if it is none that is read. UTF-16 without a mark shows by its NUL bytes.
pub(crate) fn encoding(bytes: &[u8]) -> Option<&'static str> {
    match bytes {
        [0xFF, 0xFE, 0, 0, ..] | [0, 0, 0xFE, 0xFF, ..] => Some("UTF-32"),
        [0xFF, 0xFE, ..] | [0xFE, 0xFF, ..] => Some("UTF-16"),
        [first, 0, second, 0, ..] | [0, first, 0, second, ..] if *first != 0 && *second != 0 => Some("UTF-16"),
        _ => None,
    }
}
