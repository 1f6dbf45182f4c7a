use leptos::prelude::*;
use millrace_charts::{Lineage, LineageNode, lineage};
use millrace_domain::view::LineageView;

use super::ChartFigure;

/// What came of what, as a graph whose boxes lead to their pages.
#[component]
pub fn LineageFigure(
    /// What came of what.
    lineage: LineageView,
) -> impl IntoView {
    let nodes = lineage.things.into_iter().map(|thing| LineageNode {
        kind: thing.kind,
        label: thing.label,
        href: thing.href,
        layer: thing.layer,
    });
    let values = Lineage {
        nodes: nodes.collect(),
        links: lineage.links.into_iter().map(|(from, to)| (from as usize, to as usize)).collect(),
        here: lineage.here.map(|here| here as usize),
    };
    view! { <ChartFigure figure=self::lineage(&values, "lineage-graph")/> }
}
