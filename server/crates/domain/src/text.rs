//! Text that people, or spreadsheets, are to read as it is.

/// Whether a character cannot be seen, or makes what is around it read otherwise: control characters and marks of direction.
pub fn misleads(character: char) -> bool {
    character.is_control()
        || matches!(
            character,
            '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}'
        )
}

/// A cell of a CSV file (RFC 4180), in quotes. One that a spreadsheet would take for a formula begins with an apostrophe; a negative number is
/// none.
pub fn csv_cell(cell: &str) -> String {
    let formula = cell.starts_with(['=', '+', '-', '@', '\t', '\r']) && cell.parse::<f64>().is_err();
    format!("\"{}{}\"", if formula { "'" } else { "" }, cell.replace('"', "\"\""))
}

#[cfg(test)]
mod tests {
    use super::csv_cell;

    #[test]
    fn a_formula_is_exported_as_text() {
        assert_eq!(csv_cell("=cmd|' /C calc'!A0"), "\"'=cmd|' /C calc'!A0\"");
        assert_eq!(csv_cell("-1+cmd"), "\"'-1+cmd\"");
        assert_eq!(csv_cell("-0.25"), "\"-0.25\"");
        assert_eq!(csv_cell("say \"hi\""), "\"say \"\"hi\"\"\"");
    }
}
