//! What differs from the version before: distances of every column, and one column's bins drawn large.

use leptos::prelude::*;
use millrace_charts::{CategoryBar, CategoryBars, Figure, category_bars, count, number, percent};
use millrace_domain::drift::{ColumnDrift, DriftTable};

use crate::components::{ChartFigure, TableRegion};
use crate::pages::address::address;

/// Columns by their distance to the version before, the farthest first.
#[component]
pub fn DriftSection(
    /// The comparison.
    table: DriftTable,
    /// Page that shows one column large, by `?drift=`.
    page: String,
    /// Address of the report, with every bin and count.
    report: String,
    /// The column that is shown large.
    chosen: Signal<String>,
) -> impl IntoView {
    let title = format!("Drift since {}", table.reference());
    let mut columns = table.columns.clone();
    columns.sort_by(|a, b| b.distances.psi.total_cmp(&a.distances.psi));
    let rows: Vec<_> = columns.iter().map(|column| drift_row(column, &page)).collect();
    let stored = StoredValue::new(table.columns);
    let large = move || {
        let found =
            chosen.with(|chosen| stored.with_value(|all| all.iter().find(|column| column.column == *chosen).cloned()));
        found.map(|column| view! { <DriftFigure column/> })
    };
    view! {
        <section class="section stack" aria-labelledby="drift">
            <div class="section-header">
                <h2 id="drift">{title}</h2>
                <a class="button button-small" data-icon="download" href=report rel="external">"Bins and counts"</a>
            </div>
            <p class="lede">
                {format!("{} rows against {} rows.", count(table.current_rows), count(table.reference_rows))}
                " PSI, KL and JS compare shares of the same bins, L∞ is the greatest difference of one share, KS that of the \
                 distribution functions."
            </p>
            <TableRegion label="Drift">
                <table class="table" data-stack>
                    <caption class="visually-hidden">"Columns with their distances to the reference"</caption>
                    <thead>
                        <tr>
                            <th scope="col">"Column"</th>
                            <th scope="col" class="num">"PSI"</th>
                            <th scope="col" class="num">"KL"</th>
                            <th scope="col" class="num">"JS"</th>
                            <th scope="col" class="num">"L∞"</th>
                            <th scope="col" class="num">"KS"</th>
                            <th scope="col">"Moved most"</th>
                        </tr>
                    </thead>
                    <tbody>{rows}</tbody>
                </table>
            </TableRegion>
        </section>
        {large}
    }
}

fn drift_row(column: &ColumnDrift, page: &str) -> impl IntoView + use<> {
    let link = format!("{}#drift-column", address(page, [("drift", column.column.as_str())]));
    let distances = column.distances;
    let ks = column.ks.map_or_else(|| "n/a".to_owned(), |ks| number(ks.statistic));
    let chance = column.ks.map(|ks| format!("p = {}", number(ks.p_value)));
    let moved = column
        .widest()
        .map(|(bin, before, now)| format!("{bin}: {} to {}", percent(before), percent(now)))
        .unwrap_or_default();
    view! {
        <tr>
            <th scope="row" data-label="Column"><a href=link>{column.column.clone()}</a></th>
            <td class="num" data-label="PSI">{number(distances.psi)}</td>
            <td class="num" data-label="KL">{number(distances.kl)}</td>
            <td class="num" data-label="JS">{number(distances.js)}</td>
            <td class="num" data-label="L∞">{number(distances.l_infinity)}</td>
            <td class="num" data-label="KS" title=chance>{ks}</td>
            <td data-label="Moved most">{moved}</td>
        </tr>
    }
}

#[component]
fn DriftFigure(column: ColumnDrift) -> impl IntoView {
    let title = format!("Drift of {}", column.column);
    view! {
        <section class="section" id="drift-column" aria-labelledby="drift-column-title">
            <div class="section-header"><h2 id="drift-column-title">{title}</h2></div>
            <ChartFigure figure=figure(&column)/>
        </section>
    }
}

/// The bins of both sides that hold anything.
fn figure(column: &ColumnDrift) -> Figure {
    let missing = column.binning.missing();
    let bars = column
        .binning
        .names()
        .into_iter()
        .zip(column.reference.iter().zip(&column.current))
        .take(missing)
        .filter(|(_, (before, now))| **before + **now > 0)
        .map(|(label, (before, now))| CategoryBar { label, count: *now, reference: Some(*before) })
        .collect();
    let values = CategoryBars {
        name: column.column.clone(),
        bars,
        missing: column.current[missing],
        reference_missing: Some(column.reference[missing]),
    };
    category_bars(&values, "drift-figure")
}

#[cfg(all(test, feature = "ssr"))]
mod tests {
    use millrace_domain::drift::{Binning, FLOOR, distances};

    use super::*;

    fn column(name: &str, current: [u64; 3]) -> ColumnDrift {
        let reference = vec![60, 40, 0];
        let distances = distances(&reference, &current).expect("both sides have rows");
        let binning = Binning::Numbers { edges: vec![2.5] };
        ColumnDrift { column: name.to_owned(), binning, reference, current: current.to_vec(), distances, ks: None }
    }

    #[test]
    fn the_column_that_moved_most_stands_first_and_is_drawn_when_asked_for() {
        let table = DriftTable {
            reference_dataset: None,
            reference_version: 3,
            reference_rows: 100,
            current_rows: 100,
            floor: FLOOR,
            columns: vec![column("still", [60, 40, 0]), column("<moved>", [10, 80, 10])],
        };
        let html = Owner::new().with(|| {
            let chosen = Signal::derive(|| "still".to_owned());
            view! { <DriftSection table page="/p".to_owned() report="/r".to_owned() chosen/> }.to_html()
        });
        let first = html.find("&lt;moved&gt;").expect("names are escaped");
        assert!(first < html.find(">still<").expect("both are listed"), "{html}");
        assert!(html.contains("Drift since version 3") && html.contains("Drift of still"), "{html}");
    }
}
