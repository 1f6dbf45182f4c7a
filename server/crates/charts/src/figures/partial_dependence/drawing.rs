//! The picture of partial dependence.

use super::{DependencePoint, PartialDependence};
use crate::axis::Axis;
use crate::figure::NARROW;
use crate::ink::{Ink, Pen};
use crate::legend::{Legend, Sample};
use crate::marker::Marker;
use crate::number::percent;
use crate::plane::Plane;
use crate::sheet::{Area, Drawn, Sheet};

/// Lines of at most this many points get a marker at each.
const MARKED_POINTS: usize = 40;

/// Part of the plane, relative to the values, that is kept for the shares of rows.
const SHARE_ROOM: f64 = 0.16;

pub(super) fn draw_numbers(
    sheet: &Sheet,
    area: &Area,
    values: &PartialDependence,
    points: &[DependencePoint],
) -> Drawn {
    let x = Axis::tight(&values.feature, points.iter().map(DependencePoint::place), 6, 0.03).without_grid();
    let y = with_share_room(Axis::around(&values.answer_name(), answers(points), 5));
    let (foot, room) = (y.low, share_room(&y));
    let plane = Plane::draw(sheet, area, x, y)?;
    for point in points {
        sheet.tip(&format!("{}: {} of rows", point.at.words(), percent(point.share)));
        let top = foot + room * share_of_largest(point, points);
        plane.line(&[(point.place(), foot), (point.place(), top)], share_pen(), 5.0)?;
    }
    plane.baseline()?;
    let above = points.iter().map(|point| (point.place(), point.high));
    let below = points.iter().rev().map(|point| (point.place(), point.low));
    plane.area(&above.chain(below).collect::<Vec<_>>(), middle_half_pen())?;
    if let [only] = points {
        plane.line(&[(only.place(), only.low), (only.place(), only.high)], mean_pen(), 1.5)?;
    }
    let means: Vec<_> = points.iter().map(|point| (point.place(), point.mean)).collect();
    plane.line(&means, mean_pen(), 2.0)?;
    let radius = if points.len() > MARKED_POINTS { 1.4 } else { 3.2 };
    for point in points {
        sheet.tip(&point.tip());
        plane.marker((point.place(), point.mean), Marker::Dot, mean_pen(), radius)?;
    }
    Ok(())
}

pub(super) fn draw_categories(
    sheet: &Sheet,
    area: &Area,
    values: &PartialDependence,
    points: &[DependencePoint],
) -> Drawn {
    let x = with_share_room(Axis::tight(&values.answer_name(), answers(points), 5, 0.04));
    let (left, room) = (x.low, share_room(&x));
    let names = points.iter().map(|point| point.at.words());
    let plane = Plane::draw(sheet, area, x, Axis::names("", names).reversed())?;
    for (i, point) in points.iter().enumerate() {
        let at = i as f64;
        sheet.tip(&format!("{}: {} of rows", point.at.words(), percent(point.share)));
        let end = left + room * share_of_largest(point, points);
        plane.rectangle([(left, at - 0.25), (end, at + 0.25)], share_pen())?;
        plane.line(&[(point.low, at), (point.high, at)], mean_pen(), 1.5)?;
        for end in [point.low, point.high] {
            plane.line(&[(end, at - 0.2), (end, at + 0.2)], mean_pen(), 1.5)?;
        }
        sheet.tip(&point.tip());
        plane.marker((point.mean, at), Marker::Dot, mean_pen(), 4.0)?;
    }
    plane.line(&[(left, -0.5), (left, points.len() as f64 - 0.5)], Pen::new(Ink::Axis), 1.0)
}

fn answers(points: &[DependencePoint]) -> impl Iterator<Item = f64> {
    points.iter().flat_map(|point| [point.mean, point.low, point.high])
}

/// The axis with room before its low end, where the shares of rows stand clear of the answers.
fn with_share_room(axis: Axis) -> Axis {
    Axis { low: axis.low - (axis.high - axis.low) * SHARE_ROOM, ..axis }
}

/// Length of the largest share on an axis that was made by [`with_share_room`].
fn share_room(axis: &Axis) -> f64 {
    (axis.high - axis.low) * SHARE_ROOM / (1.0 + SHARE_ROOM) * 0.8
}

fn share_of_largest(point: &DependencePoint, points: &[DependencePoint]) -> f64 {
    let largest = points.iter().map(|point| point.share).fold(0.0, f64::max);
    if largest > 0.0 { point.share.max(0.0) / largest } else { 0.0 }
}

fn mean_pen() -> Pen {
    Pen::new(Ink::Series(0))
}

fn middle_half_pen() -> Pen {
    mean_pen().opacity(0.18)
}

fn share_pen() -> Pen {
    Pen::new(Ink::Muted).opacity(0.7)
}

pub(super) fn legend(is_category: bool, points: &[DependencePoint]) -> Legend {
    let half = if is_category { Sample::Line(mean_pen()) } else { Sample::Swatch(middle_half_pen()) };
    let mean = if is_category { Sample::Marker(Marker::Dot, mean_pen()) } else { Sample::Line(mean_pen()) };
    let mut entries = vec![(mean, "mean".to_owned()), (half, "middle half".to_owned())];
    if points.iter().any(|point| point.share > 0.0) {
        entries.push((Sample::Swatch(share_pen()), "share of rows".to_owned()));
    }
    Legend::layout(entries, NARROW)
}
