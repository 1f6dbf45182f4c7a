//! A figure: the picture, what it says in words, and the numbers behind it.

use serde::{Deserialize, Serialize};

use crate::escape::{escaped, id_token, push_escaped};
use crate::sheet::{Anchor, Drawn, Lettering, Sheet};

/// What every chart function returns. `svg` is well-formed and escaped; the other texts are plain and must be escaped by whoever
/// writes them into a page (Leptos does; [`Figure::html`] does).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Figure {
    /// Short name of the figure, e.g. `ROC curve`.
    pub title: String,
    /// The picture, themed through classes and custom properties.
    pub svg: String,
    /// The conclusion in words, including what was left out and why.
    pub caption: String,
    /// Column names of `table`.
    pub header: Vec<String>,
    /// The numbers behind the picture; every row is as long as `header`.
    pub table: Vec<Vec<String>>,
}

impl Figure {
    /// The figure as the design system wants it: caption, picture, and the numbers behind a disclosure.
    pub fn html(&self) -> String {
        let mut out = String::from("<figure class=\"figure\"><figcaption class=\"figure-caption\">");
        push_escaped(&mut out, &self.caption);
        out.push_str("</figcaption>");
        if self.is_wide() {
            // It scrolls on a narrow screen, so the keyboard must reach it.
            let title = escaped(&self.title);
            out.push_str(&format!("<div class=\"figure-plot\" role=\"region\" aria-label=\"{title}\" tabindex=\"0\">"));
        } else {
            out.push_str("<div class=\"figure-plot\">");
        }
        out.push_str(&self.svg);
        out.push_str("</div>");
        if !self.table.is_empty() {
            self.push_table(&mut out);
        }
        out.push_str("</figure>");
        out
    }

    /// A picture as it looks without the theme, in the colours of light: for readers that know no custom properties.
    pub fn without_theme(svg: &str) -> String {
        // Of attributes alone: text has no quotation marks that are not escaped.
        let mut parts = svg.split("=\"var(--");
        let mut out = parts.next().unwrap_or_default().to_owned();
        for part in parts {
            out.push_str("=\"");
            match part.split_once(")\"").and_then(|(token, rest)| Some((token.split_once(',')?.1, rest))) {
                Some((colour, rest)) => out.extend([colour, "\"", rest]),
                None => out.extend(["var(--", part]),
            }
        }
        out
    }

    fn is_wide(&self) -> bool {
        self.svg.contains("class=\"chart chart-wide\"")
    }

    fn push_table(&self, out: &mut String) {
        let title = escaped(&self.title);
        out.push_str("<details class=\"figure-data\"><summary>Numbers</summary>");
        out.push_str(&format!(
            "<div class=\"table-wrap\" role=\"region\" aria-label=\"{title}: numbers\" tabindex=\"0\"><table class=\"table\">\
             <caption class=\"visually-hidden\">{title}</caption><thead><tr>"
        ));
        for (i, name) in self.header.iter().enumerate() {
            let class = if i == 0 { "" } else { " class=\"num\"" };
            out.push_str(&format!("<th scope=\"col\"{class}>{}</th>", escaped(name)));
        }
        out.push_str("</tr></thead><tbody>");
        for row in &self.table {
            out.push_str("<tr>");
            for (i, cell) in row.iter().enumerate() {
                let (open, close) =
                    if i == 0 { ("<th scope=\"row\">", "</th>") } else { ("<td class=\"num\">", "</td>") };
                out.push_str(open);
                push_escaped(out, cell);
                out.push_str(close);
            }
            out.push_str("</tr>");
        }
        out.push_str("</tbody></table></div></details>");
    }
}

/// Everything about a figure but its drawing.
pub(crate) struct Draft<'a> {
    pub id: &'a str,
    pub title: &'a str,
    pub caption: String,
    pub header: Vec<String>,
    pub table: Vec<Vec<String>>,
    pub width: f64,
    pub height: f64,
}

impl Draft<'_> {
    /// Draws the figure. Layout that does not fit is said in words instead: a page never breaks over a figure.
    pub fn draw(self, paint: impl FnOnce(&Sheet) -> Drawn) -> Figure {
        let sheet = Sheet::new(self.width, self.height);
        let (sheet, caption) = match paint(&sheet) {
            Ok(()) => (sheet, self.caption),
            Err(error) => {
                let words = "This figure could not be drawn.";
                (worded(words), format!("{words} The drawing reported: {error}."))
            }
        };
        let class = if self.width > NARROW { "chart-wide" } else { "chart-narrow" };
        Figure {
            svg: sheet.into_svg(&id_token(self.id), class, self.title, &caption),
            title: self.title.to_owned(),
            caption,
            header: self.header,
            table: self.table,
        }
    }
}

/// Width of an ordinary figure in user units: about half of a page.
pub(crate) const NARROW: f64 = 440.0;

/// Width of figures over time.
pub(crate) const WIDE: f64 = 720.0;

/// The figure of nothing: says so, and why if the caller knows.
pub(crate) fn no_data(id: &str, title: &str, why: &str) -> Figure {
    let caption = if why.is_empty() { "No data.".to_owned() } else { format!("No data: {why}") };
    Figure {
        svg: worded("No data").into_svg(&id_token(id), "chart-narrow", title, &caption),
        title: title.to_owned(),
        caption,
        header: Vec::new(),
        table: Vec::new(),
    }
}

/// A sheet that holds one line of words.
fn worded(words: &str) -> Sheet {
    let sheet = Sheet::new(NARROW, 120.0);
    let middle = (NARROW / 2.0, 60.0);
    // The words fit a sheet of this size, and text is the one mark that has no layout to fail.
    let _ = sheet.text(&sheet.area(), words, middle, Anchor::Middle, Lettering::QUIET);
    sheet
}

pub(crate) fn header(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}
