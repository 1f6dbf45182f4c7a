use leptos::ev::MouseEvent;
use leptos::html::Div;
use leptos::prelude::*;
use leptos::wasm_bindgen::JsCast;
use web_sys::{Element, Node};

use super::figure_file::{csv, file_name, json};
use crate::return_path::encoded;

/// A table that scrolls where it has no room. With scripts it is given out as a file, as it stands.
#[component]
pub fn TableRegion(
    /// What it is called, here and as a file.
    #[prop(into)]
    label: String,
    /// Where links lead to it.
    #[prop(optional_no_strip)]
    id: Option<String>,
    /// Whether it is given out; not where the page offers the whole list as a file.
    #[prop(default = true)]
    files: bool,
    /// The table.
    children: Children,
) -> impl IntoView {
    let holder = NodeRef::<Div>::new();
    let is_alive = RwSignal::new(false);
    Effect::new(move |_| is_alive.set(true));
    let link = |ending: &'static str, title: &'static str| {
        let name = file_name(&label, ending);
        // The address holds the whole file, so it is made when it is wanted, of what the table then tells.
        let fill = move |event: MouseEvent| {
            let table = holder.get_untracked().map(|holder| Told::of(&holder)).unwrap_or_default();
            let (kind, content) = match ending {
                "csv" => ("text/csv", csv(&table.header, &table.rows)),
                _ => ("application/json", json(&table.header, &table.rows).to_string()),
            };
            let address = format!("data:{kind};charset=utf-8,{}", encoded(&content));
            drop(event_target::<Element>(&event).set_attribute("href", &address));
        };
        let told = format!("Download {name}");
        view! { <a href="#" download=name rel="external" aria-label=told on:click=fill>{title}</a> }
    };
    let links = files.then(|| {
        view! { <p class="table-files" data-alive=move || is_alive.get()>{link("csv", "CSV")}{link("json", "JSON")}</p> }
    });
    view! {
        <div class="table-wrap" id=id role="region" aria-label=label.clone() tabindex="0" node_ref=holder>
            {children()}
            {links}
        </div>
    }
}

/// The words of a table.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct Told {
    header: Vec<String>,
    rows: Vec<Vec<String>>,
}

impl Told {
    fn of(holder: &Element) -> Self {
        let cells = |row: &Element| -> Vec<String> {
            let cells = row.children();
            (0..cells.length()).filter_map(|place| cells.item(place)).map(|cell| words(&cell)).collect()
        };
        let found = |selector: &str| -> Vec<Vec<String>> {
            let Ok(rows) = holder.query_selector_all(selector) else { return Vec::new() };
            let rows = (0..rows.length()).filter_map(|place| rows.item(place)?.dyn_into::<Element>().ok());
            rows.map(|row| cells(&row)).collect()
        };
        Self { header: found("thead tr").pop().unwrap_or_default(), rows: found("tbody tr") }.without_empty()
    }

    /// Without columns that tell nothing: they hold what can be done.
    fn without_empty(self) -> Self {
        let tells = |place: &usize| {
            let cells = self.rows.iter().filter_map(|row| row.get(*place));
            self.header.get(*place).into_iter().chain(cells).any(|cell| !cell.is_empty())
        };
        let widest = self.rows.iter().map(Vec::len).chain([self.header.len()]).max().unwrap_or_default();
        let kept: Vec<usize> = (0..widest).filter(tells).collect();
        let cell = |row: &Vec<String>, place: &usize| row.get(*place).cloned().unwrap_or_default();
        let rows = self.rows.iter().map(|row| kept.iter().map(|place| cell(row, place)).collect()).collect();
        let name = |place: &usize| match cell(&self.header, place) {
            name if name.is_empty() => format!("column {}", place + 1),
            name => name,
        };
        Self { header: kept.iter().map(name).collect(), rows }
    }
}

/// What a cell tells: its words without what can be done there, and moments as they are written for programs.
fn words(cell: &Element) -> String {
    let mut found = Vec::new();
    gather(cell, &mut found);
    found.join(" ")
}

fn gather(node: &Node, found: &mut Vec<String>) {
    if let Some(element) = node.dyn_ref::<Element>() {
        let class = element.get_attribute("class").unwrap_or_default();
        if class.split(' ').any(|class| class == "visually-hidden") {
            return;
        }
        // What is shown shortened has the whole in its title.
        let text = node.text_content().unwrap_or_default();
        if let Some(whole) = element.get_attribute("title").filter(|whole| is_beginning(&text, whole)) {
            return found.push(whole);
        }
        match element.tag_name().to_ascii_lowercase().as_str() {
            "button" | "form" | "select" | "input" | "svg" => return,
            "time" => return found.extend(element.get_attribute("datetime")),
            _ => {}
        }
    }
    let children = node.child_nodes();
    if children.length() == 0 && node.node_type() == Node::TEXT_NODE {
        let text = node.text_content().unwrap_or_default();
        found.extend(text.split_whitespace().map(str::to_owned).reduce(|all, word| format!("{all} {word}")));
    }
    (0..children.length()).filter_map(|place| children.item(place)).for_each(|child| gather(&child, found));
}

/// Whether a text is the beginning of another one, or that.
fn is_beginning(text: &str, whole: &str) -> bool {
    let text = text.trim().trim_end_matches('…');
    !text.is_empty() && whole.starts_with(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_that_is_shown_shortened_is_known_by_its_title_and_other_titles_are_not_taken() {
        assert!(is_beginning("2c83882946bd", "2c83882946bd77") && is_beginning(" 2c8… ", "2c83"));
        assert!(!is_beginning("", "2c83") && !is_beginning("RMSE on the test part", "success.rmse"));
    }

    #[test]
    fn columns_that_hold_only_what_can_be_done_are_left_out_and_others_have_names() {
        let row = |cells: &[&str]| cells.iter().map(|cell| (*cell).to_owned()).collect::<Vec<_>>();
        let told =
            Told { header: row(&["Name", "", ""]), rows: vec![row(&["a", "1", ""]), row(&["b", "", ""]), row(&["c"])] };
        let expected =
            Told { header: row(&["Name", "column 2"]), rows: vec![row(&["a", "1"]), row(&["b", ""]), row(&["c", ""])] };
        assert_eq!(told.without_empty(), expected);
        assert_eq!(Told::default().without_empty(), Told::default());
    }
}
