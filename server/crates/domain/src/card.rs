//! Model cards: what a version is, what it is for, how well it does and where it must not be trusted, on one page (Mitchell et
//! al., "Model Cards for Model Reporting", 2019).

use serde::{Deserialize, Serialize};

/// A card.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Card {
    /// Name and version.
    pub title: String,
    /// The sections in their order.
    pub sections: Vec<Section>,
}

/// A section: sentences, and a table where there are numbers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Section {
    /// Its heading.
    pub title: String,
    /// Sentences, a line each.
    pub lines: Vec<String>,
    /// Numbers.
    pub table: Option<Table>,
}

/// Rows of texts under their headings.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Table {
    /// Headings.
    pub head: Vec<String>,
    /// Rows, each as long as the head.
    pub rows: Vec<Vec<String>>,
}

impl Section {
    /// A section of sentences.
    pub fn of_lines(title: &str, lines: Vec<String>) -> Self {
        Self { title: title.to_owned(), lines, table: None }
    }

    /// A section of numbers.
    pub fn of_rows(title: &str, lines: Vec<String>, head: &[&str], rows: Vec<Vec<String>>) -> Self {
        let head = head.iter().map(|&name| name.to_owned()).collect();
        let table = (!rows.is_empty()).then_some(Table { head, rows });
        Self { title: title.to_owned(), lines, table }
    }
}

impl Card {
    /// The card as Markdown. What people typed is text in it, never markup.
    pub fn markdown(&self) -> String {
        let mut out = format!("# {}\n", escaped(&self.title));
        for section in &self.sections {
            out.push_str(&format!("\n## {}\n\n", escaped(&section.title)));
            for line in &section.lines {
                out.push_str(&format!("- {}\n", escaped(line)));
            }
            let Some(table) = &section.table else { continue };
            if !section.lines.is_empty() {
                out.push('\n');
            }
            let row = |cells: &[String]| {
                format!("| {} |\n", cells.iter().map(|cell| escaped(cell)).collect::<Vec<_>>().join(" | "))
            };
            out.push_str(&row(&table.head));
            out.push_str(&format!("|{}\n", "---|".repeat(table.head.len())));
            table.rows.iter().for_each(|cells| out.push_str(&row(cells)));
        }
        out
    }
}

/// Text on one line that Markdown takes as it is.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\\' | '`' | '*' | '_' | '[' | ']' | '#' | '|' | '!' | '~' => out.extend(['\\', c]),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            '\n' | '\r' => out.push(' '),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_people_typed_is_text_in_the_markdown() {
        let card = Card {
            title: "a v1".to_owned(),
            sections: vec![Section::of_rows(
                "Use",
                vec!["[x](javascript:1) <b>\nnext".to_owned()],
                &["name", "value"],
                vec![vec!["a|b".to_owned(), "1".to_owned()]],
            )],
        };
        let wanted = "# a v1\n\n## Use\n\n- \\[x\\](javascript:1) &lt;b&gt; next\n\n| name | value |\n|---|---|\n| a\\|b | 1 |\n";
        assert_eq!(card.markdown(), wanted);
    }
}
