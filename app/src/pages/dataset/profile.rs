//! What one pass over the data saw of each column, and one column drawn large.

use leptos::prelude::*;
use millrace_charts::{
    CategoryBar, CategoryBars, Figure, Histogram, Sparkline, category_bars, count, histogram, number, percent,
    sparkline,
};
use millrace_domain::schema::{ColumnProfile, ColumnType, Profile};

use crate::components::{ChartFigure, TableRegion};
use crate::pages::address::address;

/// Columns in source order: type, missing share, distinct values, quantiles and the shape of the distribution.
#[component]
pub fn ProfileTable(
    /// The profile.
    profile: Profile,
    /// Page that shows one column large, by `?profile=`.
    page: String,
) -> impl IntoView {
    let rows: Vec<_> =
        profile.columns.into_iter().enumerate().map(|(position, column)| column_row(position, column, &page)).collect();
    view! {
        <TableRegion label="Columns">
            <table class="table" data-stack>
                <caption class="visually-hidden">"Columns with their types, missing values and distributions"</caption>
                <thead>
                    <tr>
                        <th scope="col">"Column"</th>
                        <th scope="col">"Type"</th>
                        <th scope="col" class="num">"Missing"</th>
                        <th scope="col" class="num">"Distinct"</th>
                        <th scope="col" class="num">"Least"</th>
                        <th scope="col" class="num">"5 %"</th>
                        <th scope="col" class="num">"Median"</th>
                        <th scope="col" class="num">"95 %"</th>
                        <th scope="col" class="num">"Greatest"</th>
                        <th scope="col">"Distribution"</th>
                    </tr>
                </thead>
                <tbody>{rows}</tbody>
            </table>
        </TableRegion>
    }
}

fn column_row(position: usize, column: ColumnProfile, page: &str) -> impl IntoView + use<> {
    let name = column.column.name.clone();
    let link = format!("{}#column", address(page, [("profile", name.as_str())]));
    let [least, low, median, high, greatest] = quantile_cells(&column);
    let shape = shape(position, &column);
    let notes: Vec<_> = column.notes.iter().map(|note| view! { <div class="muted">{note.clone()}</div> }).collect();
    view! {
        <tr>
            <th scope="row" data-label="Column"><div><a href=link>{name}</a>{notes}</div></th>
            <td data-label="Type"><span class="tag">{column.column.column_type.as_str()}</span></td>
            <td class="num" data-label="Missing">{missing_share(&column)}</td>
            <td class="num" data-label="Distinct">{count(column.distinct)}</td>
            <td class="num" data-label="Least">{least}</td>
            <td class="num" data-label="5 %">{low}</td>
            <td class="num" data-label="Median">{median}</td>
            <td class="num" data-label="95 %">{high}</td>
            <td class="num" data-label="Greatest">{greatest}</td>
            <td data-label="Distribution">{shape}</td>
        </tr>
    }
}

/// One column large: its histogram, or its most frequent values.
#[component]
pub fn ColumnFigure(
    /// The column.
    column: ColumnProfile,
) -> impl IntoView {
    let title = format!("Column {}", column.column.name);
    let spread = column.mean.zip(column.standard_deviation).map(|(mean, deviation)| {
        view! { <p class="muted">{format!("Mean {}, standard deviation {}.", number(mean), number(deviation))}</p> }
    });
    view! {
        <section class="section" id="column" aria-labelledby="column-title">
            <div class="section-header"><h2 id="column-title">{title}</h2></div>
            {spread}
            <ChartFigure figure=column_figure(&column) />
        </section>
    }
}

fn column_figure(column: &ColumnProfile) -> Figure {
    let has_bins = !column.histogram.is_empty();
    if has_bins && column.column.column_type != ColumnType::Time { bins_figure(column) } else { top_figure(column) }
}

fn bins_figure(column: &ColumnProfile) -> Figure {
    let values = Histogram {
        name: column.column.name.clone(),
        edges: column
            .histogram
            .iter()
            .take(1)
            .map(|bin| bin.0)
            .chain(column.histogram.iter().map(|bin| bin.1))
            .collect(),
        counts: column.histogram.iter().map(|bin| bin.2).collect(),
        missing: column.missing,
        ..Histogram::default()
    };
    histogram(&values, "column-figure")
}

