//! Text that people are to read as it is.

/// Whether a character cannot be seen, or makes what is around it read otherwise: control characters and marks of direction.
pub fn misleads(character: char) -> bool {
    character.is_control()
        || matches!(
            character,
            '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}'
        )
}
