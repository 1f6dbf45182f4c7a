//! Lineage: what came of what, read from left to right.

use serde::{Deserialize, Serialize};

use crate::escape::{escaped, id_token};
use crate::figure::{Figure, header, no_data};
use crate::ink::{Ink, Pen};
use crate::number::counted;
use crate::sheet::LAYOUT_TEXT_SIZE;
use crate::text;

const BOX: (f64, f64) = (176.0, 44.0);
const GAP: (f64, f64) = (40.0, 12.0);
const MARGIN: f64 = 4.0;
/// Nodes drawn in one column; the rest are counted in a last box.
const DRAWN: usize = 12;
/// Columns drawn.
const LAYERS: usize = 8;

/// A thing with an origin or an outcome.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct LineageNode {
    /// What it is, for example `dataset`; nodes of one kind look alike.
    pub kind: String,
    /// Its name.
    pub label: String,
    /// Its page on this site, beginning with a slash.
    pub href: Option<String>,
    /// Its column, from 0 on the left.
    pub layer: u8,
}

/// Things and what came of them.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Lineage {
    /// The things.
    pub nodes: Vec<LineageNode>,
    /// From one node to another, by their positions.
    pub links: Vec<(usize, usize)>,
    /// The node that the page is about.
    pub here: Option<usize>,
}

/// Where a node is drawn.
struct Placed<'a> {
    of: usize,
    node: &'a LineageNode,
    x: f64,
    y: f64,
}

/// Boxes in columns, joined by curves; a box leads to its page. The same as a list stands in the table.
pub fn lineage(values: &Lineage, id_prefix: &str) -> Figure {
    const TITLE: &str = "Lineage";
    let (placed, more) = place(&values.nodes);
    if placed.is_empty() {
        return no_data(id_prefix, TITLE, "");
    }
    let joins = |(from, to): &(usize, usize)| Some((values.nodes.get(*from)?, values.nodes.get(*to)?));
    let links: Vec<_> = values.links.iter().filter_map(joins).collect();
    let mut caption = format!(
        "{} and {}, from what was brought in on the left to what came of it on the right.",
        counted(values.nodes.len(), "thing", "things"),
        counted(links.len(), "link", "links")
    );
    if more > 0 {
        caption.push_str(&format!(" {more} are only in the list below."));
    }
    let named = |node: &LineageNode| format!("{} ({})", node.label, node.kind);
    Figure {
        title: TITLE.to_owned(),
        svg: draw(values, &placed, &id_token(id_prefix), TITLE, &caption),
        caption,
        header: header(&["From", "To"]),
        table: links.into_iter().map(|(from, to)| vec![named(from), named(to)]).collect(),
    }
}

/// The nodes column by column, and how many there was no room for.
fn place(nodes: &[LineageNode]) -> (Vec<Placed<'_>>, usize) {
    let mut filled = [0usize; LAYERS];
    let mut more = 0;
    let mut placed = Vec::with_capacity(nodes.len());
    for (of, node) in nodes.iter().enumerate() {
        let layer = usize::from(node.layer);
        match filled.get_mut(layer) {
            Some(rows) if *rows < DRAWN => {
                placed.push(Placed { of, node, x: MARGIN, y: MARGIN + *rows as f64 * (BOX.1 + GAP.1) });
                *rows += 1;
            }
            _ => more += 1,
        }
    }
    // Columns without a node take no room.
    let column = |layer: u8| filled[..usize::from(layer)].iter().filter(|rows| **rows > 0).count();
    for node in &mut placed {
        node.x = MARGIN + column(node.node.layer) as f64 * (BOX.0 + GAP.0);
    }
    // Short columns stand in the middle of the highest.
    let highest = filled.iter().copied().max().unwrap_or(0);
    for node in &mut placed {
        let rows = filled[usize::from(node.node.layer)];
        node.y += (highest - rows) as f64 * (BOX.1 + GAP.1) / 2.0;
    }
    (placed, more)
}

