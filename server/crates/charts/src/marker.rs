//! Marker shapes: the second code beside colour.

use plotters::element::{Circle, PathElement, Polygon};

use crate::ink::{Ink, Pen};
use crate::sheet::{Area, Drawn, px};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Marker {
    Dot,
    Ring,
    Square,
    Diamond,
    Triangle,
    Cross,
}

impl Marker {
    const ALL: [Marker; 6] =
        [Marker::Dot, Marker::Square, Marker::Triangle, Marker::Diamond, Marker::Ring, Marker::Cross];

    /// The shape of the n-th series.
    pub fn of_series(n: usize) -> Self {
        Self::ALL[n % Self::ALL.len()]
    }

    /// Draws the marker around a point given in user units. Filled shapes of equal radius look equally heavy.
    pub fn draw(self, area: &Area, at: (f64, f64), pen: Pen, radius: f64) -> Drawn {
        let centre = (px(at.0), px(at.1));
        let corner = |dx: f64, dy: f64| (px(at.0 + dx * radius), px(at.1 + dy * radius));
        let shape = |corners: &[(f64, f64)]| {
            let points: Vec<_> = corners.iter().map(|(x, y)| corner(*x, *y)).collect();
            Polygon::new(points, pen.area())
        };
        match self {
            Marker::Dot => area.draw(&Circle::new(centre, px(radius), pen.area())),
            Marker::Ring => {
                area.draw(&Circle::new(centre, px(radius), Pen::new(Ink::Surface).area()))?;
                area.draw(&Circle::new(centre, px(radius), pen.line(1.6)))
            }
            Marker::Square => area.draw(&shape(&[(-0.9, -0.9), (0.9, -0.9), (0.9, 0.9), (-0.9, 0.9)])),
            Marker::Diamond => area.draw(&shape(&[(0.0, -1.3), (1.3, 0.0), (0.0, 1.3), (-1.3, 0.0)])),
            Marker::Triangle => area.draw(&shape(&[(0.0, -1.2), (1.15, 0.9), (-1.15, 0.9)])),
            Marker::Cross => {
                let stroke = pen.line(1.8);
                area.draw(&PathElement::new(vec![corner(-0.9, -0.9), corner(0.9, 0.9)], stroke))?;
                area.draw(&PathElement::new(vec![corner(-0.9, 0.9), corner(0.9, -0.9)], stroke))
            }
        }
    }
}
