//! Calibration: do 30 % of the cases scored 0.3 happen?

use serde::{Deserialize, Serialize};

use crate::axis::Axis;
use crate::figure::{Draft, Figure, NARROW, header, no_data};
use crate::ink::{Dash, Ink, Pen};
use crate::legend::{Legend, Sample};
use crate::marker::Marker;
use crate::number::{count, left_out, number, percent};
use crate::plane::Plane;
use crate::sheet::{Drawn, Sheet, px};

/// Scores between two edges, with what came true.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct CalibrationBin {
    pub low: f64,
    pub high: f64,
    /// Mean score of the cases in the bin.
    pub predicted: f64,
    /// Share of positives among them.
    pub observed: f64,
    pub count: u64,
}

#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Calibration {
    pub bins: Vec<CalibrationBin>,
    pub brier: Option<f64>,
    /// Expected calibration error: mean gap between score and outcome, weighted by the cases in a bin.
    pub expected_error: Option<f64>,
}

/// Reliability curve over the diagonal, and the number of cases per score below it.
pub fn calibration(values: &Calibration, id_prefix: &str) -> Figure {
    const TITLE: &str = "Calibration";
    let unit = 0.0..=1.0;
    let bins: Vec<_> = values
        .bins
        .iter()
        .filter(|b| b.count > 0 && [b.low, b.high, b.predicted, b.observed].iter().all(|v| unit.contains(v)))
        .copied()
        .collect();
    let dropped = values.bins.iter().filter(|b| b.count > 0).count() - bins.len();
    if bins.is_empty() {
        return no_data(id_prefix, TITLE, left_out(dropped).trim_start());
    }
    let legend = legend();
    Draft {
        id: id_prefix,
        title: TITLE,
        caption: format!("{}{}", conclusion(values, &bins), left_out(dropped)),
        header: header(&["Score", "Mean score", "Observed share", "Cases"]),
        table: bins
            .iter()
            .map(|b| {
                vec![
                    format!("{}–{}", number(b.low), number(b.high)),
                    number(b.predicted),
                    number(b.observed),
                    count(b.count),
                ]
            })
            .collect(),
        width: NARROW,
        height: 450.0 + legend.height(),
    }
    .draw(|sheet| draw(sheet, &bins, &legend))
}

fn draw(sheet: &Sheet, bins: &[CalibrationBin], legend: &Legend) -> Drawn {
    let (top, rest) = sheet.area().split_vertically(px(legend.height()));
    legend.draw(sheet, &top)?;
    let (curve, cases) = rest.split_vertically(px(320.0));

    // Both planes need the same left margin, or the scores would not stand below each other.
    let most = bins.iter().map(|b| b.count as f64).fold(0.0, f64::max);
    let widest = Axis::around("", [0.0, most], 2);
    let plane = Plane::draw_aligned(sheet, &curve, Axis::unit(""), Axis::unit("Observed share"), &widest)?;
    plane.line(&[(0.0, 0.0), (1.0, 1.0)], diagonal_pen(), 1.5)?;
    let points: Vec<_> = bins.iter().map(|b| (b.predicted, b.observed)).collect();
    plane.line(&points, Pen::new(Ink::Series(0)), 2.0)?;
    for bin in bins {
        sheet.tip(&format!(
            "mean score {}, observed {}, n {}",
            number(bin.predicted),
            number(bin.observed),
            count(bin.count)
        ));
        plane.marker((bin.predicted, bin.observed), Marker::Dot, Pen::new(Ink::Series(0)), 4.0)?;
    }

    let y = Axis { title: "Cases".to_owned(), ..widest };
    let unit = Axis::unit("Score").without_grid();
    let plane = Plane::draw_aligned(sheet, &cases, unit, y, &Axis::unit(""))?;
    for bin in bins {
        sheet.tip(&format!("{}–{}: {} cases", number(bin.low), number(bin.high), count(bin.count)));
        let margin = (bin.high - bin.low) * 0.04;
        let corners = [(bin.low + margin, 0.0), (bin.high - margin, bin.count as f64)];
        plane.rectangle(corners, Pen::new(Ink::Muted).opacity(0.7))?;
    }
    plane.baseline()
}

fn legend() -> Legend {
    Legend::layout(
        vec![
            (Sample::Line(Pen::new(Ink::Series(0))), "model".to_owned()),
            (Sample::Line(diagonal_pen()), "perfectly calibrated".to_owned()),
        ],
        NARROW,
    )
}

fn diagonal_pen() -> Pen {
    Pen::new(Ink::Muted).dashed(Dash::Dashed)
}

fn conclusion(values: &Calibration, bins: &[CalibrationBin]) -> String {
    let n: u64 = bins.iter().map(|b| b.count).fold(0, u64::saturating_add);
    let gap = |b: &CalibrationBin| (b.observed - b.predicted).abs();
    let mut words = String::new();
    if let Some(error) = values.expected_error {
        words.push_str(&format!("Expected calibration error {}. ", number(error)));
    }
    if let Some(brier) = values.brier {
        words.push_str(&format!("Brier score {}. ", number(brier)));
    }
    if let Some(worst) = bins.iter().max_by(|a, b| gap(a).total_cmp(&gap(b))) {
        words.push_str(&format!(
            "Widest gap: cases scored about {} came true in {} (n {}). ",
            number(worst.predicted),
            percent(worst.observed),
            count(worst.count)
        ));
    }
    words.push_str(&format!("n {}.", count(n)));
    words
}
