//! A figure as a file: the numbers behind it as CSV or JSON, or the picture.

use millrace_charts::Figure;
use millrace_domain::text::csv_cell;
use serde_json::{Map, Value};

use crate::return_path::encoded;

/// What a figure is given out as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FigureFile {
    Csv,
    Json,
    Svg,
}

impl FigureFile {
    /// In the order they are offered.
    pub const ALL: [Self; 3] = [Self::Csv, Self::Json, Self::Svg];

    /// What it is called.
    pub const fn title(self) -> &'static str {
        match self {
            Self::Csv => "CSV",
            Self::Json => "JSON",
            Self::Svg => "SVG",
        }
    }

    /// The name of the file of a figure.
    pub fn name(self, figure: &Figure) -> String {
        file_name(&figure.title, &self.title().to_lowercase())
    }

    /// The file as an address that holds it.
    pub fn address(self, figure: &Figure) -> String {
        let (kind, content) = match self {
            Self::Csv => ("text/csv", csv(&figure.header, &figure.table)),
            Self::Json => ("application/json", json(&figure.header, &figure.table).to_string()),
            Self::Svg => ("image/svg+xml", Figure::without_theme(&figure.svg)),
        };
        format!("data:{kind};charset=utf-8,{}", encoded(&content))
    }
}

/// The name of a file of what has a title.
pub(super) fn file_name(title: &str, ending: &str) -> String {
    let words = title.to_lowercase();
    let words = words.split(|letter: char| !letter.is_alphanumeric()).filter(|word| !word.is_empty());
    format!("{}.{ending}", words.collect::<Vec<_>>().join("-"))
}

/// A table as lines of CSV.
pub(super) fn csv(header: &[String], table: &[Vec<String>]) -> String {
    let line = |cells: &[String]| {
        let cells: Vec<String> = cells.iter().map(|cell| csv_cell(&plain(cell))).collect();
        format!("{}\r\n", cells.join(","))
    };
    std::iter::once(header).chain(table.iter().map(Vec::as_slice)).map(line).collect()
}

/// A table as a list with an object a row.
pub(super) fn json(header: &[String], table: &[Vec<String>]) -> Value {
    let value = |cell: &String| {
        let text = plain(cell);
        match serde_json::from_str::<serde_json::Number>(&text) {
            Ok(number) => Value::Number(number),
            Err(_) => Value::String(text),
        }
    };
    let row =
        |cells: &Vec<String>| -> Map<String, Value> { header.iter().cloned().zip(cells.iter().map(value)).collect() };
    table.iter().map(|cells| Value::Object(row(cells))).collect()
}

/// What was written for people as programs read it: `−8 690` is `-8690`, and `+0.5` is `0.5`. What is no number stays as it is.
fn plain(cell: &str) -> String {
    let bare = cell.replace('\u{202f}', "").replace('\u{2212}', "-");
    let bare = bare.strip_prefix('+').map_or_else(|| bare.clone(), str::to_owned);
    if bare.parse::<f64>().is_ok_and(f64::is_finite) { bare } else { cell.replace('\u{202f}', " ") }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn figure() -> Figure {
        let table = [
            ["run 7, \"tried\"", "\u{2212}8\u{202f}690"],
            ["=1+1", "12.3\u{202f}%"],
            ["", "+0.5"],
            ["", "not a number"],
        ];
        Figure {
            title: "ROC curve of run 7".to_owned(),
            svg: "<svg fill=\"var(--chart-1,#123456)\"></svg>".to_owned(),
            caption: String::new(),
            header: ["Series", "Loss"].map(str::to_owned).to_vec(),
            table: table.map(|row| row.map(str::to_owned).to_vec()).to_vec(),
        }
    }

    #[test]
    fn numbers_are_written_as_programs_read_them_and_no_cell_becomes_a_formula() {
        let written = "\"Series\",\"Loss\"\r\n\"run 7, \"\"tried\"\"\",\"-8690\"\r\n\"'=1+1\",\"12.3 %\"\r\n\"\",\"0.5\"\r\n\"\",\"not a number\"\r\n";
        assert_eq!(csv(&figure().header, &figure().table), written);
    }

    #[test]
    fn rows_are_objects_with_numbers_where_there_are_some() {
        let told = super::json(&figure().header, &figure().table);
        assert_eq!(told[0], json!({ "Series": "run 7, \"tried\"", "Loss": -8690 }));
        assert_eq!([&told[2]["Loss"], &told[3]["Loss"]], [&json!(0.5), &json!("not a number")]);
    }

    #[test]
    fn a_picture_leaves_with_colours_of_its_own_and_a_name() {
        assert_eq!(FigureFile::Svg.name(&figure()), "roc-curve-of-run-7.svg");
        assert!(
            FigureFile::Svg
                .address(&figure())
                .starts_with("data:image/svg+xml;charset=utf-8,%3Csvg%20fill%3D%22%23123456")
        );
    }
}
