//! Names of columns: what they may be, and their one form.

use std::collections::HashMap;

use unicode_normalization::{UnicodeNormalization, is_nfc};

use super::error::{Place, Problem, Rule};

/// What R and pandas leave blank in the first column of a file: the names or numbers of rows.
const ROW_NAMES: &str = "row_names";

/// Names in their one form (no blanks around, Unicode NFC) with what was changed about each.
///
/// A blank name is only accepted in the first column, which is then called `row_names`.
///
/// # Errors
/// Every name that is blank, too long, holds characters that cannot be seen or reorder text, or comes twice.
pub(crate) fn check(written: &[String], name_chars: usize) -> Result<Vec<(String, Vec<String>)>, Vec<Problem>> {
    let mut names: Vec<(String, Vec<String>)> = Vec::with_capacity(written.len());
    let mut first: HashMap<String, usize> = HashMap::with_capacity(written.len());
    let mut problems = Vec::new();
    for (slot, written) in written.iter().enumerate() {
        let (name, notes) = one_form(written);
        if name.is_empty() {
            if slot > 0 {
                problems.push(Rule::BlankColumn(slot + 1).anywhere());
            } else {
                let note = "the first column has no name in the file; it is called row_names";
                first.insert(ROW_NAMES.to_owned(), slot);
                names.push((ROW_NAMES.to_owned(), vec![note.to_owned()]));
            }
            continue;
        }
        if name.chars().count() > name_chars {
            let shown: String = name.chars().take(40).chain(['…']).collect();
            problems.push(Rule::NameTooLong { limit: name_chars }.at(Place::default().in_column(&shown)));
        }
        if let Some(character) = name.chars().find(|character| is_hidden(*character)) {
            let rule = Rule::NameCharacter(format!("U+{:04X}", u32::from(character)));
            problems.push(rule.at(Place::default().in_column(&name)));
        }
        if first.insert(name.clone(), slot).is_some() {
            problems.push(Rule::DuplicateColumn(name.clone()).at(Place::default().in_column(written)));
        }
        names.push((name, notes));
    }
    if problems.is_empty() { Ok(names) } else { Err(problems) }
}

fn one_form(written: &str) -> (String, Vec<String>) {
    let trimmed = written.trim();
    let mut notes = Vec::new();
    if trimmed.len() != written.len() && !trimmed.is_empty() {
        notes.push("blanks around the column's name were removed".to_owned());
    }
    if is_nfc(trimmed) {
        return (trimmed.to_owned(), notes);
    }
    notes.push("the column's name was brought to Unicode form NFC".to_owned());
    (trimmed.nfc().collect(), notes)
}

/// Control characters, zero-width characters, and marks that reorder the text around them.
fn is_hidden(character: char) -> bool {
    character.is_control()
        || matches!(
            character,
            '\u{00AD}' | '\u{034F}' | '\u{061C}' | '\u{115F}'..='\u{1160}' | '\u{17B4}'..='\u{17B5}' | '\u{180B}'..='\u{180F}'
            | '\u{200B}'..='\u{200F}' | '\u{2028}'..='\u{202E}' | '\u{2060}'..='\u{206F}' | '\u{3164}' | '\u{FE00}'..='\u{FE0F}'
            | '\u{FEFF}' | '\u{FFA0}' | '\u{FFF9}'..='\u{FFFB}' | '\u{E0000}'..='\u{E0FFF}'
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(names: &[&str]) -> Result<Vec<(String, Vec<String>)>, Vec<Problem>> {
        check(&names.iter().map(ToString::to_string).collect::<Vec<_>>(), 20)
    }

    #[track_caller]
    fn refused(names: &[&str], code: &str) {
        let problems = of(names).expect_err("refused");
        assert_eq!(problems[0].rule.code(), code);
    }

    #[test]
    fn names_that_only_look_special_are_names() {
        let names = ["constructor", "select", "__proto__", "=cmd|' /C'!A0", "<script>", "größe", "年齢", "a b"];
        let kept: Vec<String> = of(&names).unwrap().into_iter().map(|(name, _)| name).collect();
        assert_eq!(kept, names);
    }

    #[test]
    fn twins_of_different_normal_form_are_one_name() {
        refused(&["caf\u{e9}", "cafe\u{301}"], "duplicate_column");
        assert_eq!(of(&["cafe\u{301}"]).unwrap()[0].0, "caf\u{e9}");
    }

    #[test]
    fn hidden_characters_are_refused_by_code_point() {
        refused(&["a\u{202E}b"], "name_character");
        refused(&["a\u{200B}b"], "name_character");
        refused(&["a\tb"], "name_character");
    }

    #[test]
    fn a_blank_name_is_only_accepted_where_row_names_stand() {
        assert_eq!(of(&["", "a"]).unwrap()[0].0, "row_names");
        refused(&["a", " "], "blank_column");
        refused(&["", "row_names"], "duplicate_column");
    }

    #[test]
    fn every_bad_name_is_reported_at_once() {
        assert_eq!(of(&["a", "a", "", "x\u{0}", &"n".repeat(21)]).unwrap_err().len(), 4);
    }
}
