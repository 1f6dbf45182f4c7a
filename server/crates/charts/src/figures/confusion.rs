//! Confusion matrix: counts, and the share of each actual class.

use serde::{Deserialize, Serialize};

use crate::figure::{Draft, Figure, NARROW, no_data};
use crate::ink::{Ink, Pen};
use crate::number::{count, percent};
use crate::sheet::{Anchor, Area, Drawn, LAYOUT_TEXT_SIZE, Lettering, Sheet, px};
use crate::text;

use plotters::element::Rectangle;

/// More classes than this are drawn without numbers in the cells; the table still holds them all.
const CLASSES_WITH_NUMBERS: usize = 8;

/// More classes than this have no room in a figure.
const MOST_CLASSES: usize = 40;

#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ConfusionMatrix {
    pub classes: Vec<String>,
    /// `counts[actual][predicted]`; missing cells count as 0.
    pub counts: Vec<Vec<u64>>,
    /// `places[actual][predicted]`: the id of the element of the page that tells rows of a cell. A missing or empty one leads nowhere.
    pub places: Vec<Vec<String>>,
}

impl ConfusionMatrix {
    fn at(&self, actual: usize, predicted: usize) -> u64 {
        self.counts.get(actual).and_then(|row| row.get(predicted)).copied().unwrap_or(0)
    }

    /// Where rows of a cell that has some are told.
    fn place(&self, actual: usize, predicted: usize) -> Option<&str> {
        let place = self.places.get(actual).and_then(|row| row.get(predicted));
        place.map(String::as_str).filter(|place| !place.is_empty() && self.at(actual, predicted) > 0)
    }

    fn row_total(&self, actual: usize) -> u64 {
        (0..self.classes.len()).fold(0, |sum, predicted| sum.saturating_add(self.at(actual, predicted)))
    }

    /// Share of the actual class; `None` for a class that never occurs.
    fn share(&self, actual: usize, predicted: usize) -> Option<f64> {
        let total = self.row_total(actual);
        (total > 0).then(|| self.at(actual, predicted) as f64 / total as f64)
    }
}

/// Rows are the actual classes, columns the predicted ones; the tint follows the share of the row.
pub fn confusion_matrix(values: &ConfusionMatrix, id_prefix: &str) -> Figure {
    const TITLE: &str = "Confusion matrix";
    let n = values.classes.len();
    let total = (0..n).fold(0_u64, |sum, actual| sum.saturating_add(values.row_total(actual)));
    if n == 0 || total == 0 {
        return no_data(id_prefix, TITLE, "");
    }
    let mut names = vec!["Actual".to_owned()];
    names.extend(values.classes.iter().map(|class| format!("predicted {class}")));
    let caption = conclusion(values, total);
    if n > MOST_CLASSES {
        let mut figure = no_data(id_prefix, TITLE, "");
        figure.caption = format!("{caption} {n} classes have no room in a figure; the numbers hold them all.");
        figure.header = names;
        figure.table = table(values);
        return figure;
    }
    let leads = n <= CLASSES_WITH_NUMBERS && (0..n * n).any(|cell| values.place(cell / n, cell % n).is_some());
    let caption = if leads { format!("{caption} A cell leads to rows of it.") } else { caption };
    let layout = Layout::of(values);
    Draft {
        id: id_prefix,
        title: TITLE,
        caption,
        header: names,
        table: table(values),
        width: NARROW,
        height: layout.top + layout.cell.1 * n as f64 + 8.0,
    }
    .draw(|sheet| draw(sheet, values, &layout))
}

struct Layout {
    left: f64,
    top: f64,
    cell: (f64, f64),
}

impl Layout {
    fn of(values: &ConfusionMatrix) -> Self {
        let n = values.classes.len() as f64;
        let widest = values.classes.iter().map(|class| text::width(class, LAYOUT_TEXT_SIZE)).fold(0.0, f64::max);
        let left = widest.clamp(44.0, 120.0) + 12.0;
        let width = ((NARROW - left - 8.0) / n).min(130.0);
        Self { left, top: 48.0, cell: (width, width.min(62.0)) }
    }

    fn corner(&self, actual: usize, predicted: usize) -> (f64, f64) {
        (self.left + self.cell.0 * predicted as f64, self.top + self.cell.1 * actual as f64)
    }
}