fn top_figure(column: &ColumnProfile) -> Figure {
    let shown: u64 = column.top.iter().map(|(_, rows)| rows).sum();
    let others = column.present.saturating_sub(shown);
    let mut bars: Vec<CategoryBar> = column
        .top
        .iter()
        .map(|(value, rows)| CategoryBar { label: value.clone(), count: *rows, reference: None })
        .collect();
    if others > 0 {
        bars.push(CategoryBar { label: "all other values".to_owned(), count: others, reference: None });
    }
    let values =
        CategoryBars { name: column.column.name.clone(), bars, missing: column.missing, reference_missing: None };
    category_bars(&values, "column-figure")
}

/// A line over the bins, or the most frequent value.
fn shape(position: usize, column: &ColumnProfile) -> impl IntoView + use<> {
    if column.histogram.is_empty() {
        let top = column.top.first().map(|(value, rows)| format!("{value}: {}", share(*rows, column.present)));
        return view! { <span class="truncate">{top.unwrap_or_else(|| "no values".to_owned())}</span> }.into_any();
    }
    let values = Sparkline {
        name: format!("Distribution of {}", column.column.name),
        values: column.histogram.iter().map(|bin| bin.2 as f64).collect(),
        threshold: None,
    };
    let svg = sparkline(&values, &format!("column-{position}")).svg;
    view! { <span inner_html=svg></span> }.into_any()
}

/// Least, 5 %, median, 95 % and greatest of a number; times and texts have none to show as numbers.
fn quantile_cells(column: &ColumnProfile) -> [String; 5] {
    let none = || ["n/a"; 5].map(str::to_owned);
    match (column.column.column_type, column.quantiles) {
        (ColumnType::Time, Some([least, low, _, median, _, high, greatest])) => {
            [least, low, median, high, greatest].map(day)
        }
        (_, Some([least, low, _, median, _, high, greatest])) => [least, low, median, high, greatest].map(number),
        (_, None) => none(),
    }
}

/// The UTC day of a moment in microseconds.
fn day(micros: f64) -> String {
    chrono::DateTime::from_timestamp_micros(micros as i64)
        .map_or_else(|| "n/a".to_owned(), |moment| moment.format("%Y-%m-%d").to_string())
}

fn missing_share(column: &ColumnProfile) -> String {
    if column.missing == 0 { "0".to_owned() } else { share(column.missing, column.present + column.missing) }
}

fn share(part: u64, whole: u64) -> String {
    if whole == 0 { "n/a".to_owned() } else { percent(part as f64 / whole as f64) }
}

#[cfg(test)]
mod tests {
    use millrace_domain::schema::Column;

    use super::*;

    fn column(column_type: ColumnType, present: u64, missing: u64) -> ColumnProfile {
        ColumnProfile {
            column: Column { name: "fare".to_owned(), column_type },
            present,
            missing,
            distinct: 3,
            quantiles: None,
            mean: None,
            standard_deviation: None,
            top: vec![("cash".to_owned(), 6), ("card".to_owned(), 3)],
            histogram: Vec::new(),
            notes: Vec::new(),
        }
    }

    #[test]
    fn missing_values_are_a_share_of_all_rows() {
        assert_eq!(missing_share(&column(ColumnType::Number, 75, 25)), "25.0\u{202f}%");
    }

    #[test]
    fn a_column_without_rows_has_no_share() {
        assert_eq!(share(0, 0), "n/a");
    }

    #[test]
    fn times_are_shown_as_days() {
        let micros = 1_763_906_700_000_000.0;
        let times = ColumnProfile { quantiles: Some([micros; 7]), ..column(ColumnType::Time, 10, 0) };
        assert_eq!(quantile_cells(&times)[2], "2025-11-23");
    }

    #[test]
    fn values_beyond_the_most_frequent_are_added_up() {
        let figure = top_figure(&column(ColumnType::Text, 10, 0));
        assert!(figure.table.iter().any(|row| row[0] == "all other values"), "{:?}", figure.table);
    }
}