fn draw(values: &Lineage, placed: &[Placed<'_>], id: &str, title: &str, caption: &str) -> String {
    let far = |at: fn(&Placed<'_>) -> f64| placed.iter().map(at).fold(0.0, f64::max);
    let (width, height) = (far(|node| node.x) + BOX.0 + MARGIN, far(|node| node.y) + BOX.1 + MARGIN);
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"chart chart-wide\" viewBox=\"0 0 {width} {height}\" \
         width=\"{width}\" role=\"group\" aria-labelledby=\"{id}-title {id}-desc\" font-family=\"system-ui,sans-serif\">\
         <title id=\"{id}-title\">{}</title><desc id=\"{id}-desc\">{}</desc>",
        escaped(title),
        escaped(caption)
    );
    let find = |of: usize| placed.iter().find(|node| node.of == of);
    for (from, to) in &values.links {
        if let (Some(from), Some(to)) = (find(*from), find(*to)) {
            out.push_str(&curve(from, to));
        }
    }
    let kinds = kinds(&values.nodes);
    for node in placed {
        let series = kinds.iter().position(|kind| *kind == node.node.kind).unwrap_or(0);
        out.push_str(&boxed(node, Pen::new(Ink::Series(series as u8)), values.here == Some(node.of)));
    }
    out.push_str("</svg>");
    out
}

/// The kinds in order of appearance.
fn kinds(nodes: &[LineageNode]) -> Vec<&str> {
    let mut kinds: Vec<&str> = Vec::new();
    for node in nodes {
        if !kinds.contains(&node.kind.as_str()) {
            kinds.push(&node.kind);
        }
    }
    kinds
}

fn curve(from: &Placed<'_>, to: &Placed<'_>) -> String {
    let (x1, y1) = (from.x + BOX.0, from.y + BOX.1 / 2.0);
    let (x2, y2) = (to.x, to.y + BOX.1 / 2.0);
    let bend = ((x2 - x1).abs() / 2.0).max(GAP.0 / 2.0);
    format!(
        "<path class=\"chart-axis\" d=\"M{x1} {y1}C{} {y1} {} {y2} {x2} {y2}\" fill=\"none\" stroke=\"{}\" stroke-width=\"1.5\"/>",
        x1 + bend,
        x2 - bend,
        Ink::Axis.paint()
    )
}

fn boxed(node: &Placed<'_>, pen: Pen, is_here: bool) -> String {
    let Placed { node, x, y, .. } = node;
    let (w, h) = BOX;
    let room = w - 22.0;
    let label = text::fitted(&node.label, LAYOUT_TEXT_SIZE - 1.0, room);
    let kind = if is_here { format!("{}, here", node.kind) } else { node.kind.clone() };
    let kind = text::fitted(&kind, LAYOUT_TEXT_SIZE - 1.0, room);
    let (surface, edge, words) = (Ink::Surface.paint(), if is_here { pen.ink } else { Ink::Axis }, Ink::Text.paint());
    let drawn = format!(
        "<g><title>{} ({})</title>\
         <rect class=\"{}\" x=\"{x}\" y=\"{y}\" width=\"{w}\" height=\"{h}\" rx=\"6\" fill=\"{surface}\" stroke=\"{}\" stroke-width=\"{}\"/>\
         <rect class=\"{}\" x=\"{x}\" y=\"{}\" width=\"4\" height=\"{}\" rx=\"2\" fill=\"{}\"/>\
         <text class=\"chart-text\" x=\"{}\" y=\"{}\" font-size=\"12\" font-weight=\"600\" fill=\"{words}\">{}</text>\
         <text class=\"chart-text-muted\" x=\"{}\" y=\"{}\" font-size=\"11\" fill=\"{}\">{}</text></g>",
        escaped(&node.label),
        escaped(&node.kind),
        edge.class(),
        edge.paint(),
        if is_here { 2.5 } else { 1.0 },
        pen.ink.class(),
        y + 8.0,
        h - 16.0,
        pen.ink.paint(),
        x + 14.0,
        y + 19.0,
        escaped(&label),
        x + 14.0,
        y + 34.0,
        Ink::TextMuted.paint(),
        escaped(&kind)
    );
    match node.href.as_deref().filter(|href| href.starts_with('/') && !href.starts_with("//") && !is_here) {
        Some(href) => format!("<a href=\"{}\">{drawn}</a>", escaped(href)),
        None => drawn,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(kind: &str, label: &str, href: Option<&str>, layer: u8) -> LineageNode {
        LineageNode { kind: kind.to_owned(), label: label.to_owned(), href: href.map(str::to_owned), layer }
    }

    #[test]
    fn a_box_leads_to_its_page_and_nowhere_else() {
        let values = Lineage {
            nodes: vec![
                node("dataset", "rides", Some("/datasets/1/v/2"), 0),
                node("model", "evil", Some("javascript:alert(1)"), 1),
                node("model", "away", Some("//example.org"), 1),
            ],
            links: vec![(0, 1), (0, 9)],
            here: None,
        };
        let figure = lineage(&values, "x");
        assert_eq!(figure.svg.matches("<a ").count(), 1);
        assert!(figure.svg.contains("<a href=\"/datasets/1/v/2\">"), "{}", figure.svg);
        assert_eq!(figure.table, [["rides (dataset)", "evil (model)"]]);
    }

    #[test]
    fn what_there_is_no_room_for_is_counted() {
        let nodes = (0..20).map(|at| node("model", &at.to_string(), None, 0)).collect();
        let figure = lineage(&Lineage { nodes, ..Lineage::default() }, "x");
        assert!(figure.caption.contains("8 are only in the list"), "{}", figure.caption);
    }
}