fn draw(sheet: &Sheet, values: &ConfusionMatrix, layout: &Layout) -> Drawn {
    let area = sheet.area();
    let n = values.classes.len();
    let (width, height) = layout.cell;
    sheet.text(&area, "Actual", (4.0, 32.0), Anchor::Start, Lettering::QUIET)?;
    let middle = layout.left + width * n as f64 / 2.0;
    sheet.text(&area, "Predicted", (middle, 12.0), Anchor::Middle, Lettering::QUIET)?;
    for (i, class) in values.classes.iter().enumerate() {
        let (x, y) = (layout.left + width * (i as f64 + 0.5), layout.top + height * (i as f64 + 0.5));
        if width >= 22.0 {
            let name = text::fitted(class, LAYOUT_TEXT_SIZE, width - 4.0);
            sheet.text(&area, &name, (x, 32.0), Anchor::Middle, Lettering::PLAIN)?;
        }
        if height >= 14.0 {
            let name = text::fitted(class, LAYOUT_TEXT_SIZE, layout.left - 10.0);
            sheet.text(&area, &name, (layout.left - 8.0, y), Anchor::End, Lettering::PLAIN)?;
        }
    }
    for actual in 0..n {
        for predicted in 0..n {
            // More links would be in the way of whoever goes through a page by keyboard.
            let place = values.place(actual, predicted).filter(|_| n <= CLASSES_WITH_NUMBERS);
            sheet.linked(place, || cell(sheet, &area, values, layout, (actual, predicted)))?;
        }
    }
    Ok(())
}

fn cell(
    sheet: &Sheet,
    area: &Area,
    values: &ConfusionMatrix,
    layout: &Layout,
    (actual, predicted): (usize, usize),
) -> Drawn {
    let (x, y) = layout.corner(actual, predicted);
    let (width, height) = layout.cell;
    let share = values.share(actual, predicted);
    let ink = if actual == predicted { Ink::Series(0) } else { Ink::Series(1) };
    let tint = Pen::new(ink).opacity(0.04 + 0.36 * share.unwrap_or(0.0));
    let corners = [(px(x + 1.0), px(y + 1.0)), (px(x + width - 1.0), px(y + height - 1.0))];
    let words = share.map_or_else(|| "no cases".to_owned(), percent);
    sheet.tip(&format!(
        "actual {}, predicted {}: {} ({words})",
        values.classes[actual],
        values.classes[predicted],
        count(values.at(actual, predicted)),
    ));
    area.draw(&Rectangle::new(corners, tint.area()))?;
    if values.classes.len() > CLASSES_WITH_NUMBERS {
        return Ok(());
    }
    let middle = (x + width / 2.0, y + height / 2.0);
    let (number, share) = ((middle.0, middle.1 - 8.0), (middle.0, middle.1 + 9.0));
    sheet.text(area, &count(values.at(actual, predicted)), number, Anchor::Middle, Lettering::BOLD)?;
    sheet.text(area, &words, share, Anchor::Middle, Lettering::PLAIN)
}

fn table(values: &ConfusionMatrix) -> Vec<Vec<String>> {
    let n = values.classes.len();
    (0..n)
        .map(|actual| {
            let mut row = vec![values.classes[actual].clone()];
            row.extend((0..n).map(|predicted| {
                let share = values.share(actual, predicted);
                let words = share.map_or_else(String::new, |share| format!(" ({})", percent(share)));
                format!("{}{words}", count(values.at(actual, predicted)))
            }));
            row
        })
        .collect()
}

fn conclusion(values: &ConfusionMatrix, total: u64) -> String {
    let n = values.classes.len();
    let right = (0..n).fold(0_u64, |sum, i| sum.saturating_add(values.at(i, i)));
    let accuracy = right as f64 / total as f64;
    let worst = (0..n)
        .flat_map(|actual| (0..n).map(move |predicted| (actual, predicted)))
        .filter(|(actual, predicted)| actual != predicted && values.at(*actual, *predicted) > 0)
        .max_by_key(|(actual, predicted)| values.at(*actual, *predicted));
    let mut words = format!("{} of {} cases right ({}).", count(right), count(total), percent(accuracy));
    if let Some((actual, predicted)) = worst {
        words.push_str(&format!(
            " Most frequent error: {} taken for {}, {} cases.",
            values.classes[actual],
            values.classes[predicted],
            count(values.at(actual, predicted))
        ));
    }
    words
}
